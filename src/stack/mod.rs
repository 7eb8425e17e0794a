//! Layer 1: memory for stacks.
//!
//! - [`size`] are the size classes, [`region`] cuts slots of a class out of reserved chunks, [`guard`] makes the page at
//!   the low end of a slot inaccessible.
//! - [`cache`] is a worker's own stack of free slots, hot ones first.
//! - [`overflow`] names the coroutine whose stack was not large enough, before the process ends.
//!
//! ```text
//! [ guard | ... the stack grows down ... | what the coroutine keeps at the top | colour ]
//! ^ limit                                                                      ^ top    ^ end of the slot
//! ```
//!
//! All slots of a class have the same low address bits, so without the colour the tops of a thousand stacks would compete
//! for the same few sets of the first-level cache: the top is moved down by 0 to 15 cache lines, by the slot's number.

pub(crate) mod cache;
mod guard;
pub(crate) mod overflow;
pub(crate) mod region;
mod size;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ptr::NonNull;

pub(crate) use cache::StackCache;
pub(crate) use size::StackSize;

/// How many colours there are, and how far apart.
const COLOURS: usize = 16;
const COLOUR_STEP: usize = 64;

/// One slot, owned. Dropping it gives the slot back to the process-wide store.
#[derive(Debug)]
pub(crate) struct Stack {
    base: NonNull<u8>,
    size: StackSize,
}

// SAFETY: it owns its memory, which is bound to no thread.
unsafe impl Send for Stack {}

impl Stack {
    /// Where the stack may begin, growing down; aligned to a cache line.
    #[inline]
    pub(crate) fn top(&self) -> NonNull<u8> {
        let slot = self.base.as_ptr() as usize >> self.size.shift();
        let below = slot % COLOURS * COLOUR_STEP;
        // SAFETY: inside the slot, which is far larger than all colours.
        unsafe { self.base.add(self.size.bytes() - below) }
    }

    /// The lowest address, that of the guard.
    #[inline]
    pub(crate) fn limit(&self) -> NonNull<u8> {
        self.base
    }

    /// The size class, guard included.
    #[inline]
    pub(crate) fn size(&self) -> StackSize {
        self.size
    }

    /// Takes the slot apart, for one who keeps only its address.
    #[inline]
    pub(crate) fn into_raw(self) -> (NonNull<u8>, StackSize) {
        let parts = (self.base, self.size);
        std::mem::forget(self);
        parts
    }

    /// Puts a slot together again.
    ///
    /// # Safety
    ///
    /// The parts come from one [`Stack::into_raw`], and are used once.
    #[inline]
    pub(crate) unsafe fn from_raw(base: NonNull<u8>, size: StackSize) -> Self {
        Self { base, size }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        region::give_back(self.base, self.size);
    }
}

/// Why there is no stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StackError {
    /// The system gives no more address space.
    OutOfMemory { bytes: usize, errno: i32 },
    /// Without lightweight guard pages each stack takes two memory mappings, and those are limited.
    TooManyMappings { stacks: usize },
    /// The guard page could not be set up.
    NoGuard { errno: i32 },
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |errno: i32| std::io::Error::from_raw_os_error(errno);
        match self {
            Self::OutOfMemory { bytes, errno } => {
                write!(
                    f,
                    "no memory for a coroutine's stack of {} KiB: {}",
                    bytes / 1024,
                    text(*errno)
                )
            }
            Self::TooManyMappings { stacks } => write!(
                f,
                "no further coroutine: {stacks} stacks have taken the share of vm.max_map_count that the runtime \
                 allows itself (this kernel has no MADV_GUARD_INSTALL; raise vm.max_map_count, or use Linux 6.13)"
            ),
            Self::NoGuard { errno } => {
                write!(f, "no guard page for a coroutine's stack: {}", text(*errno))
            }
        }
    }
}

impl std::error::Error for StackError {}
