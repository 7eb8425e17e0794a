//! A value without a coroutine: whoever has it first completes it.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::scope::by_hand::{CompletableJob, bare};
use crate::scope::deferred::{success_of, wait_for_success};
use crate::scope::job::Job;

/// A value that somebody will bring, once: by [`complete`](CompletableDeferred::complete), not by a coroutine's end. Many may
/// wait for it, coroutines and threads.
///
/// A handle that may be cloned; it derefs to its [`Job`], and cancelling that ends the wait of all.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let answer = CompletableDeferred::new();
/// let sum = run_blocking(|s| {
///     let first = s.async_(|_| answer.await_());
///     let second = s.async_(|_| answer.await_());
///     assert!(answer.complete(21));
///     assert!(!answer.complete(0));
///     Ok(first.await_()? + second.await_()?)
/// })?;
/// assert_eq!(sum, 42);
/// # Ok(())
/// # }
/// ```
pub struct CompletableDeferred<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    job: CompletableJob,
    /// Set before the job is completed; meant only if the job has succeeded.
    value: OnceLock<T>,
}

impl<T> CompletableDeferred<T> {
    /// A value that nobody has brought yet, without a parent.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::of(bare(0, None))
    }

    /// The same as a child of `parent`, which waits for it, cancels it with itself, and is cancelled by its failure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    #[track_caller]
    pub fn with_parent(parent: &Job) -> Self {
        Self::of(bare(0, Some(parent)))
    }

    fn of(job: CompletableJob) -> Self {
        Self {
            inner: Arc::new(Inner {
                job,
                value: OnceLock::new(),
            }),
        }
    }

    /// Brings the value. True for the call that did it; false, and the value is dropped, if there was an outcome before.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn complete(&self, value: T) -> bool {
        if !self.inner.job.is_active() {
            return false;
        }
        // If a cancellation comes between the two, it wins, and nobody looks at the value.
        self.inner.value.set(value).is_ok() && self.inner.job.complete()
    }

    /// Brings a failure instead, or with a cancellation cancels it. True for the call that did it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn complete_exceptionally(&self, error: impl Into<Error>) -> bool {
        self.inner.job.complete_exceptionally(error)
    }

    /// Waits for the value and gives a clone of it.
    ///
    /// # Suspension
    ///
    /// While there is no outcome. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the waiting coroutine is cancelled.
    ///
    /// # Errors
    ///
    /// The failure that it was completed with. If it was cancelled, an ordinary error that says so.
    #[track_caller]
    pub fn await_(&self) -> Result<T>
    where
        T: Clone,
    {
        self.await_ref().cloned()
    }

    /// Waits for the value and lends it.
    ///
    /// # Suspension
    ///
    /// As for [`await_`](CompletableDeferred::await_).
    ///
    /// # Cancellation
    ///
    /// As for [`await_`](CompletableDeferred::await_).
    ///
    /// # Errors
    ///
    /// As for [`await_`](CompletableDeferred::await_).
    #[track_caller]
    pub fn await_ref(&self) -> Result<&T> {
        wait_for_success(self.inner.job.task(), Location::caller())?;
        Ok(self.value())
    }

    /// The outcome, if there is one.
    ///
    /// # Suspension
    ///
    /// Never suspends, and never checks for cancellation.
    ///
    /// # Errors
    ///
    /// As for [`await_`](CompletableDeferred::await_), save the cancellation of the caller.
    pub fn get_completed(&self) -> Option<Result<&T>> {
        let task = self.inner.job.task();
        task.state()
            .is_completed()
            .then(|| success_of(task).map(|()| self.value()))
    }

    /// The value of one that has succeeded.
    pub(crate) fn value(&self) -> &T {
        self.inner
            .value
            .get()
            .expect("the value is stored before the job is completed")
    }

    /// The job.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn job(&self) -> Job {
        Job::clone(&self.inner.job)
    }
}

impl<T> Default for CompletableDeferred<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for CompletableDeferred<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<T> Deref for CompletableDeferred<T> {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.inner.job
    }
}

impl<T> AsRef<Job> for CompletableDeferred<T> {
    fn as_ref(&self) -> &Job {
        self
    }
}

impl<T> fmt::Debug for CompletableDeferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CompletableDeferred")
            .field(&self.inner.job)
            .finish()
    }
}
