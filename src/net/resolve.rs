//! Names into addresses, without blocking the thread that asks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::dispatchers::Dispatchers;
use crate::net::socket;
use crate::scheduler::thread;
use crate::scope::hop::with_context;

mod sealed {
    use std::net::SocketAddr;

    /// What an address was given as.
    #[derive(Debug)]
    pub enum Target {
        /// Nothing has to be asked.
        Known(Vec<SocketAddr>),
        /// A host and a port, which the system's resolver is asked for.
        Host(String, u16),
        /// A text that should be `host:port`.
        Text(String),
    }

    pub trait Sealed {
        fn target(&self) -> Target;
    }
}

use sealed::{Sealed, Target};

/// What a socket can be bound or connected to: the same types as for [`std::net::ToSocketAddrs`].
///
/// A name is resolved on [`Dispatchers::io`], since the system's resolver blocks; the calling coroutine is suspended
/// meanwhile. An address, or a text that is one, is not sent anywhere.
///
/// The system's resolver cannot be interrupted: a coroutine that is cancelled while it is asked goes on, with the
/// cancellation, when it has answered. A plain thread without a loop asks by itself.
pub trait ToSocketAddrs: Sealed {}

impl<T: Sealed + ?Sized> ToSocketAddrs for T {}

macro_rules! known {
    ($($address:ty),*) => {$(
        impl Sealed for $address {
            fn target(&self) -> Target {
                Target::Known(vec![SocketAddr::from(*self)])
            }
        }
    )*};
}

known!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl Sealed for [SocketAddr] {
    fn target(&self) -> Target {
        Target::Known(self.to_vec())
    }
}

impl Sealed for str {
    fn target(&self) -> Target {
        match self.parse() {
            Ok(address) => Target::Known(vec![address]),
            Err(_) => Target::Text(self.to_owned()),
        }
    }
}

impl Sealed for String {
    fn target(&self) -> Target {
        self.as_str().target()
    }
}

impl Sealed for (&str, u16) {
    fn target(&self) -> Target {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Target::Known(vec![SocketAddr::new(ip, self.1)]),
            Err(_) => Target::Host(self.0.to_owned(), self.1),
        }
    }
}

impl Sealed for (String, u16) {
    fn target(&self) -> Target {
        (self.0.as_str(), self.1).target()
    }
}

impl<T: Sealed + ?Sized> Sealed for &T {
    fn target(&self) -> Target {
        (**self).target()
    }
}

/// The addresses that were meant.
fn resolve(target: Target) -> io::Result<Vec<SocketAddr>> {
    socket::check()?;
    if let Target::Known(addresses) = target {
        return Ok(addresses);
    }
    let hosts_others =
        thread::here_if_settled().is_some_and(|here| here.home().local.loops.get() > 0);
    if !hosts_others {
        return ask(&target);
    }
    // The resolver's answer, good or bad, is the block's value: so its error arrives as it was, and what comes as an `Err`
    // is a cancellation, or a dispatcher that takes nothing more.
    with_context(Dispatchers::io(), |_| Ok(ask(&target)))
        .unwrap_or_else(|error| Err(socket::report(&thread::here(), error)))
}

/// Asks the system, which may take long.
fn ask(target: &Target) -> io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs as _;

    match target {
        Target::Known(addresses) => Ok(addresses.clone()),
        Target::Host(host, port) => Ok((host.as_str(), *port).to_socket_addrs()?.collect()),
        Target::Text(text) => Ok(text.to_socket_addrs()?.collect()),
    }
}

/// Calls `attempt` with each address until one succeeds, as `std` does.
pub(super) fn each<R>(
    addresses: &impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for address in resolve(addresses.target())? {
        match attempt(address) {
            Ok(answer) => return Ok(answer),
            Err(error) => last = Some(error),
        }
        socket::check()?;
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name stands for no address",
        )
    }))
}
