//! The handle of a coroutine that gives a value.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::job::state::{FAILED, SUCCEEDED};
use crate::scheduler::thread;
use crate::scope::job::{Job, wait_for};
use crate::task::label::Label;
use crate::task::word::Woken;
use crate::task::{HANDLE_GONE, Task, TaskRef, VALUE_READY, VALUE_TAKEN, cancel};

static AWAIT: Label = Label("await");

/// A value that a coroutine is working on: the handle that [`Scope::async_`](crate::Scope::async_) gives.
///
/// Bound to its scope: it cannot leave it, and what the value borrows outlives it. Dropping it does not cancel the
/// coroutine; the value is dropped when it comes.
#[must_use = "a value that nobody awaits; to start something without a value, use `launch`"]
pub struct Deferred<'scope, T> {
    task: TaskRef,
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
            task,
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
        self.wait(Location::caller())?;
        self.task
            .value
            .fetch_or(HANDLE_GONE | VALUE_TAKEN, Ordering::AcqRel);
        // SAFETY: the coroutine succeeded, so its value was stored; this handle is the only one, and gone after this.
        Ok(unsafe { crate::task::cell::take_value(&self.task) })
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
        self.wait(Location::caller())?;
        // SAFETY: the coroutine succeeded, so its value was stored, and stays until this handle is gone.
        Ok(unsafe { &*crate::task::cell::peek_value(&self.task) })
    }

    fn wait(&self, place: &'static Location<'static>) -> Result<()> {
        let here = thread::here();
        here.check()?;
        let woken = wait_for(&here, &self.task, true, &AWAIT, place)?;
        let state = self.task.state();
        if state.has(FAILED) {
            // Even if the failure has cancelled us too: it is the better answer.
            if let Some(failure) = cancel::outcome(&self.task) {
                return Err(failure);
            }
        }
        if woken == Woken::Cancelled || here.is_cancelled() {
            return Err(here.cancelled());
        }
        if state.has(SUCCEEDED) {
            Ok(())
        } else {
            Err(foreign(&self.task))
        }
    }

    /// The job of the coroutine.
    pub fn job(&self) -> Job {
        Job::new(self.task.clone())
    }

    /// Cancels the coroutine, as [`Job::cancel`] does.
    pub fn cancel(&self) {
        self.job().cancel();
    }

    /// Whether the coroutine is neither cancelled nor complete.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.task.state().is_active()
    }
}

/// The error of one who awaited somebody else's job that was cancelled.
fn foreign(task: &Task) -> Error {
    let cause = cancel::outcome(task).unwrap_or_else(Error::cancelled);
    Error::foreign_cancellation(format!("{task:?}"), cause)
}

impl<T> Drop for Deferred<'_, T> {
    fn drop(&mut self) {
        // ORDERING: acquire for the value, release for what was done through this handle.
        let old = self.task.value.fetch_or(HANDLE_GONE, Ordering::AcqRel);
        if old & VALUE_READY != 0 && old & VALUE_TAKEN == 0 {
            // SAFETY: stored, and left to us.
            unsafe { (self.task.vtable.drop_value)(&self.task) };
        }
    }
}

impl<T> fmt::Debug for Deferred<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.job()).finish()
    }
}
