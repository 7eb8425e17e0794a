//! Free blocks of one size, linked through themselves.

use std::mem;
use std::ptr::{self, NonNull};

use crate::util::prefetch;

/// A free block.
struct Free {
    next: *mut Free,
    /// In a [`Stack`], of the topmost block of a pile: the next pile.
    below: Pile,
}

/// Some free blocks of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pile {
    first: *mut Free,
    pub(super) count: u32,
}

impl Pile {
    pub(super) const EMPTY: Self = Self {
        first: ptr::null_mut(),
        count: 0,
    };

    /// # Safety
    ///
    /// Nobody else has the blocks of the pile.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.first)?;
        // SAFETY: a free block that is in the pile.
        self.first = unsafe { (*block.as_ptr()).next };
        if !self.first.is_null() {
            // The next pop waits for this one otherwise. Not at address zero: to find that nothing is there takes long, each time.
            prefetch::lines(self.first, 1);
        }
        self.count -= 1;
        Some(block.cast())
    }

    /// # Safety
    ///
    /// Nobody else has the blocks of the pile, nor this one, which is of the same size.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, block: NonNull<u8>) {
        let free = block.cast::<Free>().as_ptr();
        // SAFETY: the block is ours, and large enough.
        unsafe { (&raw mut (*free).next).write(self.first) };
        self.first = free;
        self.count += 1;
    }
}

impl Pile {
    /// How many of these blocks of so many bytes do not lie beside the one before.
    ///
    /// # Safety
    ///
    /// Nobody else has the blocks of the pile.
    pub(super) unsafe fn jumps(&self, bytes: usize) -> u32 {
        let (mut jumps, mut before, mut block) = (0, self.first, self.first);
        while !block.is_null() {
            jumps += u32::from(block.addr().abs_diff(before.addr()) > bytes);
            before = block;
            // SAFETY: a free block that is in the pile.
            block = unsafe { (*block).next };
        }
        jumps
    }
}

/// Piles, of which those that came before the first of them went go before those that came after.
///
/// What another thread has just given is still where that one has it, and each of its lines has to be fetched from there. When its
/// turn comes it is in the memory that all share: a hundred thousand that one thread launches, and another one runs as well, take
/// 0.86 of the time.
#[derive(Debug)]
pub(super) struct Line {
    going: Stack,
    coming: Stack,
}

impl Line {
    pub(super) const EMPTY: Self = Self {
        going: Stack::EMPTY,
        coming: Stack::EMPTY,
    };

    /// # Safety
    ///
    /// Nobody else has the blocks of the pile, and there is one.
    pub(super) unsafe fn push(&mut self, pile: Pile) {
        // SAFETY: passed on to the caller.
        unsafe { self.coming.push(pile) };
    }

    pub(super) fn pop(&mut self) -> Option<Pile> {
        if self.going.count == 0 {
            mem::swap(&mut self.going, &mut self.coming);
        }
        self.going.pop()
    }

    /// The one that came last, unless it is about to go.
    pub(super) fn pop_newest(&mut self) -> Option<Pile> {
        self.coming.pop()
    }

    pub(super) fn count(&self) -> usize {
        self.going.count + self.coming.count
    }

    /// How many blocks there are.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> usize {
        self.going.blocks() + self.coming.blocks()
    }
}

/// Piles, of which the last to come is the first to go.
#[derive(Debug)]
struct Stack {
    top: Pile,
    count: usize,
}

impl Stack {
    const EMPTY: Self = Self {
        top: Pile::EMPTY,
        count: 0,
    };

    /// # Safety
    ///
    /// Nobody else has the blocks of the pile, and there is one.
    unsafe fn push(&mut self, pile: Pile) {
        debug_assert!(!pile.first.is_null());
        // SAFETY: a free block of ours, and large enough.
        unsafe { (&raw mut (*pile.first).below).write(self.top) };
        self.top = pile;
        self.count += 1;
    }

    fn pop(&mut self) -> Option<Pile> {
        let first = NonNull::new(self.top.first)?;
        // SAFETY: the topmost block of a pile that was pushed, and belongs to the stack since.
        let below = unsafe { (*first.as_ptr()).below };
        self.count -= 1;
        Some(mem::replace(&mut self.top, below))
    }

    /// How many blocks there are.
    #[cfg(test)]
    fn blocks(&self) -> usize {
        let (mut pile, mut count) = (self.top, 0);
        while !pile.first.is_null() {
            count += pile.count as usize;
            // SAFETY: as in `pop`.
            pile = unsafe { (*pile.first).below };
        }
        count
    }
}
