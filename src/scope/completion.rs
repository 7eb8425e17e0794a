//! Handlers that are called when a job ends, or begins to.

use crate::error::Error;
use crate::job::state::{CANCELLING, COMPLETED};
use crate::scope::job::Job;
use crate::task::{Handler, Registered, cancel, finish};

impl Job {
    /// Calls `handler` when the job has completed, with the failure or the cancellation if it did not succeed; at once if
    /// it has completed already. Handlers are called in the order in which they were registered, before those wake who
    /// have joined the job.
    ///
    /// The handler runs on the thread that completes the job. It must not suspend and should be quick; a panic in it is
    /// reported and goes no further.
    ///
    /// Dropping the returned handle does nothing; [`dispose`](CompletionHandle::dispose) takes the handler back.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::sync::Arc;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let told = Arc::new(AtomicBool::new(false));
    /// run_blocking(|s| {
    ///     let job = s.launch(|_| delay(ms(1)));
    ///     let tell = told.clone();
    ///     job.invoke_on_completion(move |cause| tell.store(cause.is_none(), Ordering::Release));
    ///     job.join()
    /// })?;
    /// assert!(told.load(Ordering::Acquire));
    /// # Ok(())
    /// # }
    /// ```
    pub fn invoke_on_completion(
        &self,
        handler: impl FnOnce(Option<&Error>) + Send + 'static,
    ) -> CompletionHandle {
        self.register(false, Box::new(handler))
    }

    /// As [`invoke_on_completion`](Job::invoke_on_completion), but the handler is called already when the job begins to be
    /// cancelled or fails, on the thread that does it and before the cancelled coroutines run. At once if that has
    /// happened already; with `None` when the job completes without.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn invoke_on_cancelling(
        &self,
        handler: impl FnOnce(Option<&Error>) + Send + 'static,
    ) -> CompletionHandle {
        self.register(true, Box::new(handler))
    }

    pub(crate) fn register(&self, on_cancelling: bool, handler: Handler) -> CompletionHandle {
        let mut handler = Some(handler);
        let task = self.task();
        let number = task.with_extras(|extras| {
            let too_late = if on_cancelling {
                COMPLETED | CANCELLING
            } else {
                COMPLETED
            };
            if task.state().has(too_late) {
                return None;
            }
            let number = extras.next_handler;
            extras.next_handler += 1;
            extras
                .handlers
                .extend(handler.take().map(|handler| Registered {
                    number,
                    on_cancelling,
                    handler,
                }));
            Some(number)
        });
        if let Some(handler) = handler {
            finish::run_handler(handler, cancel::outcome(task).as_ref());
        }
        CompletionHandle {
            job: self.clone(),
            number,
        }
    }
}

/// Takes a completion handler back.
#[derive(Debug)]
pub struct CompletionHandle {
    job: Job,
    number: Option<u64>,
}

impl CompletionHandle {
    /// The handler will not be called, unless it was already.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn dispose(self) {
        let Some(number) = self.number else { return };
        let taken = self.job.task().with_extras(|extras| {
            let handlers = &mut extras.handlers;
            let at = handlers.iter().position(|other| other.number == number)?;
            Some(handlers.remove(at))
        });
        // Outside the lock: it is the user's.
        drop(taken);
    }
}
