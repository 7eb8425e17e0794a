//! A connection.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;

use crate::driver::connect;
use crate::driver::reactor::Direction;
use crate::net::resolve::{ToSocketAddrs, each};
use crate::net::socket::{self, Socket};
use crate::scheduler::thread;
use crate::task::label::Label;

static CONNECT: Label = Label("connect");
static READ: Label = Label("read");
static WRITE: Label = Label("write");
static PEEK: Label = Label("peek");

/// A TCP connection, shaped like [`std::net::TcpStream`]: [`Read`] and [`Write`] for it and for a reference to it, so that
/// one coroutine may read while another writes.
///
/// # Suspension
///
/// Reading suspends while there is nothing to read and the peer may still send; writing, while the system takes no more.
///
/// # Cancellation
///
/// As told in the [module's documentation](crate::net).
#[derive(Debug)]
pub struct TcpStream {
    socket: Socket<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Suspension
    ///
    /// Until the connection has been made or refused, and while a name is resolved.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// As for [`std::net::TcpStream::connect`]; a cancellation.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let place = Location::caller();
        each(&address, |address| Self::connect_to(&address, place))
    }

    fn connect_to(address: &SocketAddr, place: &'static Location<'static>) -> io::Result<Self> {
        socket::check()?;
        let stream = Self {
            socket: Socket::new(connect::begin(address)?),
        };
        loop {
            stream
                .socket
                .wait(&thread::here(), Direction::Write, true, &CONNECT, place)?;
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            match stream.peer_addr() {
                Ok(_) => return Ok(stream),
                // An edge of something else: the connection is still being made.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes over a stream of `std`'s, and puts it into nonblocking mode.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            socket: Socket::new(stream),
        })
    }

    /// Gives the stream back to `std`, in blocking mode.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let stream = self.socket.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// A second handle of the same connection, with a descriptor of its own.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(self.socket.get().try_clone()?),
        })
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// The address at this end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// Closes one direction or both. Whoever waits in it, on any thread, goes on: a read finds the end.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get().shutdown(how)
    }

    /// Reads without taking what was read.
    ///
    /// # Suspension
    ///
    /// As for reading.
    ///
    /// # Cancellation
    ///
    /// As for reading.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket
            .run(Direction::Read, &PEEK, place, |stream| stream.peek(buffer))
    }

    /// Whether small packets are sent at once.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// Sends small packets at once (`TCP_NODELAY`), or gathers them.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(nodelay)
    }

    /// The time to live of packets.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets the time to live of packets.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// The error that the system has noted on the socket, which is cleared.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.get().take_error()
    }

    #[inline]
    fn receive(
        &self,
        wanted: usize,
        place: &'static Location<'static>,
        read: impl FnMut(&std::net::TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if wanted == 0 {
            return socket::check().map(|()| 0);
        }
        let moved = self.socket.run(Direction::Read, &READ, place, read)?;
        if moved > 0 && moved < wanted {
            // All there was: the next read would be told to wait, so it waits first.
            self.socket.drained(Direction::Read);
        }
        Ok(moved)
    }

    #[inline]
    fn send(
        &self,
        offered: usize,
        place: &'static Location<'static>,
        write: impl FnMut(&std::net::TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if offered == 0 {
            return socket::check().map(|()| 0);
        }
        let moved = self.socket.run(Direction::Write, &WRITE, place, write)?;
        if moved > 0 && moved < offered {
            self.socket.drained(Direction::Write);
        }
        Ok(moved)
    }
}

impl Read for &TcpStream {
    #[inline]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.receive(buffer.len(), place, |mut stream| stream.read(buffer))
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let place = Location::caller();
        let wanted = buffers.iter().map(|buffer| buffer.len()).sum();
        self.receive(wanted, place, |mut stream| stream.read_vectored(buffers))
    }
}

impl Write for &TcpStream {
    #[inline]
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.send(buffer.len(), place, |mut stream| stream.write(buffer))
    }

    #[track_caller]
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let place = Location::caller();
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        self.send(offered, place, |mut stream| stream.write_vectored(buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    #[inline]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    #[inline]
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    #[track_caller]
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}
