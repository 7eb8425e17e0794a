//! Readiness of descriptors, for one thread: edge-triggered epoll through mio.
//!
//! Each descriptor is registered once for both directions and stays registered until its owner is dropped. An edge sets
//! the flag of its direction and wakes everybody who waits in it; they try again. No edge is lost: a reader clears the
//! flag after the system call told it to wait, and edges are taken in by the same thread, so one that came in between is
//! still to be seen.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::driver::{Sleep, timeout, wait_for};
use crate::task::home::Home;
use crate::task::queue::Queue;
use crate::task::waiter::{self, Waiter};
use crate::util::list::List;

/// A direction of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// There is something to read, or the end.
    Read,
    /// There is room to write, or the connection has been made.
    Write,
}

/// What other threads may touch of a reactor.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The registrations whose owners were dropped on other threads.
    retired: Mutex<Vec<usize>>,
    has_retired: AtomicBool,
    /// Set under the lock of `retired`, before `epoll` is closed.
    dead: AtomicBool,
    epoll: RawFd,
}

impl Shared {
    fn new(epoll: RawFd) -> Self {
        Self {
            retired: Mutex::new(Vec::new()),
            has_retired: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            epoll,
        }
    }

    /// Any thread: a registration is not needed any more. The descriptor is still open, and may stay so: it may have been
    /// borrowed, or be given back to `std`. So the kernel is told, or the number could not be registered here again.
    pub(crate) fn retire(&self, key: usize, fd: RawFd) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_dead() {
            return;
        }
        // SAFETY: a system call without memory of ours; under the lock a reactor that is not dead has its epoll open. An
        // error means that the kernel has forgotten the descriptor already.
        unsafe {
            libc::epoll_ctl(self.epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut());
        }
        retired.push(key);
        self.has_retired.store(true, Ordering::Release);
    }

    /// Whether the reactor has ended, so that the registration is void.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }
}

/// The readiness of one direction.
#[derive(Debug)]
struct Side {
    /// An edge has come since somebody was last told to wait.
    ready: bool,
    /// The peer has closed this side: no further edge will come, so trying is always right.
    closed: bool,
    waiters: List,
}

