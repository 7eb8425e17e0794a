//! Layer 4: time and readiness of one thread. It resumes, it never schedules.
//!
//! Each thread that suspends has a [`Driver`]: a clock, a wheel of timers, and, once a socket has had to wait on a loop or
//! a worker, a reactor. All of it is touched by its own thread only. A plain thread without a loop has no reactor: it waits for its
//! descriptors in `poll(2)`.

pub(crate) mod clock;
pub(crate) mod connect;
pub(crate) mod delay;
pub(crate) mod descriptor;
mod epoll;
pub(crate) mod pidfd;
pub(crate) mod reactor;
pub(crate) mod signals;
pub(crate) mod source;
pub(crate) mod watch;
pub(crate) mod wheel;

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::time::Duration;

use crate::task::home::Home;
use crate::task::queue::Queue;
use crate::task::sleep::Bed;
use crate::task::waiter::{self, Waiter};
use clock::Clock;
use reactor::{Direction, Reactor};
use wheel::Wheel;

/// With so many timers set, a thread wakes for them at most every [`GATHER`] nanoseconds.
const CROWD: usize = 64;
/// How late a timer may be on purpose, if there is a crowd of them.
const GATHER: u64 = 1_000_000;

/// The time and the readiness of one thread.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) clock: Clock,
    wheel: RefCell<Wheel>,
    /// When timers were fired last.
    fired: Cell<u64>,
    reactor: RefCell<Option<Reactor>>,
    /// What a plain thread waits for.
    watched: RefCell<Vec<Watched>>,
    /// The system's table of that, kept for its memory.
    polled: RefCell<Vec<libc::pollfd>>,
}

/// A descriptor in a plain thread's `poll(2)`. It stays there until its owner takes it out.
#[derive(Clone, Copy, Debug)]
struct Watched {
    fd: RawFd,
    events: i16,
    waiter: *const Waiter,
}

/// How long a thread may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Not at all: look, and go on.
    Not,
    /// Until something comes, or this moment.
    Until(Option<u64>),
}

impl Driver {
    /// A driver on the system's clock.
    pub(crate) fn new() -> Self {
        let clock = Clock::new();
        let now = clock.now();
        Self {
            clock,
            wheel: RefCell::new(Wheel::new(now)),
            fired: Cell::new(0),
            reactor: RefCell::new(None),
            watched: RefCell::default(),
            polled: RefCell::default(),
        }
    }

    /// The driver of a home.
    ///
    /// The calling thread owns the home, and whoever gave it the home has stored a driver there (`scheduler`).
    #[inline]
    pub(crate) fn of(home: &Home) -> &Driver {
        let driver = home.local.driver.get().cast::<Driver>();
        // SAFETY: stored before the home was given to the thread, and freed when the thread ends.
        unsafe { driver.as_ref() }.expect("a home that is in use has a driver")
    }

    /// Whether any timer is set.
    #[inline]
    pub(crate) fn has_timers(&self) -> bool {
        !self.wheel.borrow().is_empty()
    }

    /// Fires the timers of this home that are due.
    pub(crate) fn fire_timers(&self, home: &Home) {
        if !self.has_timers() {
            return;
        }
        let now = self.clock.now();
        let mut count = 0;
        loop {
            let due = self.wheel.borrow_mut().pop_expired(now);
            let Some(node) = due else { break };
            count += 1;
            // SAFETY: a node stands in its owner's frame until it was removed or fired; firing it comes first here.
            unsafe { wheel::TimerNode::fire(node) };
        }
        if count > 0 {
            self.fired.set(now);
            home.were_woken(count);
        }
    }

    /// How long it is until the next timer is due.
    pub(crate) fn time_to_next(&self) -> Option<Duration> {
        let next = self.wheel.borrow().next_deadline()?;
        Some(Duration::from_nanos(next.saturating_sub(self.clock.now())))
    }

    /// Sets a virtual clock, until [`Driver::end_virtual_time`], which takes what this gives: the timers of the frames below,
    /// which go by the system's clock.
    pub(crate) fn begin_virtual_time(&self) -> Wheel {
        self.clock.begin_virtual();
        self.wheel.replace(Wheel::new(self.clock.now()))
    }

    /// Goes back to the system's clock. No timer of the virtual one is set any more.
    pub(crate) fn end_virtual_time(&self, timers: Wheel) {
        self.clock.end_virtual();
        let ended = self.wheel.replace(timers);
        debug_assert!(
            ended.is_empty(),
            "a timer of a virtual clock has outlived it"
        );
    }

