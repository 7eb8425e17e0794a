//! The beginning of a connection, which mio makes without blocking and without a line of unsafe code of ours.

use std::io;
use std::net::SocketAddr;

/// Begins to connect; the socket becomes writable when the connection has been made or refused.
pub(crate) fn begin(address: &SocketAddr) -> io::Result<std::net::TcpStream> {
    Ok(std::net::TcpStream::from(mio::net::TcpStream::connect(
        *address,
    )?))
}
