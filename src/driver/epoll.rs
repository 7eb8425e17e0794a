//! The system's epoll: edges of many descriptors in one wait, whose limit counts nanoseconds.
//!
//! mio's counts milliseconds, which would make each timer late by half of one, or need a second system call for every wait
//! that has an end.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::driver::wait_for;

/// How many edges one wait takes in at most.
const MOST: usize = 256;

/// One instance, and the edges that the last wait has brought.
#[derive(Debug)]
pub(super) struct Epoll {
    fd: OwnedFd,
    edges: Vec<libc::epoll_event>,
    count: usize,
    /// The system has `epoll_pwait2` (Linux 5.11), as far as is known.
    is_exact: bool,
}

/// What is asked of a descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Interest {
    Read,
    ReadAndWrite,
}

/// One edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// What the descriptor was added by.
    pub(super) key: usize,
    bits: u32,
}

impl Epoll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: a system call without memory of ours.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: just opened, and nobody else knows it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            edges: vec![libc::epoll_event { events: 0, u64: 0 }; MOST],
            count: 0,
            is_exact: true,
        })
    }

    pub(super) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Adds a descriptor, whose edges are told by the key.
    pub(super) fn add(&self, fd: RawFd, key: usize, interest: Interest) -> io::Result<()> {
        let asked = match interest {
            Interest::Read => libc::EPOLLIN | libc::EPOLLRDHUP,
            Interest::ReadAndWrite => libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLOUT,
        };
        let mut event = libc::epoll_event {
            events: (asked | libc::EPOLLET).cast_unsigned(),
            u64: key as u64,
        };
        // SAFETY: the event is ours and lives through the call.
        match unsafe { libc::epoll_ctl(self.raw(), libc::EPOLL_CTL_ADD, fd, &raw mut event) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Waits for edges, or looks if the timeout is zero. What came before and was not looked at is lost.
    pub(super) fn wait(&mut self, timeout: Option<libc::timespec>) -> io::Result<()> {
        self.count = 0;
        let count = match timeout {
            None => self.wait_coarsely(-1),
            Some(timeout) if timeout.tv_sec == 0 && timeout.tv_nsec == 0 => self.wait_coarsely(0),
            Some(timeout) => self.wait_exactly(timeout),
        };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(())
    }

    fn wait_coarsely(&mut self, milliseconds: libc::c_int) -> libc::c_int {
        // SAFETY: the system writes into an array of ours, up to its length.
        unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.edges.as_mut_ptr(),
                MOST as libc::c_int,
                milliseconds,
            )
        }
    }

    fn wait_exactly(&mut self, timeout: libc::timespec) -> libc::c_int {
        if self.is_exact {
            // SAFETY: the system reads a time and writes into an array of ours, up to its length.
            let count = unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    self.fd.as_raw_fd(),
                    self.edges.as_mut_ptr(),
                    MOST,
                    &raw const timeout,
                    ptr::null::<libc::sigset_t>(),
                    0usize,
                )
            };
            // Refused by an old system, or by a filter that has not heard of it.
            let errno = io::Error::last_os_error().raw_os_error();
            if count >= 0 || !matches!(errno, Some(libc::ENOSYS | libc::EPERM)) {
                return count as libc::c_int;
            }
            self.is_exact = false;
        }
        let mut fds = [libc::pollfd {
            fd: self.raw(),
            events: libc::POLLIN,
            revents: 0,
        }];
        wait_for(&mut fds, Some(timeout));
        if fds[0].revents == 0 {
            0
        } else {
            self.wait_coarsely(0)
        }
    }

    /// Whether the last wait has brought anything.
    pub(super) fn has_edges(&self) -> bool {
        self.count > 0
    }

    /// What the last wait has brought.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> {
        self.edges[..self.count].iter().map(|event| Edge {
            key: event.u64 as usize,
            bits: event.events,
        })
    }
}

impl Edge {
    fn has(self, bits: libc::c_int) -> bool {
        self.bits & bits.cast_unsigned() != 0
    }

    /// There may be something to read, or the end.
    pub(super) fn is_readable(self) -> bool {
        self.has(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// Nothing more comes, so that no further edge will.
    pub(super) fn is_read_closed(self) -> bool {
        self.has(libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// There may be room to write, or nobody who reads.
    pub(super) fn is_writable(self) -> bool {
        self.has(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// Nothing can be written any more.
    pub(super) fn is_write_closed(self) -> bool {
        self.has(libc::EPOLLHUP | libc::EPOLLERR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::clock::now;

    const LIMIT: libc::timespec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 300_000,
    };

    fn eventfd() -> OwnedFd {
        // SAFETY: a system call without memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        assert!(fd >= 0);
        // SAFETY: just opened, and nobody else knows it.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }

    fn ring(event: &OwnedFd) {
        let one = 1u64;
        // SAFETY: eight bytes of ours.
        let written = unsafe { libc::write(event.as_raw_fd(), (&raw const one).cast(), 8) };
        assert_eq!(written, 8);
    }

    #[test]
    fn a_wait_ends_at_its_limit_and_not_before_even_on_an_old_system() {
        for is_exact in [true, false] {
            let mut epoll = Epoll::new().unwrap();
            epoll.is_exact = is_exact;
            let begun = now();
            epoll.wait(Some(LIMIT)).unwrap();
            assert!(now() - begun >= 300_000);
            assert_eq!(epoll.edges().count(), 0);
        }
    }

    #[test]
    fn each_ring_is_an_edge_though_nobody_empties_the_eventfd() {
        for is_exact in [true, false] {
            let mut epoll = Epoll::new().unwrap();
            epoll.is_exact = is_exact;
            let event = eventfd();
            epoll.add(event.as_raw_fd(), 7, Interest::Read).unwrap();
            for timeout in [None, Some(LIMIT), None] {
                ring(&event);
                epoll.wait(timeout).unwrap();
                let edges: Vec<Edge> = epoll.edges().collect();
                assert_eq!(edges.len(), 1);
                assert_eq!(edges[0].key, 7);
                assert!(edges[0].is_readable() && !edges[0].is_read_closed());
                assert!(!edges[0].is_writable());
                epoll.wait(Some(LIMIT)).unwrap();
                assert_eq!(epoll.edges().count(), 0);
            }
        }
    }
}