    /// Looks at the reactor without waiting.
    pub(crate) fn poll_reactor(&self) {
        if let Some(reactor) = &mut *self.reactor.borrow_mut()
            && reactor.has_registrations()
        {
            reactor.poll(Sleep::Not);
        }
    }

    /// Where this thread has to sleep: among its descriptors only if it waits for one.
    pub(crate) fn bed(&self) -> Bed {
        let registered = self
            .reactor
            .borrow()
            .as_ref()
            .is_some_and(Reactor::has_registrations);
        if registered || !self.watched.borrow().is_empty() {
            Bed::Descriptors
        } else {
            Bed::Word
        }
    }

    /// Whether many wait for descriptors here, and the last look has found some of those ready.
    pub(crate) fn is_in_demand(&self) -> bool {
        let reactor = self.reactor.borrow();
        reactor.as_ref().is_some_and(Reactor::is_in_demand)
    }

    /// Sleeps until the home is notified, a descriptor is ready or a timer is due, but no longer than until `limit`. The
    /// caller has announced the sleep, in this bed, and found the inbox empty.
    pub(crate) fn sleep(&self, home: &'static Home, bed: Bed, limit: Option<u64>) {
        let mut next = self.wheel.borrow().next_deadline();
        let mut limit = limit;
        if self.clock.is_virtual() {
            if let Some(next) = next {
                self.clock.advance_to(next);
                return;
            }
            // The limit is a moment of the virtual clock, which stands still.
            limit = None;
        } else if self.wheel.borrow().len() >= CROWD {
            // A wake-up costs far more than a timer: it serves all that are due by then. The deadline of a few is kept exactly.
            // By the moment of a virtual clock that has ended nothing is put off for longer than that.
            let earliest = self.fired.get() + GATHER;
            next = next.map(|next| earliest.clamp(next, next.saturating_add(GATHER)));
        }
        let until = match (next, limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if bed == Bed::Word {
            home.sleep.doze(until);
            return;
        }
        // A plain thread may have a reactor from a loop that it ran before, but what it waits for now is not in there.
        if self.watched.borrow().is_empty()
            && let Some(reactor) = &mut *self.reactor.borrow_mut()
        {
            reactor.poll(Sleep::Until(until));
            return;
        }
        self.sleep_in_poll(home, until);
    }

    /// A plain thread waits for a descriptor too, until [`Driver::unwatch`].
    fn watch(&self, fd: RawFd, direction: Direction, waiter: *const Waiter) {
        let events = match direction {
            Direction::Read => libc::POLLIN | libc::POLLRDHUP,
            Direction::Write => libc::POLLOUT,
        };
        self.watched
            .borrow_mut()
            .push(Watched { fd, events, waiter });
    }

    fn unwatch(&self, waiter: *const Waiter) {
        self.watched
            .borrow_mut()
            .retain(|watched| !std::ptr::eq(watched.waiter, waiter));
    }

    fn sleep_in_poll(&self, home: &'static Home, until: Option<u64>) {
        let mut polled = self.polled.borrow_mut();
        polled.clear();
        let event = home.event();
        polled.push(libc::pollfd {
            fd: event.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        });
        polled.extend(self.watched.borrow().iter().map(|watched| libc::pollfd {
            fd: watched.fd,
            events: watched.events,
            revents: 0,
        }));
        // Without an eventfd nobody can wake us: sleep in turns short enough to be hardly noticed.
        let longest = if event.is_some() {
            None
        } else {
            Some(1_000_000)
        };
        wait_for(&mut polled, timeout(until, longest));
        if polled[0].revents != 0 {
            home.silence();
        }
        let chain = Queue::new();
        for (fd, watched) in polled[1..].iter().zip(&*self.watched.borrow()) {
            if fd.revents != 0 {
                // SAFETY: this very thread waits, so the node stands in its frame; it is in no other list.
                unsafe { Waiter::claim(watched.waiter, &chain) };
            }
        }
        drop(polled);
        waiter::hand_back(&chain);
    }
}

/// The time from now until `until`, no longer than `longest`, for the system call.
fn timeout(until: Option<u64>, longest: Option<u64>) -> Option<libc::timespec> {
    let nanos = match (
        until.map(|until| until.saturating_sub(clock::now())),
        longest,
    ) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }?;
    Some(libc::timespec {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    })
}

/// Waits in `ppoll(2)`, whose timeout counts nanoseconds. An interrupted wait returns early, which is harmless: the caller
/// looks again.
fn wait_for(fds: &mut [libc::pollfd], timeout: Option<libc::timespec>) {
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and the timeout are ours and live through the call.
    unsafe {
        libc::ppoll(
            fds.as_mut_ptr(),
            fds.len() as libc::nfds_t,
            timeout,
            std::ptr::null(),
        )
    };
}
