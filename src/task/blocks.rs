//! Memory for task blocks.
//!
//! A launch takes a block and an end gives it back, often on another thread. The heap pays for that with a lock that the
//! threads share, and with pages that it gives to the kernel after each burst and faults in again with the next. So each
//! thread with a home keeps two piles of free blocks for each size, and gives whole piles to the others by way of a depot:
//! with one lock for 64 blocks (the magazines of Bonwick and Adams, "Magazines and Vmem", 2001).
//!
//! ```text
//! heap -- take --> [block in use] -- put --> top --(full)--> spare --(full)--> depot --(not needed for a second)--> heap
//!                        ^                    |                |                 |
//!                        +--------------------+----------------+-----------------+
//! ```
//!
//! Each block comes from the heap on its own, so any thread may free it there: one without a home does so at once. What the
//! depot has not needed for a second goes back to the heap, in parts, when a thread is about to sleep.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::task::home::Home;
use crate::task::{Task, current};
use crate::util::prefetch;

/// The alignment of the blocks of coroutines, which the heap gives without being asked.
const ALIGN: usize = 16;
/// The smallest of them. It and all larger ones are half a step over a multiple of it: what a heap that keeps a word for itself in
/// front of each block makes of them anyway.
const LEAST: usize = 200;
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
/// How long the depot keeps what nobody needs.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// How many piles go back to the heap at a time.
const PART: usize = 32;

/// A free block.
struct Free {
    next: *mut Free,
    /// In the depot, and the topmost of a pile: the topmost one of the next pile.
    below: *mut Free,
}

/// Some free blocks of one size.
#[derive(Clone, Copy)]
struct Pile {
    first: *mut Free,
    count: u32,
}

impl Pile {
    const EMPTY: Self = Self {
        first: ptr::null_mut(),
        count: 0,
    };

    /// # Safety
    ///
    /// Nobody else has the blocks of the pile.
    #[inline(always)]
    unsafe fn pop(&mut self) -> Option<NonNull<u8>> {
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
    unsafe fn push(&mut self, block: NonNull<u8>) {
        let free = block.cast::<Free>().as_ptr();
        // SAFETY: the block is ours, and large enough.
        unsafe { (&raw mut (*free).next).write(self.first) };
        self.first = free;
        self.count += 1;
    }
}

/// The free blocks of one size that a thread keeps.
struct Shelf {
    top: Pile,
    /// Full or empty.
    spare: Pile,
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

