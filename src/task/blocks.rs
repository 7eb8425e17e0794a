//! Memory for task blocks.
//!
//! A launch takes a block and an end gives it back, often on another thread. The heap pays for that with a lock that the
//! threads share, and with pages that it gives to the kernel after each burst and faults in again with the next. So each
//! thread with a home keeps two piles of free blocks for each size, and gives whole piles to the others by way of a [`depot`]:
//! with one lock for 64 blocks (the magazines of Bonwick and Adams, "Magazines and Vmem", 2001).
//!
//! ```text
//! slab -- take --> [block in use] -- put --> top --(full)--> spare --(full)--> depot --(far apart)--> slab
//!                       ^                     |                |                 |
//!                       +---------------------+----------------+-----------------+
//! ```
//!
//! The blocks are cut from [slabs](slab) of the depot. Many that do not lie near each other go back there, so that they come out in
//! the order in which they lie.

mod depot;
mod pile;
mod slab;
#[cfg(test)]
mod tests;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;

pub(crate) use depot::trim;
use pile::Pile;

use crate::task::home::Home;
use crate::task::{Task, current};

/// The alignment of the blocks of coroutines, and the step between their sizes.
const ALIGN: usize = 16;
/// The smallest of them.
const LEAST: usize = 208;
const CLASSES: usize = 22;
/// The largest block.
const MOST: usize = LEAST + (CLASSES - 2) * ALIGN;

/// The block of a task without closure and result, mostly a scope's. What all children of one touch is in its first line of memory;
/// in two, or in one with something else, each would take a quarter longer to come and go where several threads run them.
#[repr(C, align(64))]
pub(super) struct Bare(Task);

const BARE: Layout = Layout::new::<Bare>();
/// The class of those, and of nothing else.
const BARE_CLASS: usize = 0;

/// How many blocks make a full pile.
const PILE: u32 = 64;
/// How many blocks a thread asks the depot for at first.
const FIRST: u32 = 4;

/// The free blocks of one size that a thread keeps.
struct Shelf {
    top: Pile,
    /// Full or empty.
    spare: Pile,
    /// How many blocks are wanted of the depot next: few at first, since most threads need few of most sizes.
    wanted: u32,
}

/// The free blocks that a thread keeps.
pub(crate) struct Blocks(UnsafeCell<[Shelf; CLASSES]>);

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}

impl Blocks {
    pub(crate) fn new() -> Self {
        let empty = || Shelf {
            top: Pile::EMPTY,
            spare: Pile::EMPTY,
            wanted: FIRST,
        };
        Self(UnsafeCell::new(std::array::from_fn(|_| empty())))
    }

    /// The shelf of a size, for the thread that owns it: nothing that is called while it is borrowed comes back here.
    ///
    /// # Safety
    ///
    /// The calling thread owns the home that this belongs to, and the reference is gone before the next call.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "a cell that the caller vouches for")]
    unsafe fn shelf(&self, class: usize) -> &mut Shelf {
        // SAFETY: passed on to the caller.
        unsafe { &mut (*self.0.get())[class] }
    }

    /// Gives everything to the depot.
    ///
    /// # Safety
    ///
    /// The calling thread owns the home that this belongs to.
    pub(crate) unsafe fn clear(&self) {
        for class in 0..CLASSES {
            // SAFETY: passed on to the caller.
            let shelf = unsafe { self.shelf(class) };
            shelf.wanted = FIRST;
            for pile in [&mut shelf.top, &mut shelf.spare] {
                // SAFETY: the blocks of this shelf are of this size, and nobody else's.
                unsafe { depot::give(std::mem::replace(pile, Pile::EMPTY), class) };
            }
        }
    }
}

/// The class of a block that may be kept.
#[inline(always)]
const fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() == BARE.align() && layout.size() == BARE.size() {
        Some(BARE_CLASS)
    } else if layout.align() > ALIGN || layout.size() > MOST {
        None
    } else {
        Some(1 + layout.size().saturating_sub(LEAST).div_ceil(ALIGN))
    }
}

