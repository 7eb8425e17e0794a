//! Whatever a callback brings.

use std::cell::Cell;
use std::pin::Pin;

use crate::continuation::{Arranged, Continuation, Failure, Place};
use crate::error::Result;
use crate::machine::turn::IntoSlot;
use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::task::current;
use crate::task::wait::Here;
use crate::task::word::Woken;

/// [`At::suspend`](crate::machine::At::suspend).
pub(in crate::machine) struct Suspend<M, T, F> {
    place: Place<T>,
    block: Cell<Option<F>>,
    into: IntoSlot<M, T>,
}

impl<M, T, F> Suspend<M, T, F> {
    pub(in crate::machine) fn new(block: F, into: IntoSlot<M, T>) -> Self {
        Self {
            place: Place::new(),
            block: Cell::new(Some(block)),
            into,
        }
    }
}

impl<M, T, F> Suspend<M, T, F> {
    fn tell(&self, answer: std::result::Result<Result<T>, Failure>, caller: Caller) -> Delivered {
        let answer = match answer {
            Ok(answer) => answer,
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Panic(panic)) => return Err(panic),
        };
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        unsafe { caller.tell::<M, _>(self.into, answer) }
    }
}

impl<M, T, F> Wait for Suspend<M, T, F>
where
    F: FnOnce(Continuation<T>) -> Result<()>,
{
    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun {
        let block = self.block.take().expect("a suspension begins once");
        // The panic of the block is one of the machine, met when the suspension has been taken back.
        let block = |continuation| match current::closed(|| block(continuation)) {
            Ok(arranged) => arranged.map_err(Failure::Error),
            Err(panic) => Err(Failure::Panic(panic)),
        };
        // SAFETY: the leaf stands until the wait has ended.
        match unsafe { self.place.arrange(here, block) } {
            Arranged::Waits(generation) => Begun::Waits(generation),
            Arranged::Failed(failure) => Begun::Done(self.tell(Err(failure), caller)),
        }
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, caller: Caller) -> Option<Delivered> {
        Some(self.tell(self.place.settle(here, woken), caller))
    }
}
