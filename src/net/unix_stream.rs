//! A connection inside the machine.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;

use crate::driver::reactor::Direction;
use crate::net::patience::patiently;
use crate::net::socket::{self, Socket};
use crate::task::label::Label;

static CONNECT: Label = Label("connect");
static READ: Label = Label("read");
static WRITE: Label = Label("write");

/// A Unix stream, shaped like [`std::os::unix::net::UnixStream`]: [`Read`] and [`Write`] for it and for a reference to it,
/// so that one coroutine may read while another writes.
///
/// # Suspension
///
/// Reading suspends while there is nothing to read and the peer may still send; writing, while the system takes no more.
///
/// # Cancellation
///
/// As told in the [module's documentation](crate::net).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use switchback::net::UnixStream;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (mut one, mut two) = UnixStream::pair()?;
/// run_blocking(|s| {
///     s.launch(|_| Ok(one.write_all(b"to my neighbour")?));
///     let mut text = [0; 15];
///     two.read_exact(&mut text)?;
///     assert_eq!(&text, b"to my neighbour");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UnixStream {
    pub(super) socket: Socket<net::UnixStream>,
    #[cfg(feature = "futures-io")]
    pub(super) polls: crate::net::polled::Polls<Self>,
}

impl UnixStream {
    /// Connects to the listener that is bound to a path.
    ///
    /// # Suspension
    ///
    /// While the listener's queue is full. The system does not tell when there is room again, so this asks from time to
    /// time.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// As for [`std::os::unix::net::UnixStream::connect`]; a cancellation.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to an address, which may be an abstract one.
    ///
    /// # Suspension
    ///
    /// As for [`connect`](UnixStream::connect).
    ///
    /// # Cancellation
    ///
    /// As for [`connect`](UnixStream::connect).
    ///
    /// # Errors
    ///
    /// As for [`connect`](UnixStream::connect).
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        // mio's is in nonblocking mode before it connects.
        let stream = patiently(&CONNECT, Location::caller(), || {
            mio::net::UnixStream::connect_addr(address)
        })?;
        Ok(Self::of_nonblocking(stream.into()))
    }

    /// Makes two streams that are connected with each other.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, two) = net::UnixStream::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(two)?))
    }

    /// Takes over a stream that is in nonblocking mode.
    pub(super) fn of_nonblocking(stream: net::UnixStream) -> Self {
        Self {
            socket: Socket::new(stream),
            #[cfg(feature = "futures-io")]
            polls: crate::net::polled::Polls::default(),
        }
    }

    /// Takes over a stream of `std`'s, and puts it into nonblocking mode.
    ///
    /// The mode belongs to the stream, not to the descriptor: it changes for the clones of `stream` too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(stream: net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::of_nonblocking(stream))
    }

    /// Gives the stream back to `std`, in blocking mode.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        let stream = self.socket.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// A second handle of the same stream, with a descriptor of its own.
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

    /// The address that it is bound to.
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

    fn receive(
        &self,
        wanted: usize,
        place: &'static Location<'static>,
        read: impl FnMut(&net::UnixStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if wanted == 0 {
            return socket::check().map(|()| 0);
        }
        self.socket.run(Direction::Read, &READ, place, read)
    }

    fn send(
        &self,
        offered: usize,
        place: &'static Location<'static>,
        write: impl FnMut(&net::UnixStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if offered == 0 {
            return socket::check().map(|()| 0);
        }
        self.socket.run(Direction::Write, &WRITE, place, write)
    }
}

impl Read for &UnixStream {
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

impl Write for &UnixStream {
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

impl Read for UnixStream {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for UnixStream {
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

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}
