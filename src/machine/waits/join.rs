//! The end of a job, and the value of a coroutine.

use std::cell::Cell;
use std::pin::Pin;

use crate::error::Error;
use crate::job::joiner;
use crate::job::state::{COMPLETED, STARTED};
use crate::machine::turn::IntoSlot;
use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::scope::deferred::{Deferred, judge_wait};
use crate::scope::job::Job;
use crate::task::wait::Here;
use crate::task::waiter::Waiter;
use crate::task::word::{Generation, Woken};
use crate::task::{Task, start};

/// A place among the joiners of a job.
#[derive(Debug)]
struct Joining {
    waiter: Waiter,
    is_linked: Cell<bool>,
}

/// What has come of the attempt to join.
enum Joined {
    Completed,
    Waits(Generation),
    Refused(Error),
}

impl Joining {
    fn new(task: *const Task) -> Self {
        Self {
            waiter: Waiter::new(task),
            is_linked: Cell::new(false),
        }
    }

    /// # Safety
    ///
    /// It stays in place until the wait has ended.
    unsafe fn join(&self, here: &Here, job: &Task) -> Joined {
        let state = job.state();
        if state.has(COMPLETED) {
            return Joined::Completed;
        }
        if !state.has(STARTED) {
            start::start(job);
        }
        let generation = match here.prepare() {
            Ok(generation) => generation,
            Err(error) => return Joined::Refused(error),
        };
        self.waiter.arm(generation);
        self.is_linked.set(true);
        let publish = || here.publish(generation, true);
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        if unsafe { joiner::join(&job.job, &self.waiter.links, publish) } {
            Joined::Waits(generation)
        } else {
            self.is_linked.set(false);
            Joined::Completed
        }
    }

    /// The wait is over; whoever has brought the end of the job has taken the waiter out.
    fn leave(&self, job: &Task) {
        if self.is_linked.take() {
            // SAFETY: linked into that list, unless the job has completed.
            unsafe { joiner::leave(&job.job, &self.waiter.links) };
        }
    }
}

/// [`At::join`](crate::machine::At::join).
#[derive(Debug)]
pub(in crate::machine) struct Join {
    joining: Joining,
    job: Job,
}

impl Join {
    pub(in crate::machine) fn new(task: *const Task, job: Job) -> Self {
        let joining = Joining::new(task);
        Self { joining, job }
    }
}

impl Wait for Join {
    fn begin(self: Pin<&Self>, here: &Here, _caller: Caller) -> Begun {
        // SAFETY: the leaf stands until the wait has ended.
        match unsafe { self.joining.join(here, self.job.task()) } {
            Joined::Completed => Begun::Done(Ok(Ok(()))),
            Joined::Refused(error) => Begun::Done(Ok(Err(error))),
            Joined::Waits(generation) => Begun::Waits(generation),
        }
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, _caller: Caller) -> Option<Delivered> {
        self.joining.leave(self.job.task());
        Some(Ok(match woken {
            Woken::Value => here.check(),
            Woken::Cancelled => Err(here.cancelled()),
        }))
    }

    fn abandon(self: Pin<&Self>) {
        self.joining.leave(self.job.task());
    }
}

/// [`At::await_`](crate::machine::At::await_).
pub(in crate::machine) struct Await<M, T> {
    joining: Joining,
    deferred: Cell<Option<Deferred<'static, T>>>,
    job: Job,
    into: IntoSlot<M, T>,
}

impl<M, T> Await<M, T> {
    pub(in crate::machine) fn new(
        task: *const Task,
        deferred: Deferred<'static, T>,
        into: IntoSlot<M, T>,
    ) -> Self {
        Self {
            joining: Joining::new(task),
            job: deferred.job(),
            deferred: Cell::new(Some(deferred)),
            into,
        }
    }

    fn finish(&self, here: &Here, woken: Woken, caller: Caller) -> Delivered {
        let answer = judge_wait(here, self.job.task(), woken).and_then(|()| {
            let mut deferred = self.deferred.take().expect("awaited once");
            deferred.take_completed()
        });
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        unsafe { caller.tell::<M, _>(self.into, answer) }
    }
}

impl<M, T> Wait for Await<M, T> {
    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun {
        // SAFETY: the leaf stands until the wait has ended.
        match unsafe { self.joining.join(here, self.job.task()) } {
            Joined::Waits(generation) => Begun::Waits(generation),
            Joined::Completed => Begun::Done(self.finish(here, Woken::Value, caller)),
            Joined::Refused(error) => {
                // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
                Begun::Done(unsafe { caller.tell::<M, _>(self.into, Err(error)) })
            }
        }
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, caller: Caller) -> Option<Delivered> {
        self.joining.leave(self.job.task());
        Some(self.finish(here, woken, caller))
    }

    fn abandon(self: Pin<&Self>) {
        self.joining.leave(self.job.task());
    }
}
