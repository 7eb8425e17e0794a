//! What the block of a sequence yields to.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::Location;
use std::ptr::NonNull;

use crate::coroutine::{self, Header};
use crate::error::{Error, Result};
use crate::task::report;

/// After so many calls that were refused because the iterator is being dropped, the user is told.
const REFUSALS_TOLD: u32 = 1000;

/// What a `yield_` may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Give its element.
    Open,
    /// It has just given one from frames that are not the block's own, and must take it back.
    Refused,
    /// Nothing more: the iterator is being dropped.
    Closed,
}

/// The argument of a sequence's block, by which it yields elements: Kotlin's `SequenceScope`.
pub struct SequenceScope<T> {
    /// The stack that the block runs on, from its first step to its last.
    header: Cell<Option<NonNull<Header>>>,
    /// The element on its way from the block to whoever has asked for it; there is one only while it is on that way.
    item: UnsafeCell<MaybeUninit<T>>,
    state: Cell<State>,
    /// How many calls have been refused since the iterator is being dropped.
    refused: Cell<u32>,
    made_at: &'static Location<'static>,
}

impl<T> SequenceScope<T> {
    pub(super) fn new(made_at: &'static Location<'static>) -> Self {
        Self {
            header: Cell::new(None),
            item: UnsafeCell::new(MaybeUninit::uninit()),
            state: Cell::new(State::Open),
            refused: Cell::new(0),
            made_at,
        }
    }

    /// The stack of a block that has begun and not ended.
    #[inline(always)]
    pub(super) fn header(&self) -> Option<NonNull<Header>> {
        self.header.get()
    }

    pub(super) fn set_header(&self, header: Option<NonNull<Header>>) {
        self.header.set(header);
    }

    /// Takes the element that the block has yielded.
    ///
    /// # Safety
    ///
    /// It has just yielded one, which nobody has taken.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: the block stands still, so nobody else touches it.
        let item = unsafe { &*self.item.get() };
        // SAFETY: it was written by `yield_`, and is taken once.
        unsafe { item.assume_init_read() }
    }

    /// Has the `yield_` in which the block stands take its element back and return an error.
    pub(super) fn refuse_this(&self) {
        self.state.set(State::Refused);
    }

    /// From now on nothing is yielded.
    pub(super) fn close(&self) {
        self.state.set(State::Closed);
    }

    /// Gives an element to whoever has asked for one, and stands still until the next is asked for.
    ///
    /// # Suspension
    ///
    /// Always stands still; that is no suspension of a coroutine, for which only what asks for the elements counts.
    ///
    /// # Cancellation
    ///
    /// Does not ask for one.
    ///
    /// # Errors
    ///
    /// A cancellation, again and again, once the iterator was dropped: the block is to end then. An error if the
    /// block has called a scope function, or the runtime a destructor, and it is called in there; or if it is called in
    /// a destructor by a panic of the block.
    #[inline(always)]
    #[track_caller]
    pub fn yield_(&self, value: T) -> Result<()> {
        if self.state.get() != State::Open {
            drop(value);
            return Err(self.closed());
        }
        // SAFETY: whoever asks for elements waits for this one, and has taken those before.
        unsafe { (*self.item.get()).write(value) };
        // SAFETY: the block runs, so it has its stack.
        let header = unsafe { self.header.get().unwrap_unchecked() };
        // SAFETY: the block runs on that stack, and hands this reference to no other: what it calls that has one is
        // either refused while it runs (a coroutine), or has a closure that borrows nothing (a sequence).
        unsafe { coroutine::suspend(header) };
        if self.state.get() != State::Open {
            return Err(self.unwelcome());
        }
        Ok(())
    }

    /// Gives one after the other what `items` has: a collection, an iterator, or another sequence.
    ///
    /// # Suspension
    ///
    /// As [`yield_`](SequenceScope::yield_), at each element; the next is taken from `items` when it is asked for.
    ///
    /// # Errors
    ///
    /// As for `yield_`.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let inner = sequence(|y| y.yield_all(1..3));
    /// let outer = sequence(move |y| {
    ///     y.yield_(0)?;
    ///     y.yield_all(&inner)?;
    ///     y.yield_all(vec![3, 4])
    /// });
    /// assert!(outer.iter().eq(0..5));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn yield_all(&self, items: impl IntoIterator<Item = T>) -> Result<()> {
        if self.state.get() != State::Open {
            return Err(self.closed());
        }
        for item in items {
            self.yield_(item)?;
        }
        Ok(())
    }

    /// Why the block goes on without having been asked for another element.
    #[cold]
    #[track_caller]
    fn unwelcome(&self) -> Error {
        if self.state.get() == State::Closed {
            return self.closed();
        }
        self.state.set(State::Open);
        // SAFETY: the element was refused where it went, and is still there.
        drop(unsafe { self.take() });
        Error::msg(
            "`yield_` of a sequence was called in a scope function, a select or a future, in a handler or a destructor that the runtime has \
             called, or while the block panics; it gives elements from the block's own frames only",
        )
    }

    /// The error of every call while the iterator is being dropped.
    #[cold]
    #[track_caller]
    fn closed(&self) -> Error {
        let refused = self.refused.get().saturating_add(1);
        self.refused.set(refused);
        if refused == REFUSALS_TOLD {
            report::tell(format_args!(
                "the block of a sequence made at {} ignores that its iterator was dropped: {refused} calls of `yield_` \
                 have returned an error, the last one at {}; a loop has to end then",
                self.made_at,
                Location::caller()
            ));
        }
        Error::cancelled_with("the sequence's iterator was dropped")
    }
}

impl<T> fmt::Debug for SequenceScope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SequenceScope")
            .field("made_at", &format_args!("{}", self.made_at))
            .finish_non_exhaustive()
    }
}
