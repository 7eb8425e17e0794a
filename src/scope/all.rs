//! Waiting for many jobs at once.

#![forbid(unsafe_code)]

use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::continuation::{self, Continuation};
use crate::error::Result;
use crate::job::state::FAILED;
use crate::scheduler::thread;
use crate::scope::completable::CompletableDeferred;
use crate::scope::deferred::{Deferred, success_of};
use crate::scope::job::Job;
use crate::task::label::Label;
use crate::task::wait::{Here, refuse_in_closed_frames};

static AWAIT_ALL: Label = Label("await_all");

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
    let jobs: Vec<&Job> = deferreds.iter().map(AsRef::as_ref).collect();
    for job in &jobs {
        job.start();
    }
    if jobs.iter().any(|job| !job.is_completed()) {
        let waited = wait_for_all(&here, &jobs, place);
        if let Err(cancelled) = waited {
            // As for one that is awaited: the failure that has cancelled us is the better answer.
            let failed = jobs
                .iter()
                .find(|job| job.is_completed() && job.task().state().has(FAILED));
            return Err(failed
                .and_then(|job| success_of(job.task()).err())
                .unwrap_or(cancelled));
        }
    }
    if let Some(unhappy) = jobs.iter().find(|job| job.is_cancelled()) {
        success_of(unhappy.task())?;
    }
    deferreds.into_iter().map(A::wait_for_value).collect()
}

/// What the handlers of one wait share.
struct Countdown {
    left: AtomicUsize,
    continuation: Mutex<Option<Continuation<Option<usize>>>>,
}

impl Countdown {
    fn wake(&self, first_unhappy: Option<usize>) {
        let mut slot = self
            .continuation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let continuation = slot.take();
        drop(slot);
        if let Some(continuation) = continuation {
            continuation.resume(first_unhappy);
        }
    }
}

/// Waits until all have succeeded, or one has not; then its error is returned.
#[track_caller]
fn wait_for_all(here: &Here, jobs: &[&Job], place: &'static Location<'static>) -> Result<()> {
    refuse_in_closed_frames()?;
    here.mark(&AWAIT_ALL, place);
    let mut handlers = Vec::with_capacity(jobs.len());
    let first_unhappy = continuation::suspend(here, true, |continuation| {
        let countdown = Arc::new(Countdown {
            left: AtomicUsize::new(jobs.len()),
            continuation: Mutex::new(Some(continuation)),
        });
        for (at, job) in jobs.iter().enumerate() {
            let countdown = countdown.clone();
            handlers.push(job.invoke_on_completion(move |cause| {
                // ORDERING: the last to count down has seen all the others complete.
                let last = countdown.left.fetch_sub(1, Ordering::AcqRel) == 1;
                if cause.is_some() {
                    countdown.wake(Some(at));
                } else if last {
                    countdown.wake(None);
                }
            }));
        }
        Ok(())
    });
    for handler in handlers {
        handler.dispose();
    }
    if let Some(at) = first_unhappy? {
        success_of(jobs[at].task())?;
    }
    here.check()
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
