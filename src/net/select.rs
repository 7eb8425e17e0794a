//! Clauses of [`select`](crate::sync::select) that wait for descriptors.

use std::io;

use crate::driver::descriptor::is_ready;
use crate::driver::reactor::Direction;
use crate::error::Result;
use crate::net::tcp_listener::TcpListener;
use crate::net::tcp_stream::TcpStream;
use crate::net::udp_socket::UdpSocket;
use crate::net::unix_datagram::UnixDatagram;
use crate::net::unix_listener::UnixListener;
use crate::net::unix_stream::UnixStream;
use crate::sync::{Answer, Select};

/// What [`Select::on_readable`] and [`Select::on_writable`] can wait for: the sockets of [`net`](crate::net), and
/// [`Watched`](crate::io::Watched), the ends of pipes and standard input of [`io`](crate::io).
///
/// Nobody else can implement it; [`Watched`](crate::io::Watched) takes any descriptor.
pub trait Selectable: sealed::Selectable {}

impl<T: sealed::Selectable> Selectable for T {}

/// What [`Select::on_accept`] can wait for: [`TcpListener`] and [`UnixListener`].
pub trait Listener: sealed::Listener {}

impl<T: sealed::Listener> Listener for T {}

/// What [`Select::on_datagram`] can wait for: [`UdpSocket`] and [`UnixDatagram`].
pub trait Datagrams: sealed::Datagrams {}

impl<T: sealed::Datagrams> Datagrams for T {}

pub(crate) mod sealed {
    use std::fmt;
    use std::io;

    use crate::driver::watch::Waitable;

    pub trait Selectable {
        /// What it waits in; nothing if it is always ready.
        fn waits_in(&self) -> io::Result<WaitsIn<'_>>;
    }

    pub trait Listener: Selectable {
        type Connection;

        fn accept_now(&self) -> io::Result<Self::Connection>;
    }

    pub trait Datagrams: Selectable {
        type Address;

        fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;
    }

    pub struct WaitsIn<'a>(pub(crate) Option<&'a dyn Waitable>);

    impl fmt::Debug for WaitsIn<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("WaitsIn").field(&self.0.is_some()).finish()
        }
    }
}

use sealed::WaitsIn;