    /// Gives everything back to the heap.
    ///
    /// # Safety
    ///
    /// The calling thread owns the home that this belongs to.
    pub(crate) unsafe fn clear(&self) {
        for class in 0..CLASSES {
            // SAFETY: passed on to the caller.
            let shelf = unsafe { self.shelf(class) };
            for pile in [&mut shelf.top, &mut shelf.spare] {
                // SAFETY: the blocks of this shelf are of this size, and nobody else's.
                unsafe { to_heap(std::mem::replace(pile, Pile::EMPTY), class) };
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

/// The layout of all blocks of a class.
#[inline(always)]
const fn layout_of(class: usize) -> Layout {
    if class == BARE_CLASS {
        return BARE;
    }
    match Layout::from_size_align(LEAST + (class - 1) * ALIGN, ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("a small size and a power of two"),
    }
}

/// Memory for a `T`, which only [`give`] with the same type may free.
#[inline]
pub(crate) fn take<T>() -> NonNull<T> {
    let block = match const { class_of(Layout::new::<T>()) } {
        Some(class) => match current::home() {
            // SAFETY: this thread's home.
            Some(home) => unsafe { home.local.blocks.shelf(class) }.take(class),
            None => from_heap(layout_of(class)),
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
    let layout = match const { class_of(Layout::new::<T>()) } {
        Some(class) => match current::home() {
            Some(home) => {
                // SAFETY: this thread's home; the block is of this class and the caller's own.
                unsafe { home.local.blocks.shelf(class).give(class, block) };
                return;
            }
            None => layout_of(class),
        },
        None => Layout::new::<T>(),
    };
    // SAFETY: `take` got it from the heap with this layout.
    unsafe { dealloc(block.as_ptr(), layout) };
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
            0 => depot(class).pop(),
            _ => std::mem::replace(&mut self.spare, Pile::EMPTY),
        };
        // SAFETY: the shelf's blocks are its own.
        let block = unsafe { self.top.pop() };
        block.unwrap_or_else(|| from_heap(layout_of(class)))
    }

    /// # Safety
    ///
    /// The block is of this class, and the caller's own.
    #[inline(always)]
    unsafe fn give(&mut self, class: usize, block: NonNull<u8>) {
        if self.top.count == PILE {
            self.spill(class);
        }
        // SAFETY: passed on to the caller.
        unsafe { self.top.push(block) };
    }

    #[cold]
    #[inline(never)]
    fn spill(&mut self, class: usize) {
        if self.spare.count > 0 {
            depot(class).push(self.spare);
        }
        self.spare = std::mem::replace(&mut self.top, Pile::EMPTY);
    }
}

fn from_heap(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layout of a task is not empty.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
///
/// The blocks are of this class, and the caller's own.
unsafe fn to_heap(mut pile: Pile, class: usize) {
    // SAFETY: passed on to the caller.
    while let Some(block) = unsafe { pile.pop() } {
        // SAFETY: `from_heap` gave it with this layout.
        unsafe { dealloc(block.as_ptr(), layout_of(class)) };
    }
}

/// The full piles of one size that no thread keeps.
struct Depot {
    first: *mut Free,
    piles: usize,
    /// The fewest that there were since the period began: so many were not needed in it.
    least: usize,
}

// SAFETY: the blocks are plain memory, which only the depot has.
unsafe impl Send for Depot {}

static DEPOTS: [Mutex<Depot>; CLASSES] = [const {
    Mutex::new(Depot {
        first: ptr::null_mut(),
        piles: 0,
        least: 0,
    })
}; CLASSES];
/// How many piles there are in all depots, which tells whether there is anything to trim.
static PILES: AtomicUsize = AtomicUsize::new(0);
/// When the present period began.
static SINCE: Mutex<Option<Instant>> = Mutex::new(None);

fn depot(class: usize) -> MutexGuard<'static, Depot> {
    DEPOTS[class].lock().unwrap_or_else(PoisonError::into_inner)
}

impl Depot {
    /// A full pile, or an empty one if there is none.
    fn pop(&mut self) -> Pile {
        if self.first.is_null() {
            return Pile::EMPTY;
        }
        let first = self.first;
        // SAFETY: a free block that is in the depot, topmost of its pile.
        self.first = unsafe { (*first).below };
        self.piles -= 1;
        self.least = self.least.min(self.piles);
        PILES.fetch_sub(1, Ordering::Relaxed);
        Pile { first, count: PILE }
    }

    /// Takes a full pile.
    fn push(&mut self, pile: Pile) {
        debug_assert_eq!(pile.count, PILE);
        // SAFETY: a free block that only the caller had, and large enough.
        unsafe { (&raw mut (*pile.first).below).write(self.first) };
        self.first = pile.first;
        self.piles += 1;
        PILES.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives some of what was not needed for a while back to the heap, if a period has passed. To be called when the owner of a
/// home is about to sleep.
///
/// Returns how long until there may be more to give back, if there is anything: zero if there is already.
#[inline]
pub(crate) fn trim() -> Option<Duration> {
    if PILES.load(Ordering::Relaxed) == 0 {
        return None;
    }
    trim_at(Instant::now())
}

#[cold]
pub(super) fn trim_at(now: Instant) -> Option<Duration> {
    let mut since = match SINCE.try_lock() {
        Ok(since) => since,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Somebody else is at it, and asks to be called again.
        Err(TryLockError::WouldBlock) => return None,
    };
    let passed = now.saturating_duration_since(*since.get_or_insert(now));
    if passed < PERIOD {
        return Some(PERIOD - passed);
    }
    let mut left = PART;
    for class in 0..CLASSES {
        while left > 0 {
            let mut depot = depot(class);
            if depot.least == 0 {
                break;
            }
            let least = depot.least;
            let pile = depot.pop();
            depot.least = least - 1;
            drop(depot);
            left -= 1;
            // SAFETY: the pile was in the depot of this class, and is ours.
            unsafe { to_heap(pile, class) };
        }
    }
    if left == 0 {
        return Some(Duration::ZERO);
    }
    for class in 0..CLASSES {
        let mut depot = depot(class);
        depot.least = depot.piles;
    }
    *since = Some(now);
    Some(PERIOD)
}

/// How many blocks for a `T` the depot has.
#[cfg(test)]
pub(super) fn depot_size<T>() -> usize {
    let class = const { class_of(Layout::new::<T>()) }.expect("a size that is kept");
    depot(class).piles * PILE as usize
}
