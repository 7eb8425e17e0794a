//! What can be set on a socket for datagrams.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::net::udp_socket::UdpSocket;

impl UdpSocket {
    /// Whether it may send to broadcast addresses.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.get().broadcast()
    }

    /// Lets it send to broadcast addresses, or not.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.get().set_broadcast(broadcast)
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

    /// Whether what it sends to a group comes back to this machine.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.get().multicast_loop_v4()
    }

    /// Lets what it sends to a group come back to this machine, or not.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_loop_v4(&self, back: bool) -> io::Result<()> {
        self.socket.get().set_multicast_loop_v4(back)
    }

    /// Whether what it sends to a group comes back to this machine.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.get().multicast_loop_v6()
    }

    /// Lets what it sends to a group come back to this machine, or not.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_loop_v6(&self, back: bool) -> io::Result<()> {
        self.socket.get().set_multicast_loop_v6(back)
    }

    /// The time to live of packets to a group.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.get().multicast_ttl_v4()
    }

    /// Sets the time to live of packets to a group.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_multicast_ttl_v4(ttl)
    }

    /// Joins a group, on the interface of this address.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.get().join_multicast_v4(group, interface)
    }

    /// Joins a group, on the interface of this number.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.get().join_multicast_v6(group, interface)
    }

    /// Leaves a group.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.get().leave_multicast_v4(group, interface)
    }

    /// Leaves a group.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.get().leave_multicast_v6(group, interface)
    }
}
