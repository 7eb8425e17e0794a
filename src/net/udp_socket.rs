//! A socket for datagrams.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;

use crate::driver::reactor::Direction;
use crate::net::resolve::{ToSocketAddrs, each};
use crate::net::socket::Socket;
use crate::task::label::Label;

static RECEIVE: Label = Label("receive a datagram");
static SEND: Label = Label("send a datagram");
static PEEK: Label = Label("peek at a datagram");

/// A UDP socket, shaped like [`std::net::UdpSocket`]. May be used from several coroutines and threads at once.
///
/// # Suspension
///
/// Receiving suspends while there is no datagram; sending, while the system takes no more.
///
/// # Cancellation
///
/// As told in the [module's documentation](crate::net).
///
/// # Examples
///
/// ```
/// use switchback::net::UdpSocket;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let address = server.local_addr()?;
///     s.launch(move |_| {
///         let mut buffer = [0; 1500];
///         let (length, from) = server.recv_from(&mut buffer)?;
///         server.send_to(&buffer[..length], from)?;
///         Ok(())
///     });
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.connect(address)?;
///     client.send(b"marco")?;
///     let mut answer = [0; 5];
///     assert_eq!(client.peek(&mut answer)?, 5);
///     assert_eq!(client.recv(&mut answer)?, 5);
///     assert_eq!(&answer, b"marco");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) socket: Socket<std::net::UdpSocket>,
}

impl UdpSocket {
    /// Binds a new socket to the first of the addresses that can be bound. Port 0 lets the system choose one.
    ///
    /// # Suspension
    ///
    /// Only while a name is resolved.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it binds anything.
    ///
    /// # Errors
    ///
    /// As for [`std::net::UdpSocket::bind`]; a cancellation.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        each(&address, |address| {
            Self::from_std(std::net::UdpSocket::bind(address)?)
        })
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
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Socket::new(socket),
        })
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
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
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
        Ok(Self {
            socket: Socket::new(self.socket.get().try_clone()?),
        })
    }

    /// Sets the peer: [`send`](UdpSocket::send) goes to it, and only what comes from it is received.
    ///
    /// # Suspension
    ///
    /// Only while a name is resolved.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it does anything.
    ///
    /// # Errors
    ///
    /// As for [`std::net::UdpSocket::connect`]; a cancellation.
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        each(&address, |address| self.socket.get().connect(address))
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let place = Location::caller();
        self.socket.run(Direction::Read, &RECEIVE, place, |socket| {
            socket.recv_from(buffer)
        })
    }

    /// Receives a datagram and leaves it where it is: the next call finds it again.
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let place = Location::caller();
        self.socket.run(Direction::Read, &PEEK, place, |socket| {
            socket.peek_from(buffer)
        })
    }

    /// Sends a datagram to the first of the addresses.
    ///
    /// # Suspension
    ///
    /// While the system takes no more, and while a name is resolved.
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, datagram: &[u8], address: A) -> io::Result<usize> {
        let place = Location::caller();
        let address = each(&address, Ok)?;
        self.socket.run(Direction::Write, &SEND, place, |socket| {
            socket.send_to(datagram, address)
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket.run(Direction::Read, &RECEIVE, place, |socket| {
            socket.recv(buffer)
        })
    }

    /// Receives a datagram from the peer and leaves it where it is: the next call finds it again.
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket
            .run(Direction::Read, &PEEK, place, |socket| socket.peek(buffer))
    }

    /// Sends a datagram to the peer that was set by [`connect`](UdpSocket::connect).
    ///
    /// # Suspension
    ///
    /// While the system takes no more.
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
    /// As for [`UdpSocket`].
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.socket.run(Direction::Write, &SEND, place, |socket| {
            socket.send(datagram)
        })
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

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}
