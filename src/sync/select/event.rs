//! Clauses that wait for a job or for a time.

use std::cell::Cell;
use std::time::Duration;

use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::driver::delay::Timer;
use crate::error::{Error, Result};
use crate::job::joiner;
use crate::job::state::{COMPLETED, FAILED, STARTED};
use crate::scope::completable::CompletableDeferred;
use crate::scope::deferred::{Deferred, success_of};
use crate::scope::job::Job;
use crate::sync::select::clause::{Clause, Watched};
use crate::task::wait::Here;
use crate::task::waiter::Waiter;
use crate::task::word::Generation;
use crate::task::{Task, cancel, start};

/// What [`Select::on_await`](crate::sync::Select::on_await) can wait for: a `&mut Deferred`, from which the value is moved,
/// or a `&CompletableDeferred`, which gives a clone of it.
///
/// Nobody else can implement it; [`SelectClause`](crate::sync::SelectClause) is what is open.
pub trait SelectAwait<'a>: sealed::Awaited {
    /// The value.
    type Value;

    /// Whose end is waited for.
    #[doc(hidden)]
    fn awaited(&self) -> sealed::Of<'_>;

    /// Once the job has completed: its value, or its failure.
    #[doc(hidden)]
    fn completed(self) -> Result<Self::Value>;
}

mod sealed {
    pub trait Awaited {}

    /// A job that this crate knows.
    #[derive(Debug)]
    pub struct Of<'a>(pub(super) &'a super::Task);
}

impl<T> sealed::Awaited for &mut Deferred<'_, T> {}

impl<'a, T> SelectAwait<'a> for &'a mut Deferred<'_, T> {
    type Value = T;

    fn awaited(&self) -> sealed::Of<'_> {
        sealed::Of(self.task())
    }

    fn completed(self) -> Result<T> {
        self.take_completed()
    }
}

impl<T> sealed::Awaited for &CompletableDeferred<T> {}

impl<'a, T: Clone> SelectAwait<'a> for &'a CompletableDeferred<T> {
    type Value = T;

    fn awaited(&self) -> sealed::Of<'_> {
        sealed::Of(self.task())
    }

    fn completed(self) -> Result<T> {
        success_of(self.task())?;
        Ok(self.value().clone())
    }
}

/// A place among the joiners of a job.
struct Joining {
    waiter: Waiter,
    is_linked: Cell<bool>,
}

impl Joining {
    fn new(task: *const Task) -> Self {
        Self {
            waiter: Waiter::new(task),
            is_linked: Cell::new(false),
        }
    }

    /// Whether the job has completed; if not it is started, if nobody has done that.
    fn has_completed(job: &Task) -> bool {
        let state = job.state();
        if !state.has(COMPLETED) && !state.has(STARTED) {
            start::start(job);
        }
        state.has(COMPLETED)
    }

    fn watch(&self, job: &Task, generation: Generation) -> Watched {
        self.waiter.arm(generation);
        // SAFETY: the clause stands in place until it was claimed, or `unwatch` has taken it out.
        let is_linked = unsafe { joiner::join(&job.job, &self.waiter.links, || ()) };
        self.is_linked.set(is_linked);
        if is_linked {
            Watched::Waits
        } else {
            Watched::Happened
        }
    }

    fn unwatch(&self, job: &Task) {
        if self.is_linked.take() {
            // SAFETY: linked into that list.
            unsafe { joiner::leave(&job.job, &self.waiter.links) };
        }
    }
}

/// `on_join`.
pub(super) struct Join<'a, F> {
    job: &'a Job,
    joining: Joining,
    handler: F,
}

impl<'a, F> Join<'a, F> {
    pub(super) fn new(job: &'a Job, task: *const Task, handler: F) -> Self {
        let joining = Joining::new(task);
        Self {
            job,
            joining,
            handler,
        }
    }
}

impl<R, F: FnOnce() -> Result<R>> Clause<R> for Join<'_, F> {
    fn has_happened(&self, _here: &Here) -> Result<bool> {
        Ok(Joining::has_completed(self.job.task()))
    }

    fn watch(&self, _here: &Here, generation: Generation) -> Watched {
        self.joining.watch(self.job.task(), generation)
    }

    fn unwatch(&self, _here: &Here) {
        self.joining.unwatch(self.job.task());
    }

    fn finish(self: Box<Self>) -> Result<R> {
        (self.handler)()
    }
}

/// `on_await`.
pub(super) struct Await<A, F> {
    awaited: A,
    joining: Joining,
    handler: F,
}

impl<A, F> Await<A, F> {
    pub(super) fn new(awaited: A, task: *const Task, handler: F) -> Self {
        let joining = Joining::new(task);
        Self {
            awaited,
            joining,
            handler,
        }
    }
}

impl<'a, R, A, F> Clause<R> for Await<A, F>
where
    A: SelectAwait<'a>,
    F: FnOnce(A::Value) -> Result<R>,
{
    fn has_happened(&self, _here: &Here) -> Result<bool> {
        Ok(Joining::has_completed(self.awaited.awaited().0))
    }

    fn watch(&self, _here: &Here, generation: Generation) -> Watched {
        self.joining.watch(self.awaited.awaited().0, generation)
    }

    fn unwatch(&self, _here: &Here) {
        self.joining.unwatch(self.awaited.awaited().0);
    }

    fn failure(&self) -> Option<Error> {
        let task = self.awaited.awaited().0;
        if task.state().has(FAILED) {
            cancel::outcome(task)
        } else {
            None
        }
    }

    fn finish(self: Box<Self>) -> Result<R> {
        (self.handler)(self.awaited.completed()?)
    }
}

/// `on_timeout`.
pub(super) struct Timeout<F> {
    time: Duration,
    /// Counted from when the clause was first tried.
    deadline: Cell<Option<u64>>,
    timer: Timer,
    handler: F,
}

impl<F> Timeout<F> {
    pub(super) fn new(time: Duration, task: *const Task, handler: F) -> Self {
        Self {
            time,
            deadline: Cell::new(None),
            timer: Timer::new(Waiter::new(task)),
            handler,
        }
    }
}

impl<R, F: FnOnce() -> Result<R>> Clause<R> for Timeout<F> {
    fn has_happened(&self, here: &Here) -> Result<bool> {
        if self.time.is_zero() {
            return Ok(true);
        }
        let now = || Driver::of(here.home()).clock.now();
        Ok(match self.deadline.get() {
            Some(deadline) => now() >= deadline,
            None => {
                // As in `delay`.
                here.tie();
                let now = now();
                self.deadline.set(Some(deadline_after(now, self.time)));
                false
            }
        })
    }

    fn watch(&self, here: &Here, generation: Generation) -> Watched {
        let deadline = self.deadline.get().expect("it was tried before");
        self.timer.waiter.arm(generation);
        // SAFETY: this thread owns its home; the clause stands in place until it has fired, or `unwatch` takes it back.
        unsafe { self.timer.set(here.home(), deadline) };
        Watched::Waits
    }

    fn unwatch(&self, here: &Here) {
        self.timer.cancel(here.home());
    }

    fn finish(self: Box<Self>) -> Result<R> {
        (self.handler)()
    }
}
