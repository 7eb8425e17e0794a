//! Sockets in blocking style: shaped like those of `std::net`, suspended instead of blocked.
//!
//! A call that must wait suspends its coroutine, and the thread goes on with others; on a plain thread it parks the thread.
//! A socket belongs to no thread: it may be used from any, by several at once, and on a loop that began after the one in
//! which it was made had ended. [`TcpListener`] and [`TcpStream`] speak over the net, [`UdpSocket`] in datagrams;
//! [`UnixListener`], [`UnixStream`] and [`UnixDatagram`] inside the machine.
//!
//! A call that need not wait goes on at once; but who makes some dozens of those in one turn, since the peer is always ahead, [gives
//! way](crate::sync#giving-way) to others on its thread.
//!
//! To wait for a socket or for something else, whichever comes first, there are clauses of
//! [`select`](crate::sync::select): [`on_accept`](crate::sync::Select::on_accept),
//! [`on_datagram`](crate::sync::Select::on_datagram), [`on_readable`](crate::sync::Select::on_readable),
//! [`on_writable`](crate::sync::Select::on_writable).
//!
//! With the feature `futures-io`, [`TcpStream`] also has the `AsyncRead` and `AsyncWrite` of the futures crates, for libraries
//! that are written for `async`. It may be polled on any thread; who waits is woken by a thread that is there for that.
//!
//! # Cancellation
//!
//! Each call that may wait checks first. A cancelled one returns an [`io::Error`](std::io::Error) of kind
//! [`Other`](std::io::ErrorKind::Other) whose [`source`](std::error::Error::source) is the
//! [`Cancelled`](crate::Cancelled); `?` makes a [`switchback::Error`](crate::Error) of it that
//! [`is_cancelled`](crate::Error::is_cancelled). Bytes that were moved are always reported; the cancellation is then met by
//! the next call.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//! use switchback::net::{TcpListener, TcpStream};
//! use switchback::prelude::*;
//!
//! # fn main() -> Result<()> {
//! run_blocking(|s| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     s.launch(move |_| {
//!         let (mut stream, _) = listener.accept()?;
//!         let mut line = [0; 5];
//!         stream.read_exact(&mut line)?;
//!         stream.write_all(&line)?;
//!         Ok(())
//!     });
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"hello")?;
//!     let mut echo = String::new();
//!     stream.read_to_string(&mut echo)?;
//!     assert_eq!(echo, "hello");
//!     Ok(())
//! })
//! # }
//! ```

#![forbid(unsafe_code)]

pub(crate) mod patience;
#[cfg(feature = "futures-io")]
mod polled;
mod resolve;
pub(crate) mod select;
pub(crate) mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp_options;
mod udp_socket;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use select::{Datagrams, Listener, Selectable};
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