const _: () = {
    let mut class = 0;
    while class < CLASSES {
        // It has to be possible.
        slab::capacity(bytes_of(class));
        class += 1;
    }
};

/// How many bytes the blocks of a class are apart.
const fn bytes_of(class: usize) -> usize {
    match class {
        BARE_CLASS => BARE.size(),
        class => LEAST + (class - 1) * ALIGN,
    }
}

/// Memory for a `T`, which only [`give`] with the same type may free.
///
/// # Safety
///
/// `here` is the home of the calling thread, if it has one.
#[inline]
pub(crate) unsafe fn take<T>(here: Option<&Home>) -> NonNull<T> {
    let block = match const { class_of(Layout::new::<T>()) } {
        Some(class) => match here {
            // SAFETY: this thread's home.
            Some(home) => unsafe { home.local.blocks.shelf(class) }.take(class),
            None => depot::take_one(class),
        },
        None => from_heap(Layout::new::<T>()),
    };
    block.cast()
}

/// The same for a task without closure and result, by a thread that knows its home.
///
/// # Safety
///
/// The calling thread owns the home.
#[inline]
pub(super) unsafe fn take_bare(home: &Home) -> NonNull<Task> {
    // SAFETY: passed on to the caller.
    unsafe { home.local.blocks.shelf(BARE_CLASS) }
        .take(BARE_CLASS)
        .cast()
}

/// Takes back what [`take_bare`] has given.
///
/// # Safety
///
/// The calling thread owns the home, and nobody else has the block.
#[inline]
pub(super) unsafe fn give_bare(home: &Home, block: NonNull<Task>) {
    // SAFETY: passed on to the caller.
    unsafe {
        let shelf = home.local.blocks.shelf(BARE_CLASS);
        shelf.give(BARE_CLASS, block.cast());
    }
}

/// Takes back what [`take`] has given.
///
/// # Safety
///
/// The memory came from `take::<T>()`, by whichever thread, and nobody else has it.
#[inline]
pub(crate) unsafe fn give<T>(block: NonNull<T>) {
    let block = block.cast::<u8>();
    match const { class_of(Layout::new::<T>()) } {
        Some(class) => match current::home() {
            // SAFETY: this thread's home; the block is of this class and the caller's own.
            Some(home) => unsafe { home.local.blocks.shelf(class).give(class, block) },
            // SAFETY: as above.
            None => unsafe { depot::give_one(block, class) },
        },
        // SAFETY: `take` got it from the heap with this layout.
        None => unsafe { dealloc(block.as_ptr(), Layout::new::<T>()) },
    }
}

impl Shelf {
    #[inline(always)]
    fn take(&mut self, class: usize) -> NonNull<u8> {
        // SAFETY: the shelf's blocks are its own.
        match unsafe { self.top.pop() } {
            Some(block) => block,
            None => self.refill(class),
        }
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: usize) -> NonNull<u8> {
        self.top = match self.spare.count {
            0 => {
                let wanted = self.wanted;
                self.wanted = (2 * wanted).min(PILE);
                depot::take(class, wanted)
            }
            _ => std::mem::replace(&mut self.spare, Pile::EMPTY),
        };
        // SAFETY: the shelf's blocks are its own.
        let block = unsafe { self.top.pop() };
        block.expect("no pile without a block is taken")
    }

    /// # Safety
    ///
    /// The block is of this class, and the caller's own.
    #[inline(always)]
    unsafe fn give(&mut self, class: usize, block: NonNull<u8>) {
        if self.top.count >= PILE {
            self.spill(class);
        }
        // SAFETY: passed on to the caller.
        unsafe { self.top.push(block) };
    }

    #[cold]
    #[inline(never)]
    fn spill(&mut self, class: usize) {
        // SAFETY: the shelf's blocks are its own.
        unsafe { depot::give(self.spare, class) };
        self.spare = std::mem::replace(&mut self.top, Pile::EMPTY);
    }
}

fn from_heap(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layout of a task is not empty.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// What the depot has for a `T`.
#[cfg(test)]
fn held<T>() -> depot::Held {
    depot::held(const { class_of(Layout::new::<T>()) }.expect("a size that is kept"))
}
