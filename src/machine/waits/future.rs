//! A future of the standard library.

use std::cell::UnsafeCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::machine::turn::IntoSlot;
use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::task::wait::Here;
use crate::task::waking::Waking;
use crate::task::word::{Generation, Withdrawal, Woken};
use crate::task::{Task, current};

/// [`At::future`](crate::machine::At::future).
pub(in crate::machine) struct FutureWait<M, F: Future> {
    waking: Arc<Waking>,
    /// Polled in place, and dropped there with the leaf. Only the thread that runs the turn comes to it.
    future: UnsafeCell<F>,
    into: IntoSlot<M, F::Output>,
}

impl<M, F: Future> FutureWait<M, F> {
    pub(in crate::machine) fn new(
        task: *const Task,
        future: F,
        into: IntoSlot<M, F::Output>,
    ) -> Self {
        Self {
            // SAFETY: the running task.
            waking: Waking::new(unsafe { &*task }),
            future: UnsafeCell::new(future),
            into,
        }
    }

    /// Polls it once.
    fn poll(self: Pin<&Self>) -> std::thread::Result<Poll<F::Output>> {
        let waker = self.waking.waker();
        self.waking.begin();
        // SAFETY: it stands in its leaf, in a box, until it is dropped; nobody else comes to it.
        let future = unsafe { Pin::new_unchecked(&mut *self.future.get()) };
        current::closed(|| future.poll(&mut Context::from_waker(&waker)))
    }

    /// It is pending. Woken while it was polled it is polled again, and the others have their turn before: it may do that each
    /// time.
    fn park(&self, here: &Here, generation: Generation) -> Begun {
        here.publish(generation, true);
        if self.waking.park(generation)
            || here.task().word.withdraw(generation) == Withdrawal::Claimed
        {
            Begun::Waits(generation)
        } else {
            Begun::Yields
        }
    }
}

impl<M, F: Future> Wait for FutureWait<M, F> {
    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun {
        let answer = match here.check() {
            Err(error) => Err(error),
            Ok(()) => match self.poll() {
                Err(panic) => return Begun::Done(Err(panic)),
                Ok(Poll::Ready(value)) => Ok(value),
                Ok(Poll::Pending) => match here.prepare() {
                    Err(error) => Err(error),
                    Ok(generation) => return self.park(here, generation),
                },
            },
        };
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        Begun::Done(unsafe { caller.tell::<M, _>(self.into, answer) })
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, caller: Caller) -> Option<Delivered> {
        if woken == Woken::Value && !here.is_cancelled() {
            return None;
        }
        let answer: Result<F::Output, Error> = Err(here.cancelled());
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        Some(unsafe { caller.tell::<M, _>(self.into, answer) })
    }
}
