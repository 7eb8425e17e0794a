//! A descriptor and its registrations: one per reactor that it was waited for in.
//!
//! A descriptor belongs to no thread: it may be waited for on any worker, on any loop, on a plain thread, and on a loop that
//! began after the one that first used it had ended. So it keeps one registration for each reactor, the first of them
//! where it is found without a lock, and registers anew where there is none that lives.

use std::io;
use std::os::fd::RawFd;
use std::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::driver::Driver;
use crate::driver::reactor::{Direction, Reactor, Shared};
use crate::error::Error;
use crate::task::label::Label;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::Waiter;
use crate::task::word::Woken;

type Registration = (Arc<Shared>, usize);

/// The registrations of one descriptor.
#[derive(Debug, Default)]
pub(crate) struct Source {
    first: OnceLock<Registration>,
    others: Mutex<Vec<Registration>>,
}

impl Source {
    #[inline]
    pub(super) fn find(&self, reactor: &Reactor) -> Option<usize> {
        match self.first.get() {
            None => None,
            Some((shared, key)) if Arc::ptr_eq(shared, reactor.shared()) => Some(*key),
            Some(_) => self.find_among_others(reactor),
        }
    }

    #[cold]
    fn find_among_others(&self, reactor: &Reactor) -> Option<usize> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others
            .iter()
            .find(|(shared, _)| Arc::ptr_eq(shared, reactor.shared()))
            .map(|(_, key)| *key)
    }

    /// Registers a descriptor that is not yet known here.
    #[cold]
    pub(super) fn register(&self, reactor: &mut Reactor, fd: RawFd) -> io::Result<usize> {
        let key = reactor.register(fd)?;
        let registration = (reactor.shared().clone(), key);
        if let Err(registration) = self.first.set(registration) {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.retain(|(shared, _)| !shared.is_dead());
            others.push(registration);
        }
        Ok(key)
    }

    /// Whether a system call would surely be told to wait, as far as this thread's reactor knows.
    #[inline]
    pub(crate) fn is_idle(&self, here: &Here, direction: Direction) -> bool {
        let mut reactor = Driver::of(here.home()).reactor.borrow_mut();
        let Some(reactor) = &mut *reactor else {
            return false;
        };
        self.find(reactor)
            .is_some_and(|key| reactor.is_idle(key, direction))
    }

    /// Notes that a system call has taken all there was, so that the next one waits first.
    #[inline]
    pub(crate) fn drained(&self, here: &Here, direction: Direction) {
        let mut reactor = Driver::of(here.home()).reactor.borrow_mut();
        if let Some(reactor) = &mut *reactor
            && let Some(key) = self.find(reactor)
        {
            reactor.clear(key, direction);
        }
    }

    /// Waits until the descriptor may be ready, after a system call was told to wait (`tried`), or before the first try.
    pub(crate) fn wait(
        &self,
        here: &Here,
        fd: RawFd,
        direction: Direction,
        tried: bool,
        label: &'static Label,
        place: &'static Location<'static>,
    ) -> Result<(), Error> {
        refuse_in_closed_frames()?;
        let generation = here.prepare()?;
        let driver = Driver::of(here.home());
        let waiter = Waiter::new(here.task());
        here.mark(label, place);
        if here.home().local.loops.get() == 0 {
            waiter.arm(generation);
            driver.watch(fd, direction, &raw const waiter);
            here.publish(generation, true);
            let woken = here.park(generation, true, || ());
            driver.unwatch(&raw const waiter);
            return if woken == Woken::Value {
                Ok(())
            } else {
                Err(here.cancelled())
            };
        }
        let key = {
            let mut reactor = driver.reactor.borrow_mut();
            let reactor = match &mut *reactor {
                Some(reactor) => reactor,
                none => none.insert(Reactor::new(here.home())?),
            };
            let (key, is_fresh) = match self.find(reactor) {
                Some(key) => (key, false),
                None => (self.register(reactor, fd)?, true),
            };
            waiter.arm(generation);
            // A fresh registration reports what is ready now as its first edge, so there is nothing to remember.
            // SAFETY: the waiter stands in this frame until it was claimed or unlinked below.
            if !unsafe { reactor.link_if_idle(key, direction, &waiter, tried || is_fresh) } {
                return Ok(());
            }
            key
        };
        here.publish(generation, true);
        let woken = here.park(generation, true, || {
            if let Some(reactor) = &mut *driver.reactor.borrow_mut() {
                // SAFETY: linked above, by this key and direction.
                unsafe { reactor.unlink(key, direction, &waiter) };
            }
        });
        match woken {
            Woken::Value => Ok(()),
            Woken::Cancelled => Err(here.cancelled()),
        }
    }

    /// Ends all registrations: the descriptor is about to be closed by the thread of `home`, if it has one.
    pub(crate) fn forget(&mut self, home: Option<&'static crate::task::home::Home>, fd: RawFd) {
        let mut all = std::mem::take(
            self.others
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        all.extend(self.first.take());
        for (shared, key) in all {
            let mut guard = home
                .filter(|home| !home.local.driver.get().is_null())
                .map(|home| Driver::of(home).reactor.borrow_mut());
            match guard.as_mut().and_then(|guard| guard.as_mut()) {
                Some(reactor) if Arc::ptr_eq(&shared, reactor.shared()) => {
                    reactor.deregister(key, fd)
                }
                _ => shared.retire(key, fd),
            }
        }
    }
}
