//! A connection.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::time::Duration;

use crate::driver::connect;
use crate::driver::reactor::Direction;
use crate::error::Result;
use crate::net::resolve::{ToSocketAddrs, each};
use crate::net::socket::{self, Socket};
use crate::scheduler::thread;
use crate::scope::timeout::with_timeout_or_none;
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
    pub(super) socket: Socket<std::net::TcpStream>,
    #[cfg(feature = "futures-io")]
    pub(super) polls: crate::net::polled::Polls<Self>,
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
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. The connection that was being made is
    /// given up; the resolver's answer to a name is waited for.
    ///
    /// # Errors
    ///
    /// As for [`std::net::TcpStream::connect`]; a cancellation.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let place = Location::caller();
        each(&address, |address| {
            Self::connect_to(&address, place)
                .unwrap_or_else(|error| Err(socket::report(&thread::here(), error)))
        })
    }

    /// Connects to one address within a time limit.
    ///
    /// # Suspension
    ///
    /// Until the connection has been made or refused, or the time is over.
    ///
    /// # Cancellation
    ///
    /// As for [`connect`](TcpStream::connect).
    ///
    /// # Errors
    ///
    /// One of kind [`TimedOut`](io::ErrorKind::TimedOut) when the time is over, and of kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a limit of zero; else as for `connect`.
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, limit: Duration) -> io::Result<Self> {
        let place = Location::caller();
        if limit.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a connection cannot be made in no time",
            ));
        }
        // The system's answer is the block's value, so that a refusal is no failure of a scope. The end of the limit is
        // met in there as a cancellation, which leaves no mark on the coroutine: it was not the coroutine's own.
        match with_timeout_or_none(limit, |_| Self::connect_to(address, place)) {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the connection was not made in time",
            )),
            Err(error) => Err(socket::report(&thread::here(), error)),
        }
    }

    /// The outer error is ours (a cancellation, or a frame that must not suspend), the inner one the system's.
    fn connect_to(
        address: &SocketAddr,
        place: &'static Location<'static>,
    ) -> Result<io::Result<Self>> {
        let here = thread::here();
        here.check()?;
        let stream = match connect::begin(address) {
            Ok(stream) => Self::of_nonblocking(stream),
            Err(error) => return Ok(Err(error)),
        };
        loop {
            stream
                .socket
                .wait(&here, Direction::Write, true, &CONNECT, place)?;
            match stream.is_connected() {
                Ok(true) => return Ok(Ok(stream)),
                // An edge of something else: the connection is still being made.
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// How far `connect` has come: the answer to it is the error noted on the socket, or an address of the peer.
    fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes over a stream that is in nonblocking mode.
    pub(super) fn of_nonblocking(stream: std::net::TcpStream) -> Self {
        Self {
            socket: Socket::new(stream),
            #[cfg(feature = "futures-io")]
            polls: crate::net::polled::Polls::default(),
        }
    }

    /// Takes over a stream of `std`'s, and puts it into nonblocking mode.
    ///
    /// The mode belongs to the connection, not to the descriptor: it changes for the clones of `stream` too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::of_nonblocking(stream))
    }

    /// Gives the stream back to `std`, in blocking mode.
    ///
    /// Clones made with [`try_clone`](TcpStream::try_clone) share the mode: from then on they would block their thread
    /// instead of suspending, so drop them first.
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
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::of_nonblocking(self.socket.get().try_clone()?))
    }

    /// The peer's address.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// The address at this end.
    ///
    /// # Suspension
    ///
    /// Never suspends.
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
        if buffer.is_empty() {
            return socket::check().map(|()| 0);
        }
        self.socket
            .run(Direction::Read, &PEEK, place, |stream| stream.peek(buffer))
    }

    /// Whether small packets are sent at once.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// Sends small packets at once (`TCP_NODELAY`), or gathers them.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(nodelay)
    }

    /// The time to live of packets.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets the time to live of packets.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// The error that the system has noted on the socket, which is cleared.
    ///
    /// # Suspension
    ///
    /// Never suspends.
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
        self.socket
            .run_for_bytes(Direction::Read, wanted, &READ, place, read)
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
        self.socket
            .run_for_bytes(Direction::Write, offered, &WRITE, place, write)
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
