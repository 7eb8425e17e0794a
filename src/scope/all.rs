//! Waiting for many jobs at once.

#![forbid(unsafe_code)]

use std::panic::Location;

use crate::error::Result;
use crate::job::state::{FAILED, STARTED};
use crate::scheduler::thread;
use crate::scope::completable::CompletableDeferred;
use crate::scope::deferred::{Deferred, success_of};
use crate::scope::gather::wait_for_all;
use crate::scope::job::Job;

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::Deferred<'_, T> {}
    impl<T> Sealed for &super::Deferred<'_, T> {}
    impl<T> Sealed for super::CompletableDeferred<T> {}
}

/// What [`await_all`] waits for: a [`Deferred`], a reference to one (which gives a reference to the value), or a
/// [`CompletableDeferred`].
pub trait Awaitable: AsRef<Job> + sealed::Sealed {
    /// The value.
    type Output;

    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// Those of `await_`.
    fn wait_for_value(self) -> Result<Self::Output>;
}

impl<T> Awaitable for Deferred<'_, T> {
    type Output = T;

    #[track_caller]
    fn wait_for_value(self) -> Result<T> {
        self.await_()
    }
}

impl<'a, T: Sync> Awaitable for &'a Deferred<'_, T> {
    type Output = &'a T;

    #[track_caller]
    fn wait_for_value(self) -> Result<&'a T> {
        self.await_ref()
    }
}

impl<T: Clone> Awaitable for CompletableDeferred<T> {
    type Output = T;

    #[track_caller]
    fn wait_for_value(self) -> Result<T> {
        self.await_()
    }
}

/// Waits for all values, and gives them in the order of the list. Fails at the first failure, whichever it is; the others are
/// not cancelled by that.
///
/// # Suspension
///
/// While none has failed and not all have completed. On a plain thread it parks the thread.
///
/// # Cancellation
///
/// Returns an `Err` if the waiting coroutine is cancelled; a failure among those that it waits for is the better answer.
///
/// # Errors
///
/// The first failure. If one of them was cancelled, an ordinary error that says so.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let squares = coroutine_scope(|s| {
///     await_all((1..=3).map(|number| s.async_(move |_| Ok(number * number))))
/// })?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn await_all<A: Awaitable>(deferreds: impl IntoIterator<Item = A>) -> Result<Vec<A::Output>> {
    let place = Location::caller();
    let deferreds: Vec<A> = deferreds.into_iter().collect();
    let here = thread::here();
    here.check()?;
    let jobs = || deferreds.iter().map(AsRef::as_ref);
    for job in jobs() {
        if !job.task().state().has(STARTED) {
            job.start();
        }
    }
    if jobs().any(|job| !job.is_completed()) {
        let waited = wait_for_all(&here, &deferreds, place);
        if let Err(cancelled) = waited {
            // As for one that is awaited: the failure that has cancelled us is the better answer.
            let failed = jobs().find(|job| job.is_completed() && job.task().state().has(FAILED));
            return Err(failed
                .and_then(|job| success_of(job.task()).err())
                .unwrap_or(cancelled));
        }
    }
    if let Some(unhappy) = jobs().find(|job| job.is_cancelled()) {
        success_of(unhappy.task())?;
    }
    deferreds.into_iter().map(A::wait_for_value).collect()
}

/// Waits until all jobs have ended, however they ended.
///
/// # Suspension
///
/// While one of them has not completed. On a plain thread it parks the thread.
///
/// # Cancellation
///
/// Returns an `Err` if the waiting coroutine is cancelled; the jobs are not touched by that.
///
/// # Errors
///
/// Only the cancellation of the one who waits.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let jobs = [1, 2, 3].map(|time| s.launch(move |_| delay(ms(time))));
///     join_all(&jobs)?;
///     assert!(jobs.iter().all(|job| job.is_completed()));
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn join_all(jobs: impl IntoIterator<Item = impl AsRef<Job>>) -> Result<()> {
    for job in jobs {
        job.as_ref().join()?;
    }
    Ok(())
}
