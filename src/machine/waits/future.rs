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
use crate::task::word::{Withdrawal, Woken};
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
}

impl<M, F: Future> Wait for FutureWait<M, F> {
    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun {
        let waker = self.waking.waker();
        loop {
            self.waking.begin();
            // SAFETY: it stands in its leaf, in a box, until it is dropped; nobody else comes to it.
            let future = unsafe { Pin::new_unchecked(&mut *self.future.get()) };
            let polled = current::closed(|| future.poll(&mut Context::from_waker(&waker)));
            let answer = match polled {
                Err(panic) => return Begun::Done(Err(panic)),
                Ok(Poll::Ready(value)) => Ok(value),
                Ok(Poll::Pending) => match here.prepare() {
                    Err(error) => Err(error),
                    Ok(generation) => {
                        here.publish(generation, true);
                        if self.waking.park(generation)
                            || here.task().word.withdraw(generation) == Withdrawal::Claimed
                        {
                            return Begun::Waits(generation);
                        }
                        continue;
                    }
                },
            };
            // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
            return Begun::Done(unsafe { caller.tell::<M, _>(self.into, answer) });
        }
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
