//! A socket in the file system that accepts connections.

use std::io;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;

use crate::driver::descriptor;
use crate::driver::reactor::Direction;
use crate::net::socket::{self, Socket};
use crate::net::unix_stream::UnixStream;
use crate::task::label::Label;

static ACCEPT: Label = Label("accept");

/// A Unix socket that accepts connections, shaped like [`std::os::unix::net::UnixListener`].
///
/// May be used from several coroutines and threads at once; each connection goes to one of them. Its file stays when it
/// is dropped, as `std`'s does.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use switchback::net::{UnixListener, UnixStream};
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let path = std::env::temp_dir().join(format!("switchback-doc-{}", std::process::id()));
/// run_blocking(|s| {
///     let listener = UnixListener::bind(&path)?;
///     s.launch(|_| {
///         let mut stream = UnixStream::connect(&path)?;
///         stream.write_all(b"hello")?;
///         Ok(())
///     });
///     let (mut stream, _) = listener.accept()?;
///     let mut text = String::new();
///     stream.read_to_string(&mut text)?;
///     assert_eq!(text, "hello");
///     Ok(())
/// })?;
/// std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UnixListener {
    pub(super) socket: Socket<net::UnixListener>,
}

impl UnixListener {
    /// Binds a new listener to a path, which must not exist.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it binds anything.
    ///
    /// # Errors
    ///
    /// As for [`std::os::unix::net::UnixListener::bind`]; a cancellation.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        socket::check()?;
        Self::from_std(net::UnixListener::bind(path)?)
    }

    /// Binds a new listener to an address, which may be an abstract one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it binds anything.
    ///
    /// # Errors
    ///
    /// As for [`bind`](UnixListener::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        socket::check()?;
        Self::from_std(net::UnixListener::bind_addr(address)?)
    }

    /// Waits for a connection.
    ///
    /// # Suspension
    ///
    /// While there is none.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// The system's, such as an exhausted table of descriptors (the listener goes on: wait a little and try again); a
    /// cancellation.
    ///
    /// # Examples
    ///
    /// As for [`UnixListener`].
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let place = Location::caller();
        let (stream, address) =
            self.socket
                .run(Direction::Read, &ACCEPT, place, net::UnixListener::accept)?;
        descriptor::set_nonblocking(&stream, true)?;
        Ok((UnixStream::of_nonblocking(stream), address))
    }

    /// The connections, one after another, without end.
    ///
    /// # Suspension
    ///
    /// Each step as [`accept`](UnixListener::accept).
    ///
    /// # Cancellation
    ///
    /// Each step as [`accept`](UnixListener::accept): in a cancelled coroutine each gives an `Err`, and never the end, so
    /// leave the loop with `?`.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// Takes over a listener that is in nonblocking mode.
    fn of_nonblocking(listener: net::UnixListener) -> Self {
        Self {
            socket: Socket::new(listener),
        }
    }

    /// Takes over a listener of `std`'s, and puts it into nonblocking mode.
    ///
    /// The mode belongs to the listener, not to the descriptor: it changes for the clones of `listener` too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::of_nonblocking(listener))
    }

    /// Gives the listener back to `std`, in blocking mode.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        let listener = self.socket.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// A second handle of the same listener, with a descriptor of its own.
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
}

/// The connections of a listener: made by [`UnixListener::incoming`].
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for UnixIncoming<'_> {}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}
