//! A socket that accepts connections.

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;

use crate::driver::reactor::Direction;
use crate::net::resolve::{ToSocketAddrs, each};
use crate::net::socket::Socket;
use crate::net::tcp_stream::TcpStream;
use crate::task::label::Label;

static ACCEPT: Label = Label("accept");

/// A TCP socket that accepts connections, shaped like [`std::net::TcpListener`].
///
/// May be used from several coroutines and threads at once; each connection goes to one of them.
#[derive(Debug)]
pub struct TcpListener {
    /// mio's, whose `accept` gives a stream that is in nonblocking mode already: one system call less per connection.
    pub(super) socket: Socket<mio::net::TcpListener>,
}

impl TcpListener {
    /// Binds a new listener, to the first of the addresses that can be bound. Port 0 lets the system choose one.
    ///
    /// As `std`'s it may take over an address that an earlier listener has just left (`SO_REUSEADDR`).
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
    /// As for [`std::net::TcpListener::bind`]; a cancellation.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        each(&address, |address| {
            Ok(Self {
                socket: Socket::new(mio::net::TcpListener::bind(address)?),
            })
        })
    }

    /// Takes over a listener of `std`'s, and puts it into nonblocking mode.
    ///
    /// The mode belongs to the socket, not to the descriptor: it changes for the clones of `listener` too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the mode cannot be changed.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            socket: Socket::new(mio::net::TcpListener::from_std(listener)),
        })
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
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        let listener = std::net::TcpListener::from(self.socket.into_inner());
        listener.set_nonblocking(false)?;
        Ok(listener)
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
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let place = Location::caller();
        let accept = |listener: &mio::net::TcpListener| listener.accept();
        let (stream, address) = self.socket.run(Direction::Read, &ACCEPT, place, accept)?;
        Ok((TcpStream::of_nonblocking(stream.into()), address))
    }

    /// The connections, one after another, without end.
    ///
    /// # Suspension
    ///
    /// Each step as [`accept`](TcpListener::accept).
    ///
    /// # Cancellation
    ///
    /// Each step as [`accept`](TcpListener::accept): in a cancelled coroutine each gives an `Err`, and never the end, so
    /// leave the loop with `?`.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The time to live of the packets of accepted connections.
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

    /// Sets the time to live of the packets of accepted connections.
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
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}

/// The connections of a listener: made by [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
