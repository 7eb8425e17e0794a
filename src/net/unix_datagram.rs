//! Datagrams inside the machine.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;

use crate::driver::reactor::Direction;
use crate::net::patience::patiently;
use crate::net::socket::{self, Socket};
use crate::task::label::Label;

static RECEIVE: Label = Label("receive a datagram");
static SEND: Label = Label("send a datagram");

/// A Unix socket for datagrams, shaped like [`std::os::unix::net::UnixDatagram`]. None is lost: who sends waits while the
/// receiver's queue is full.
///
/// # Suspension
///
/// Receiving suspends while there is no datagram; sending, while the receiver's queue is full.
///
/// # Cancellation
///
/// As told in the [module's documentation](crate::net).
///
/// # Examples
///
/// ```
/// use switchback::net::UnixDatagram;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (one, two) = UnixDatagram::pair()?;
/// run_blocking(|s| {
///     s.launch(|_| {
///         one.send(b"first")?;
///         one.send(b"second")?;
///         Ok(())
///     });
///     let mut buffer = [0; 100];
///     assert_eq!(two.recv(&mut buffer)?, 5);
///     assert_eq!(two.recv(&mut buffer)?, 6);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    pub(super) socket: Socket<net::UnixDatagram>,
}

impl UnixDatagram {
    /// Binds a new socket to a path, which must not exist.
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
    /// As for [`std::os::unix::net::UnixDatagram::bind`]; a cancellation.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        socket::check()?;
        Self::from_std(net::UnixDatagram::bind(path)?)
    }

    /// Makes a socket without an address: it may send, and receive from a peer that it is connected to.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, two) = net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(two)?))
    }

    /// Sets the peer: [`send`](UnixDatagram::send) goes to it, and only what comes from it is received.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it does anything.
    ///
    /// # Errors
    ///
    /// As for [`std::os::unix::net::UnixDatagram::connect`]; a cancellation.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        socket::check()?;
        self.socket.get().connect(path)
    }

    /// Receives a datagram: its length, and where it comes from. What does not fit into the buffer is lost.
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
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`UnixDatagram`].
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let place = Location::caller();
        self.socket.run(Direction::Read, &RECEIVE, place, |socket| {
            socket.recv_from(buffer)
        })
    }

    /// Receives a datagram from the peer. What does not fit into the buffer is lost.
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
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`UnixDatagram`].
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket.run(Direction::Read, &RECEIVE, place, |socket| {
            socket.recv(buffer)
        })
    }

    /// Sends a datagram to the socket that is bound to a path.
    ///
    /// # Suspension
    ///
    /// While the receiver's queue is full. The system does not tell when there is room again in the queue of somebody who
    /// is not the peer, so this asks from time to time.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`UnixDatagram`].
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, datagram: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        patiently(&SEND, Location::caller(), || {
            self.socket.get().send_to(datagram, path)
        })
    }

    /// Sends a datagram to the peer.
    ///
    /// # Suspension
    ///
    /// While the peer's queue is full.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`UnixDatagram`].
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket.run(Direction::Write, &SEND, place, |socket| {
            socket.send(datagram)
        })
    }

    /// Takes over a socket that is in nonblocking mode.
    fn of_nonblocking(socket: net::UnixDatagram) -> Self {
        Self {
            socket: Socket::new(socket),
        }
    }

    /// Takes over a socket of `std`'s, and puts it into nonblocking mode.
    ///
    /// The mode belongs to the socket, not to the descriptor: it changes for the clones of `socket` too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self::of_nonblocking(socket))
    }

    /// Gives the socket back to `std`, in blocking mode.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        let socket = self.socket.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// A second handle of the same socket, with a descriptor of its own.
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
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}
