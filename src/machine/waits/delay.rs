//! A time.

use std::pin::Pin;
use std::time::Duration;

use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::driver::delay::Timer;
use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::task::Task;
use crate::task::wait::Here;
use crate::task::waiter::Waiter;
use crate::task::word::Woken;

/// A timer in the wheel of the thread on which the wait begins.
#[derive(Debug)]
pub(in crate::machine) struct Delay {
    timer: Timer,
    time: Duration,
}

impl Delay {
    pub(in crate::machine) fn new(task: *const Task, time: Duration) -> Self {
        Self {
            timer: Timer::new(Waiter::new(task)),
            time,
        }
    }
}

impl Wait for Delay {
    const BOUND: bool = true;

    fn begin(self: Pin<&Self>, here: &Here, _caller: Caller) -> Begun {
        if self.time.is_zero() {
            return Begun::Done(Ok(Ok(())));
        }
        let generation = match here.prepare() {
            Ok(generation) => generation,
            Err(error) => return Begun::Done(Ok(Err(error))),
        };
        self.timer.waiter.arm(generation);
        let deadline = deadline_after(Driver::of(here.home()).clock.now(), self.time);
        // SAFETY: the leaf stands until the wait has ended, which is on this thread.
        unsafe { self.timer.set(here.home(), deadline) };
        here.publish(generation, true);
        Begun::Waits(generation)
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, _caller: Caller) -> Option<Delivered> {
        if woken == Woken::Value && !here.is_cancelled() {
            return Some(Ok(Ok(())));
        }
        self.timer.cancel(here.home());
        Some(Ok(Err(here.cancelled())))
    }
}
