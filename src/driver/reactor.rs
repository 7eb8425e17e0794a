//! Readiness of descriptors, for one thread, by the edges that epoll tells of.
//!
//! Each descriptor is registered once for both directions and stays registered until its owner is dropped. An edge sets
//! the flag of its direction and wakes everybody who waits in it; they try again. No edge is lost: a reader clears the
//! flag after the system call told it to wait, and edges are taken in by the same thread, so one that came in between is
//! still to be seen.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use slab::Slab;

use crate::driver::epoll::{Epoll, Interest};
use crate::driver::{Sleep, timeout};
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
        // Under the lock a reactor that is not dead has its epoll open.
        self.tell_to_forget(fd);
        retired.push(key);
        self.has_retired.store(true, Ordering::Release);
    }

    /// Takes a descriptor out, of an epoll that is open.
    fn tell_to_forget(&self, fd: RawFd) {
        // SAFETY: a system call without memory of ours. An error means that the kernel has forgotten it already.
        unsafe {
            libc::epoll_ctl(self.epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut());
        }
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

/// The key of the home's eventfd.
const WAKE: usize = usize::MAX;
/// So many waiters that more of them will soon be woken if some have just been.
const MANY: usize = 8;
/// Not to wait at all.
const AT_ONCE: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// The reactor of one thread.
#[derive(Debug)]
pub(crate) struct Reactor {
    epoll: Epoll,
    entries: Slab<Entry>,
    shared: Arc<Shared>,
    /// How many frames wait here.
    waiting: usize,
    /// Whether the eventfd of the home is registered.
    can_be_woken: bool,
}

impl Reactor {
    pub(crate) fn new(home: &'static Home) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let can_be_woken = match home.event() {
            Some(event) => {
                epoll.add(event, WAKE, Interest::Read)?;
                true
            }
            None => false,
        };
        let shared = Arc::new(Shared::new(epoll.raw()));
        Ok(Self {
            epoll,
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
        self.epoll.add(fd, key, Interest::ReadAndWrite)?;
        entry.insert(Entry {
            read: Side::new(),
            write: Side::new(),
        });
        Ok(key)
    }

    /// Ends a registration whose descriptor is about to be closed by this thread.
    pub(crate) fn deregister(&mut self, key: usize, fd: RawFd) {
        self.shared.tell_to_forget(fd);
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

    /// Links a waiter, unless trying may be right. A call that was told to wait says so by `clear`.
    ///
    /// # Safety
    ///
    /// As for [`Reactor::link`].
    #[inline]
    pub(crate) unsafe fn link_if_idle(
        &mut self,
        key: usize,
        direction: Direction,
        waiter: &Waiter,
        clear: bool,
    ) -> bool {
        let side = self.entries[key].side(direction);
        if clear {
            side.ready = false;
        } else if side.ready || side.closed {
            return false;
        }
        self.waiting += 1;
        // SAFETY: this thread alone touches the list; the caller keeps the node.
        unsafe { side.waiters.push_back(&waiter.links) };
        true
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

    /// Whether many wait here, and the last wait has brought edges.
    pub(crate) fn is_in_demand(&self) -> bool {
        self.waiting >= MANY && self.epoll.has_edges()
    }

    /// Takes in the edges, after waiting as long as `sleep` allows.
    pub(crate) fn poll(&mut self, sleep: Sleep) {
        self.drop_retired();
        let patience = match sleep {
            Sleep::Not => Some(AT_ONCE),
            // Without an eventfd nobody can wake us: sleep in turns short enough to be hardly noticed.
            Sleep::Until(until) => timeout(until, (!self.can_be_woken).then_some(1_000_000)),
        };
        if self.epoll.wait(patience).is_ok() {
            self.take_in();
        }
        // Else interrupted by a signal: the caller looks again.
    }

    fn take_in(&mut self) {
        let ready = Queue::new();
        for edge in self.epoll.edges() {
            // The eventfd needs not be emptied: each write to it is an edge, and a full counter is out of reach.
            let Some(entry) = self.entries.get_mut(edge.key) else {
                continue;
            };
            if edge.is_readable() {
                entry.read.ready = true;
                entry.read.closed |= edge.is_read_closed();
                wake_all(&entry.read.waiters, &ready, &mut self.waiting);
            }
            if edge.is_writable() {
                entry.write.ready = true;
                entry.write.closed |= edge.is_write_closed();
                wake_all(&entry.write.waiters, &ready, &mut self.waiting);
            }
        }
        waiter::hand_back(&ready);
    }

    fn drop_retired(&mut self) {
        // The plain look first: the exchange would take the line from whoever retires, at every wait.
        if self.shared.has_retired.load(Ordering::Relaxed)
            && self.shared.has_retired.swap(false, Ordering::Acquire)
        {
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
