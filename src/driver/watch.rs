//! A descriptor among other things that one waits for.
//!
//! Unlike [`Source::wait`](crate::driver::source::Source::wait), which suspends by itself, this only makes the descriptor
//! claim a suspension that somebody else has arranged.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;

use crate::driver::Driver;
use crate::driver::reactor::{Direction, Reactor};
use crate::driver::source::Source;
use crate::task::Task;
use crate::task::home::Home;
use crate::task::wait::Here;
use crate::task::waiter::Waiter;
use crate::task::word::Generation;

/// A descriptor with its registrations.
pub(crate) trait Waitable {
    /// The descriptor.
    fn fd(&self) -> RawFd;

    /// Its registrations.
    fn source(&self) -> &Source;
}

/// Where a watch stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the plain thread's `poll(2)`.
    Polled,
    /// In the reactor, at the entry of this key.
    Linked(usize, Direction),
}

/// A waiter for one descriptor. It stands in its owner's frame or in a box.
#[derive(Debug)]
pub(crate) struct Watch {
    waiter: Waiter,
    place: Cell<Option<Place>>,
}

impl Watch {
    pub(crate) fn new(task: *const Task) -> Self {
        Self {
            waiter: Waiter::new(task),
            place: Cell::new(None),
        }
    }

    /// Lets the descriptor claim this suspension, whose word is published. False if it may be ready now. The caller has
    /// noted by [`Source::drained`] when it was told to wait.
    ///
    /// # Safety
    ///
    /// The watch stays in place until [`Watch::end`], which is called before it is used again. The running task is the one
    /// that it was made for.
    pub(crate) unsafe fn begin(
        &self,
        here: &Here,
        generation: Generation,
        source: &Source,
        fd: RawFd,
        direction: Direction,
    ) -> io::Result<bool> {
        let driver = Driver::of(here.home());
        if here.home().local.loops.get() == 0 {
            self.waiter.arm(generation);
            driver.watch(fd, direction, &raw const self.waiter);
            self.place.set(Some(Place::Polled));
            return Ok(true);
        }
        let mut reactor = driver.reactor.borrow_mut();
        let reactor = match &mut *reactor {
            Some(reactor) => reactor,
            none => none.insert(Reactor::new(here.home())?),
        };
        let key = match source.find(reactor) {
            Some(key) if reactor.has_edge(key, direction) => return Ok(false),
            Some(key) => key,
            None => {
                let key = source.register(reactor, fd)?;
                // It reports what is ready now as its first edge, so there is nothing to remember.
                reactor.clear(key, direction);
                key
            }
        };
        self.waiter.arm(generation);
        // SAFETY: the caller keeps it in place until `end`, which takes it out.
        unsafe { reactor.link(key, direction, &self.waiter) };
        self.place.set(Some(Place::Linked(key, direction)));
        Ok(true)
    }

    /// The suspension is over, or another one will be watched for. Called on the thread that began.
    pub(crate) fn end(&self, home: &Home) {
        let driver = Driver::of(home);
        match self.place.take() {
            None => {}
            Some(Place::Polled) => driver.unwatch(&raw const self.waiter),
            Some(Place::Linked(key, direction)) => {
                if let Some(reactor) = &mut *driver.reactor.borrow_mut() {
                    // SAFETY: linked in `begin`, by this key and direction.
                    unsafe { reactor.unlink(key, direction, &self.waiter) };
                }
            }
        }
    }
}