impl Side {
    fn new() -> Self {
        Self {
            ready: true,
            closed: false,
            waiters: List::new(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    read: Side,
    write: Side,
}

impl Entry {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

const WAKE: Token = Token(usize::MAX - 1);

/// The reactor of one thread.
#[derive(Debug)]
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    entries: Slab<Entry>,
    shared: Arc<Shared>,
    /// How many frames wait here.
    waiting: usize,
    /// Whether the eventfd of the home is registered.
    can_be_woken: bool,
}

impl Reactor {
    pub(crate) fn new(home: &'static Home) -> io::Result<Self> {
        let poll = Poll::new()?;
        let can_be_woken = match home.event() {
            Some(event) => {
                poll.registry()
                    .register(&mut SourceFd(&event), WAKE, Interest::READABLE)?;
                true
            }
            None => false,
        };
        let shared = Arc::new(Shared::new(poll.as_raw_fd()));
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            entries: Slab::new(),
            shared,
            waiting: 0,
            can_be_woken,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether there is anything that could become ready.
    pub(crate) fn has_registrations(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Registers a descriptor; the key names it from then on.
    pub(crate) fn register(&mut self, fd: RawFd) -> io::Result<usize> {
        let entry = self.entries.vacant_entry();
        let key = entry.key();
        self.poll.registry().register(
            &mut SourceFd(&fd),
            Token(key),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        entry.insert(Entry {
            read: Side::new(),
            write: Side::new(),
        });
        Ok(key)
    }

    /// Ends a registration whose descriptor is about to be closed by this thread.
    pub(crate) fn deregister(&mut self, key: usize, fd: RawFd) {
        // An error means that the kernel has forgotten it already.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        self.entries.try_remove(key);
    }

    /// Whether trying would surely be told to wait.
    pub(crate) fn is_idle(&mut self, key: usize, direction: Direction) -> bool {
        let side = self.entries[key].side(direction);
        !side.ready && !side.closed
    }

    /// Whether an edge has come since the flag was cleared.
    pub(crate) fn has_edge(&mut self, key: usize, direction: Direction) -> bool {
        self.entries[key].side(direction).ready
    }

    /// Notes that a system call was told to wait, or has taken all there was.
    pub(crate) fn clear(&mut self, key: usize, direction: Direction) {
        self.entries[key].side(direction).ready = false;
    }

    /// Links a waiter.
    ///
    /// # Safety
    ///
    /// The node stays in place until it was claimed or [`Reactor::unlink`]ed.
    pub(crate) unsafe fn link(&mut self, key: usize, direction: Direction, waiter: &Waiter) {
        self.waiting += 1;
        // SAFETY: this thread alone touches the list; the caller keeps the node.
        unsafe {
            self.entries[key]
                .side(direction)
                .waiters
                .push_back(&waiter.links)
        };
    }

    /// Takes out a waiter that a cancellation woke.
    ///
    /// # Safety
    ///
    /// The node was linked here, by this key and direction.
    pub(crate) unsafe fn unlink(&mut self, key: usize, direction: Direction, waiter: &Waiter) {
        if waiter.is_linked() {
            self.waiting -= 1;
            // SAFETY: this thread alone touches the list, and no edge has taken the node out.
            unsafe {
                self.entries[key]
                    .side(direction)
                    .waiters
                    .remove(&waiter.links)
            };
        }
    }

    /// Takes in the edges, after waiting as long as `sleep` allows.
    pub(crate) fn poll(&mut self, sleep: Sleep) {
        self.drop_retired();
        let mut patience = Some(std::time::Duration::ZERO);
        if let Sleep::Until(until) = sleep {
            let longest = if self.can_be_woken {
                None
            } else {
                Some(1_000_000)
            };
            match timeout(until, longest) {
                None => patience = None,
                Some(timeout) => {
                    // epoll counts milliseconds, which would make each timer late by half of one.
                    let mut fds = [libc::pollfd {
                        fd: self.poll.as_raw_fd(),
                        events: libc::POLLIN,
                        revents: 0,
                    }];
                    wait_for(&mut fds, Some(timeout));
                    if fds[0].revents == 0 {
                        return;
                    }
                }
            }
        }
        if self.poll.poll(&mut self.events, patience).is_err() {
            // Interrupted by a signal: the caller looks again.
            return;
        }
        self.take_in();
    }

    fn take_in(&mut self) {
        let ready = Queue::new();
        for event in &self.events {
            if event.token() == WAKE {
                // Each write is an edge, so the count need not be read.
                continue;
            }
            let Some(entry) = self.entries.get_mut(event.token().0) else {
                continue;
            };
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                entry.read.ready = true;
                entry.read.closed |= event.is_read_closed() || event.is_error();
                wake_all(&entry.read.waiters, &ready, &mut self.waiting);
            }
            if event.is_writable() || event.is_write_closed() || event.is_error() {
                entry.write.ready = true;
                entry.write.closed |= event.is_write_closed() || event.is_error();
                wake_all(&entry.write.waiters, &ready, &mut self.waiting);
            }
        }
        waiter::hand_back(&ready);
    }

    fn drop_retired(&mut self) {
        if self.shared.has_retired.swap(false, Ordering::Acquire) {
            let retired = std::mem::take(
                &mut *self
                    .shared
                    .retired
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            for key in retired {
                self.entries.try_remove(key);
            }
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        let _retired = self.shared.retired.lock();
        self.shared.dead.store(true, Ordering::Release);
    }
}

fn wake_all(waiters: &List, ready: &Queue, waiting: &mut usize) {
    loop {
        // SAFETY: this thread alone touches the list.
        let links = unsafe { waiters.pop_front() };
        if links.is_null() {
            return;
        }
        *waiting -= 1;
        // SAFETY: just taken out of the list. A waiter that a cancellation has claimed is only taken out.
        unsafe { Waiter::claim(Waiter::of(links), ready) };
    }
}
