//! Jobs and values as futures.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::Result;
use crate::scope::completion::CompletionHandle;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;

/// Wakes a future when a job has completed.
#[derive(Debug, Default)]
struct Completion {
    waker: Arc<Mutex<Option<Waker>>>,
    handle: Option<CompletionHandle>,
}

impl Completion {
    /// Whether the job has completed; if not, the waker is woken then.
    fn poll(&mut self, job: &Job, context: &Context<'_>) -> bool {
        if job.is_completed() {
            return true;
        }
        let waker = context.waker().clone();
        let old = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(waker);
        drop(old);
        if self.handle.is_none() {
            job.start();
            let waker = self.waker.clone();
            self.handle = Some(job.invoke_on_completion(move |_| {
                let waker = waker.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }));
        }
        // The handlers are called when it has completed, at once if it had by then.
        job.is_completed()
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.dispose();
        }
    }
}

/// A [`Job`] that `async` code awaits. Made by `.await` on a job.
///
/// It is ready when the job has completed, however it has ended. Dropping it cancels nothing.
#[must_use = "a future does nothing before it is awaited"]
pub struct JobFuture {
    job: Job,
    completion: Completion,
}

impl Future for JobFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.completion.poll(&this.job, context) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl IntoFuture for Job {
    type Output = ();
    type IntoFuture = JobFuture;

    /// Waits for the completion of the job in `async` code of any runtime. A New one is started.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::future::block_on;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let job = GlobalScope.launch(|_| delay(ms(1)));
    /// block_on(async move {
    ///     job.clone().await;
    ///     assert!(job.is_completed());
    /// })
    /// # }
    /// ```
    fn into_future(self) -> JobFuture {
        JobFuture {
            job: self,
            completion: Completion::default(),
        }
    }
}

impl fmt::Debug for JobFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobFuture").field(&self.job).finish()
    }
}

/// A [`Deferred`] that `async` code awaits. Made by `.await` on a deferred.
///
/// Dropping it cancels nothing; the value is dropped when it comes.
#[must_use = "a future does nothing before it is awaited"]
pub struct DeferredFuture<'scope, T> {
    /// Taken when it is ready.
    deferred: Option<Deferred<'scope, T>>,
    completion: Completion,
}

impl<T> Future for DeferredFuture<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let job = this
            .deferred
            .as_ref()
            .expect("a future is not polled after it was ready")
            .job();
        if !this.completion.poll(&job, context) {
            return Poll::Pending;
        }
        let mut deferred = this.deferred.take().expect("looked at just now");
        Poll::Ready(deferred.take_completed())
    }
}

impl<'scope, T> IntoFuture for Deferred<'scope, T> {
    type Output = Result<T>;
    type IntoFuture = DeferredFuture<'scope, T>;

    /// Waits for the value in `async` code of any runtime. A New coroutine is started.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::future::block_on;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let value = GlobalScope.async_(|_| Ok(7));
    /// assert_eq!(block_on(async move { value.await })??, 7);
    /// # Ok(())
    /// # }
    /// ```
    fn into_future(self) -> DeferredFuture<'scope, T> {
        DeferredFuture {
            deferred: Some(self),
            completion: Completion::default(),
        }
    }
}

impl<T> fmt::Debug for DeferredFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeferredFuture")
            .field(&self.deferred)
            .finish()
    }
}
