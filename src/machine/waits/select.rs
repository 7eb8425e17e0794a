//! The first of several things, and the channel operations, which are a select with one clause.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;

use crate::machine::turn::IntoSlot;
use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::sync::Select;
use crate::sync::select::parked::{Ended, Selecting, Started};
use crate::task::wait::Here;
use crate::task::word::Woken;

/// Where the answer of a select goes.
pub(in crate::machine) trait Target<R> {
    /// Delivers it.
    fn tell(&self, caller: Caller, ended: Ended<R>) -> Delivered;
}

/// A slot of the machine.
pub(in crate::machine) struct InSlot<M, R>(pub(in crate::machine) IntoSlot<M, R>);

impl<M, R> Target<R> for InSlot<M, R> {
    fn tell(&self, caller: Caller, ended: Ended<R>) -> Delivered {
        // SAFETY: the slot is one of an `M`, and so is the machine that has asked for this wait.
        unsafe { caller.tell::<M, R>(self.0, ended?) }
    }
}

/// What [`Turn::woken`](crate::machine::Turn::woken) tells.
#[derive(Debug)]
pub(in crate::machine) struct InWoken;

impl Target<()> for InWoken {
    fn tell(&self, _caller: Caller, ended: Ended<()>) -> Delivered {
        ended
    }
}

/// A select that owns what its clauses borrow.
///
/// `BOUND` says that the clauses may hold what is not `Send`, or watch something of their thread: they are written where
/// the wait begins, and stay there until it has ended.
pub(in crate::machine) struct Selects<'o, O, B, R, G, const BOUND: bool> {
    // Before what it borrows, so that it is dropped before.
    selecting: Cell<Option<Selecting<'o, R>>>,
    build: Cell<Option<B>>,
    owned: Box<O>,
    target: G,
    place: &'static Location<'static>,
    answer: PhantomData<R>,
}

impl<'o, O, B, R, G, const BOUND: bool> Selects<'o, O, B, R, G, BOUND> {
    pub(in crate::machine) fn new(
        owned: O,
        build: B,
        target: G,
        place: &'static Location<'static>,
    ) -> Self {
        Self {
            selecting: Cell::new(None),
            build: Cell::new(Some(build)),
            owned: Box::new(owned),
            target,
            place,
            answer: PhantomData,
        }
    }

    fn selecting(&self) -> Option<&Selecting<'o, R>> {
        // SAFETY: set once, by the thread that runs the turn, before it is looked at; never moved after.
        unsafe { (*self.selecting.as_ptr()).as_ref() }
    }
}

impl<'o, O: 'o, B, R, G, const BOUND: bool> Wait for Selects<'o, O, B, R, G, BOUND>
where
    B: for<'a> FnOnce(&'a O, &mut Select<'a, R>),
    G: Target<R>,
{
    const BOUND: bool = BOUND;

    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun {
        if let Some(build) = self.build.take() {
            // SAFETY: what is borrowed stands in its box until the clauses are gone, and the closure, which knows nothing of
            // this time, cannot have it last longer.
            let owned: &'o O = unsafe { &*std::ptr::from_ref(&*self.owned) };
            match Selecting::new(here, self.place, |select| build(owned, select)) {
                Ok(Ok(selecting)) => self.selecting.set(Some(selecting)),
                Ok(Err(error)) => return Begun::Done(self.target.tell(caller, Ok(Err(error)))),
                Err(panic) => return Begun::Done(Err(panic)),
            }
        }
        let selecting = self.selecting().expect("written just now, or before");
        match selecting.begin(here) {
            Started::Waits(generation) => Begun::Waits(generation),
            Started::Ended(ended) => Begun::Done(self.target.tell(caller, ended)),
        }
    }

    fn end(self: Pin<&Self>, here: &Here, woken: Woken, caller: Caller) -> Option<Delivered> {
        let selecting = self.selecting().expect("it has begun");
        let ended = selecting.end(here, woken)?;
        Some(self.target.tell(caller, ended))
    }

    fn abandon(self: Pin<&Self>) {
        if let Some(selecting) = self.selecting() {
            selecting.abandon();
        }
    }
}
