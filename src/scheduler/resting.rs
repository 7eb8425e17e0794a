//! The stack of a coroutine that has ended, kept for the one that starts next.
//!
//! What runs at the base of a stack is a loop over the tasks that run there, one after another (`running.rs`). Mostly one starts
//! where one has just ended; so if none is next at once, that loop does not end but suspends, and whoever starts a coroutine
//! later resumes it there: which makes no new one, takes no stack, and gives none back.
//!
//! ```text
//! runs    -> rests      a coroutine has ended, none is next, and no other stack rests
//! rests   -> runs       a coroutine of the same size starts
//! rests   -> cached     the thread is about to sleep, or ends: the stack is one as those that never rested
//! ```
//!
//! Whoever has resumed it cannot tell a stack that rests from one that has ended, but by asking here. There is nothing on it that
//! needs a drop.

use std::cell::Cell;
use std::ptr::NonNull;

use crate::coroutine::{self, Header};
use crate::stack::{Stack, StackSize};

/// At most one stack that rests, of the size that most have.
#[derive(Debug)]
pub(super) struct Resting(Cell<Option<NonNull<Header>>>);

impl Resting {
    pub(super) const fn none() -> Self {
        Self(Cell::new(None))
    }

    /// Takes the stack, if it is of this size, for a task that will run there when it is resumed.
    #[inline(always)]
    pub(super) fn take(&self, size: StackSize) -> Option<NonNull<Header>> {
        if size != StackSize::DEFAULT {
            return None;
        }
        self.0.take()
    }

    /// The coroutine on this stack has nothing to do: it is kept, if it may rest, and has to suspend by [`coroutine::rest`].
    ///
    /// # Safety
    ///
    /// The caller runs on that stack, at its base.
    #[inline(always)]
    pub(super) unsafe fn keep(&self, header: NonNull<Header>) -> bool {
        // SAFETY: it runs.
        let is_plain = unsafe {
            coroutine::hooks(header) == 0 && coroutine::stack_size(header) == StackSize::DEFAULT
        };
        if !is_plain || self.0.get().is_some() {
            return false;
        }
        self.0.set(Some(header));
        true
    }

    /// Whether it is this stack that rests.
    #[inline(always)]
    pub(super) fn is(&self, header: NonNull<Header>) -> bool {
        self.0.get() == Some(header)
    }

    /// Ends the rest: the stack is free.
    pub(super) fn dismiss(&self) -> Option<Stack> {
        // SAFETY: it rests, so at its base, in a loop that has nothing to be dropped.
        self.0
            .take()
            .map(|header| unsafe { coroutine::reclaim_resting(header) })
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        // To the store of the process.
        drop(self.dismiss());
    }
}
