//! The handle of a coroutine that gives a value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::job::state::{COMPLETED, FAILED, SUCCEEDED};
use crate::scheduler::thread;
use crate::scope::job::{Job, wait_for};
use crate::task::cell::{peek_value, take_value};
use crate::task::label::Label;
use crate::task::wait::Here;
use crate::task::word::Woken;
use crate::task::{HANDLE_GONE, Task, TaskRef, VALUE_TAKEN, cancel};

static AWAIT: Label = Label("await");

/// A value that a coroutine is working on: the handle that [`Scope::async_`](crate::Scope::async_) gives.
///
/// Bound to its scope: it cannot leave it, and what the value borrows outlives it. Dropping it does not cancel the
/// coroutine; the value is dropped when it comes. It derefs to its [`Job`].
#[must_use = "a value that nobody awaits; to start something without a value, use `launch`"]
pub struct Deferred<'scope, T> {
    job: Job,
    // Invariant in both: the destructor may drop a `T`, which may borrow for as long as `'scope`.
    scope: PhantomData<&'scope mut &'scope ()>,
    value: PhantomData<*mut T>,
}

// SAFETY: the handle moves the value to whoever awaits it; everything else in it is a counted task.
unsafe impl<T: Send> Send for Deferred<'_, T> {}
// SAFETY: through a shared reference the value is only lent out if it is `Sync`.
unsafe impl<T: Send> Sync for Deferred<'_, T> {}

impl<T> Deferred<'_, T> {
    /// # Safety
    ///
    /// The task's result is a `T`, and this becomes its one handle.
    pub(crate) unsafe fn new(task: TaskRef) -> Self {
        Self {
            job: Job::new(task),
            scope: PhantomData,
            value: PhantomData,
        }
    }

    /// Waits for the value.
    ///
    /// # Suspension
    ///
    /// While the coroutine has not completed. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the waiting coroutine is cancelled; the awaited coroutine is not touched by that. If the awaited
    /// one has failed, its failure is returned even if that failure has cancelled the one who waits.
    ///
    /// # Errors
    ///
    /// The coroutine's failure. If it was cancelled, an ordinary error that says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let length = coroutine_scope(|s| {
    ///     let text = s.async_(|_| Ok(String::from("four")));
    ///     Ok(text.await_()?.len())
    /// })?;
    /// assert_eq!(length, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn await_(self) -> Result<T> {
        let task = self.job.task();
        wait_for_success(task, Location::caller())?;
        // SAFETY: the coroutine succeeded, and this handle is the only one.
        unsafe { self.into_value() }
    }

    /// Moves the value out of a coroutine that has completed, or tells its failure. A second time is an error.
    pub(crate) fn take_completed(&mut self) -> Result<T> {
        let task = self.job.task();
        success_of(task)?;
        // ORDERING: relaxed, since only this handle looks at the bit.
        if task.value.fetch_or(VALUE_TAKEN, Ordering::Relaxed) & VALUE_TAKEN != 0 {
            return Err(taken());
        }
        // SAFETY: the coroutine succeeded, so its value was stored; the bit was not set before.
        Ok(unsafe { take_value(task) })
    }

    /// Moves the value out, unless a `select` has done that before.
    ///
    /// # Safety
    ///
    /// The coroutine has succeeded.
    unsafe fn into_value(self) -> Result<T> {
        still_there(self.job.task())?;
        let job = self.into_job();
        // SAFETY: it was stored and not moved out; this was the one handle, which is gone and drops nothing.
        Ok(unsafe { take_value(job.task()) })
    }

    /// What is left of the handle; the value belongs to the caller.
    fn into_job(self) -> Job {
        let handle = std::mem::ManuallyDrop::new(self);
        // SAFETY: moved out of a handle that is not dropped.
        unsafe { std::ptr::read(&raw const handle.job) }
    }

    /// Waits for the value and lends it.
    ///
    /// # Suspension
    ///
    /// As for [`await_`](Deferred::await_).
    ///
    /// # Cancellation
    ///
    /// As for [`await_`](Deferred::await_).
    ///
    /// # Errors
    ///
    /// As for [`await_`](Deferred::await_).
    #[track_caller]
    pub fn await_ref(&self) -> Result<&T>
    where
        T: Sync,
    {
        wait_for_success(self.job.task(), Location::caller())?;
        still_there(self.job.task())?;
        // SAFETY: the coroutine succeeded, so its value was stored, and stays until this handle is gone.
        Ok(unsafe { &*peek_value(self.job.task()) })
    }

    /// What the coroutine has ended with, if it has.
    ///
    /// # Suspension
    ///
    /// Never suspends, and never checks for cancellation.
    ///
    /// # Errors
    ///
    /// As for [`await_`](Deferred::await_), save the cancellation of the caller.
    pub fn get_completed(&self) -> Option<Result<&T>>
    where
        T: Sync,
    {
        let task = self.job.task();
        task.state().is_completed().then(|| {
            success_of(task)?;
            still_there(task)?;
            // SAFETY: as in `await_ref`.
            Ok(unsafe { &*peek_value(task) })
        })
    }

    /// The same handle without the time of the scope.
    ///
    /// # Safety
    ///
    /// The value is not used, or dropped, when what it borrows has ended.
    pub(crate) unsafe fn detached(self) -> Deferred<'static, T> {
        Deferred {
            job: self.into_job(),
            scope: PhantomData,
            value: PhantomData,
        }
    }

    /// The job of the coroutine.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn job(&self) -> Job {
        self.job.clone()
    }
}