/// Asks the system itself, as it cannot be known what was read or written since.
fn look<'a>(place: &io::Result<WaitsIn<'a>>, direction: Direction) -> Result<Answer<'a, ()>> {
    match place {
        Ok(WaitsIn(None)) => Ok(Answer::Now(())),
        Ok(WaitsIn(Some(waitable))) if is_ready(waitable.fd(), direction)? => Ok(Answer::Now(())),
        Ok(WaitsIn(Some(waitable))) => Ok(Answer::WhenReady(*waitable, direction)),
        Err(error) => Err(again(error).into()),
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Tries what does not block.
pub(crate) fn attempt<'a, T>(
    waits_in: impl FnOnce() -> io::Result<WaitsIn<'a>>,
    direction: Direction,
    mut operation: impl FnMut() -> io::Result<T>,
) -> Result<Answer<'a, T>> {
    loop {
        match operation() {
            Ok(value) => return Ok(Answer::Now(value)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let WaitsIn(waitable) = waits_in()?;
                let waitable = waitable.ok_or(error)?;
                return Ok(Answer::WhenReady(waitable, direction));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl<'a, R> Select<'a, R> {
    /// Wins when there is something to read, or the end, or an error.
    ///
    /// Somebody else may read it first: then what the handler does waits, as it would without the select.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use switchback::net::UnixStream;
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (left, _far_left) = UnixStream::pair()?;
    /// let (right, mut far_right) = UnixStream::pair()?;
    /// far_right.write_all(b"!")?;
    /// let mut byte = [0];
    /// select(|s| {
    ///     s.on_readable(&left, || Ok(()));
    ///     s.on_readable(&right, || Ok((&right).read_exact(&mut byte)?));
    /// })?;
    /// assert_eq!(&byte, b"!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_readable<T: Selectable>(
        &mut self,
        reader: &'a T,
        handler: impl FnOnce() -> Result<R> + 'a,
    ) {
        let place = reader.waits_in();
        self.on_answer(move |_| look(&place, Direction::Read), move |()| handler());
    }

    /// Wins when there is room to write, or an error.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (reader, writer) = switchback::io::pipe()?;
    /// let first = select(|s| {
    ///     s.on_readable(&reader, || Ok("something to read"));
    ///     s.on_writable(&writer, || Ok("room to write"));
    /// })?;
    /// assert_eq!(first, "room to write");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_writable<T: Selectable>(
        &mut self,
        writer: &'a T,
        handler: impl FnOnce() -> Result<R> + 'a,
    ) {
        let place = writer.waits_in();
        self.on_answer(move |_| look(&place, Direction::Write), move |()| handler());
    }

    /// Wins with the next connection, and where it comes from. The system's failure, such as an exhausted table of
    /// descriptors, is the select's.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::{TcpListener, TcpStream};
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let one = TcpListener::bind("127.0.0.1:0")?;
    ///     let two = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = two.local_addr()?;
    ///     s.launch(move |_| Ok(TcpStream::connect(address).map(drop)?));
    ///     let door = select(|s| {
    ///         s.on_accept(&one, |(_stream, _from)| Ok("one"));
    ///         s.on_accept(&two, |(_stream, _from)| Ok("two"));
    ///     })?;
    ///     assert_eq!(door, "two");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn on_accept<L: Listener>(
        &mut self,
        listener: &'a L,
        handler: impl FnOnce(L::Connection) -> Result<R> + 'a,
    ) where
        L::Connection: 'a,
    {
        self.on_answer(
            move |_| {
                attempt(
                    || listener.waits_in(),
                    Direction::Read,
                    || listener.accept_now(),
                )
            },
            handler,
        );
    }

    /// Wins with the next datagram, received into the buffer, and where it comes from. What does not fit is lost.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::UdpSocket;
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.send_to(b"hello", two.local_addr()?)?;
    /// let mut buffer = [0; 100];
    /// let length = select(|s| {
    ///     s.on_datagram(&two, &mut buffer, |datagram, from| {
    ///         assert_eq!(from, one.local_addr()?);
    ///         Ok(datagram.len())
    ///     });
    ///     s.on_timeout(ms(5000), || Ok(0));
    /// })?;
    /// assert_eq!(length, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_datagram<S: Datagrams>(
        &mut self,
        socket: &'a S,
        buffer: &'a mut [u8],
        handler: impl FnOnce(&'a mut [u8], S::Address) -> Result<R> + 'a,
    ) where
        S::Address: 'a,
    {
        let mut buffer = Some(buffer);
        self.on_answer(
            move |_| {
                let received = attempt(
                    || socket.waits_in(),
                    Direction::Read,
                    || socket.receive_now(buffer.as_deref_mut().unwrap_or_default()),
                )?;
                Ok(match received {
                    Answer::Now((length, from)) => {
                        let buffer = buffer.take().unwrap_or_default();
                        Answer::Now((&mut buffer[..length], from))
                    }
                    Answer::WhenReady(waitable, direction) => {
                        Answer::WhenReady(waitable, direction)
                    }
                    Answer::At(deadline) => Answer::At(deadline),
                })
            },
            move |(datagram, from)| handler(datagram, from),
        );
    }
}

macro_rules! selectable {
    ($($socket:ident)*) => {$(
        impl sealed::Selectable for $socket {
            fn waits_in(&self) -> io::Result<WaitsIn<'_>> {
                Ok(WaitsIn(Some(&self.socket)))
            }
        }
    )*};
}

selectable!(TcpListener TcpStream UdpSocket UnixDatagram UnixListener UnixStream);

impl sealed::Listener for TcpListener {
    type Connection = (TcpStream, std::net::SocketAddr);

    fn accept_now(&self) -> io::Result<Self::Connection> {
        let (stream, address) = self.socket.get().accept()?;
        Ok((TcpStream::of_nonblocking(stream.into()), address))
    }
}

impl sealed::Listener for UnixListener {
    type Connection = (UnixStream, std::os::unix::net::SocketAddr);

    fn accept_now(&self) -> io::Result<Self::Connection> {
        let (stream, address) = self.socket.get().accept()?;
        Ok((UnixStream::from_std(stream)?, address))
    }
}

impl sealed::Datagrams for UdpSocket {
    type Address = std::net::SocketAddr;

    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)> {
        self.socket.get().recv_from(buffer)
    }
}

impl sealed::Datagrams for UnixDatagram {
    type Address = std::os::unix::net::SocketAddr;

    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)> {
        self.socket.get().recv_from(buffer)
    }
}
