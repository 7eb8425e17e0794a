//! What the two ends of a channel share: the protocol, the number of handles, the user's callbacks.
//!
//! The callbacks run after the lock was released, in a frame that must not suspend; a panic in one is reported.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::Error;
use crate::scope::job::Job;
use crate::sync::channel::capacity::Capacity;
use crate::sync::channel::core::{Core, Overflow};
use crate::sync::park::Claimed;
use crate::task::{Handler, Task, current, report};

/// What an end does with an element that the channel has taken and nobody will receive.
pub(super) type Undelivered<T> = Box<dyn Fn(T) + Send + Sync>;

pub(in crate::sync) struct Hub<T> {
    pub(in crate::sync) core: Core<Task, T, Error>,
    pub(super) capacity: Capacity,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    undelivered: Option<Undelivered<T>>,
    /// The coroutine that is cancelled with the channel.
    pub(super) producer: OnceLock<Job>,
    /// Called at the end; taken, once the end has come.
    handlers: Mutex<Option<Vec<Handler>>>,
}

impl<T> Hub<T> {
    /// With one handle at each end.
    pub(super) fn new(capacity: Capacity, undelivered: Option<Undelivered<T>>) -> Self {
        Self {
            core: Core::new(capacity.limit, capacity.overflow),
            capacity,
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
            undelivered,
            producer: OnceLock::new(),
            handlers: Mutex::new(Some(Vec::new())),
        }
    }

    pub(super) fn add_sender(&self) {
        // ORDERING: relaxed, as for every counted pointer: a handle is made from a handle.
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_receiver(&self) {
        // ORDERING: as above.
        self.receivers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn drop_sender(&self) {
        // ORDERING: the close comes after all that was sent, since it takes the lock after the other handles' last use.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close(None);
        }
    }

    pub(super) fn drop_receiver(&self) {
        // ORDERING: as above.
        if self.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.cancel(None);
        }
    }

    /// Closes the channel for sending. True for the call that did it.
    pub(super) fn close(&self, cause: Option<Error>) -> bool {
        let cause = cause.map(crossing);
        let claimed = Claimed::new();
        let closed = self.core.lock().close(cause.clone(), |task| {
            // SAFETY: claimed just now.
            unsafe { claimed.add(task) };
        });
        claimed.hand_back();
        if closed.is_ok() {
            self.run_handlers(cause.as_ref());
        }
        closed.is_ok()
    }

    /// Ends the channel for both sides, and drops what is in it.
    pub(super) fn cancel(&self, mut cause: Option<Error>) {
        if let Some(producer) = self.producer.get() {
            // First, so that what it meets is its own cancellation, wherever it is.
            let cause =
                cause.get_or_insert_with(|| Error::cancelled_with("nobody receives any more"));
            producer.cancel_because(cause.clone());
        }
        let claimed = Claimed::new();
        let (rest, _unused) = self.core.lock().cancel(cause.clone(), |task| {
            // SAFETY: claimed just now.
            unsafe { claimed.add(task) };
        });
        claimed.hand_back();
        if rest.is_first {
            self.run_handlers(cause.as_ref());
        }
        for element in rest.elements.into_iter().flatten() {
            self.lose(element);
        }
    }

    /// An element that the channel has taken is not delivered.
    pub(in crate::sync) fn lose(&self, element: T) {
        match &self.undelivered {
            None => drop(element),
            Some(undelivered) => {
                if let Err(panic) = current::closed(|| undelivered(element)) {
                    report::handler_panicked("a handler of undelivered elements", panic);
                }
            }
        }
    }

    /// Gives the buffer more memory.
    #[cold]
    pub(in crate::sync) fn grow(&self, capacity: usize) {
        let memory = VecDeque::with_capacity(capacity);
        let _old = self.core.lock().grow(memory);
    }

    fn handlers(&self) -> MutexGuard<'_, Option<Vec<Handler>>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn invoke_on_close(&self, handler: Handler) {
        let late = match &mut *self.handlers() {
            Some(handlers) => {
                handlers.push(handler);
                None
            }
            None => Some(handler),
        };
        if let Some(handler) = late {
            let end = self.core.lock().end();
            call(handler, end.flatten().as_ref());
        }
    }

    /// After the end: a handler that is registered from now on finds that it is too late.
    fn run_handlers(&self, cause: Option<&Error>) {
        let handlers = self.handlers().take();
        for handler in handlers.into_iter().flatten() {
            call(handler, cause);
        }
    }
}

fn call(handler: Handler, cause: Option<&Error>) {
    if let Err(panic) = current::closed(|| handler(cause)) {
        report::handler_panicked("a handler of a channel's end", panic);
    }
}

/// A cause on its way to the other end. The cancellation of a particular coroutine is nobody else's: there it is an
/// ordinary failure. One that names no coroutine stays what it is.
fn crossing(cause: Error) -> Error {
    match cause.cancellation().and_then(|cancelled| cancelled.owner()) {
        None => cause,
        Some(owner) => {
            let job = format!("#{owner} at the other end of a channel");
            Error::foreign_cancellation(job, cause)
        }
    }
}

impl<T> fmt::Debug for Hub<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Capacity { limit, overflow } = self.capacity;
        let (len, is_closed) = {
            let locked = self.core.lock();
            (locked.len(), locked.is_closed_for_send())
        };
        match (limit, overflow) {
            (0, _) => f.write_str("rendezvous")?,
            (usize::MAX, _) => write!(f, "{len} elements, unlimited")?,
            (_, Overflow::Suspend) => write!(f, "{len} of {limit} elements")?,
            (_, Overflow::DropOldest) => write!(f, "{len} of {limit} elements, drops the oldest")?,
            (_, Overflow::DropLatest) => write!(f, "{len} of {limit} elements, drops the latest")?,
        }
        if is_closed {
            f.write_str(", closed")?;
        }
        Ok(())
    }
}