/// Tells whoever will complete the job that nobody wants its value. False if the job has completed.
fn leave(task: &Task) -> bool {
    let _guard = task.job.lock();
    if task.state().has(COMPLETED) {
        return false;
    }
    // ORDERING: relaxed, since whoever completes the job holds the lock.
    task.value.fetch_or(HANDLE_GONE, Ordering::Relaxed);
    true
}

/// A `select` may have taken the value and left the handle.
fn still_there(task: &Task) -> Result<()> {
    if is_taken(task) { Err(taken()) } else { Ok(()) }
}

fn is_taken(task: &Task) -> bool {
    // ORDERING: relaxed, since only a `&mut` to the handle sets the bit.
    task.value.load(Ordering::Relaxed) & VALUE_TAKEN != 0
}

#[cold]
fn taken() -> Error {
    Error::msg("the value that is awaited was taken before, by a `select`")
}

/// Waits until a job has succeeded: what `await_` does before it takes the value.
#[track_caller]
pub(crate) fn wait_for_success(task: &Task, place: &'static Location<'static>) -> Result<()> {
    let here = thread::here();
    here.check()?;
    let woken = wait_for(&here, task, true, &AWAIT, place)?;
    judge_wait(&here, task, woken)
}

/// What a wait for the success of a job has come to.
#[track_caller]
pub(crate) fn judge_wait(here: &Here, task: &Task, woken: Woken) -> Result<()> {
    let state = task.state();
    if state.has(FAILED) {
        // Even if the failure has cancelled us too: it is the better answer.
        if let Some(failure) = cancel::outcome(task) {
            return Err(failure);
        }
    }
    if woken == Woken::Cancelled || here.is_cancelled() {
        return Err(here.cancelled());
    }
    success_of(task)
}

/// How a completed job looks to one who wanted its value.
pub(crate) fn success_of(task: &Task) -> Result<()> {
    let state = task.state();
    if state.has(SUCCEEDED) {
        Ok(())
    } else if state.has(FAILED) {
        Err(cancel::outcome(task).unwrap_or_else(|| foreign(task)))
    } else {
        Err(foreign(task))
    }
}

/// The error of one who awaited somebody else's job that was cancelled.
fn foreign(task: &Task) -> Error {
    let cause = cancel::outcome(task).unwrap_or_else(Error::cancelled);
    Error::foreign_cancellation(format!("{task:?}"), cause)
}

impl<T> Drop for Deferred<'_, T> {
    fn drop(&mut self) {
        let task = self.job.task();
        if !task.state().has(COMPLETED) && leave(task) {
            return;
        }
        if task.state().has(SUCCEEDED) && !is_taken(task) {
            // SAFETY: stored, and left to us: nobody had said that this handle is gone when the job completed.
            unsafe { (task.vtable.drop_value)(task) };
        }
    }
}

impl<T> Deref for Deferred<'_, T> {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

impl<T> AsRef<Job> for Deferred<'_, T> {
    fn as_ref(&self) -> &Job {
        &self.job
    }
}

impl<T> fmt::Debug for Deferred<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.job).finish()
    }
}
