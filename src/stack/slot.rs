//! One stack.

use std::fmt;
use std::ptr::NonNull;

use super::chunks;
use super::size::{StackSize, page_bytes};

/// Where the logarithm of the size is, in the low bits of the word.
const LOG2: usize = 0b1_1111;
/// Set while the slot's memory is given back to the kernel and nothing was written to it since.
const CLEAN: usize = 1 << 5;
/// All bits that a slot's alignment to pages leaves free, at the least.
const TAG: usize = 0xfff;

/// One slot of stack memory, owned. Dropped, it goes back to the process-wide store.
///
/// It is one word: slots are aligned to pages, and the low bits of their address hold the rest.
pub(crate) struct Stack {
    word: NonNull<u8>,
}

// SAFETY: a slot is plain memory that only its `Stack` names; nothing in it belongs to a thread.
unsafe impl Send for Stack {}

impl Stack {
    /// Takes possession of the slot at `base`, about whose memory nothing is known.
    ///
    /// # Safety
    ///
    /// - `base` is the low end of a guarded slot of this size, in a registered chunk, aligned to a page.
    /// - No other `Stack` names the slot.
    #[inline]
    pub(crate) unsafe fn from_raw(base: NonNull<u8>, size: StackSize) -> Self {
        debug_assert_eq!(base.addr().get() & TAG, 0);
        // SAFETY: the tag is less than the least slot, so the result is within this one.
        let word = unsafe { base.add(size.log2() as usize) };
        Self { word }
    }

    /// Gives possession of the slot up, for one who keeps its address and size: what [`Stack::from_raw`] takes.
    #[inline]
    pub(crate) fn into_raw(self) -> (NonNull<u8>, StackSize) {
        let parts = (self.limit(), self.size());
        std::mem::forget(self);
        parts
    }

    /// The address under which frames begin: the end of the slot, less 0 to 15 times 64 bytes. Aligned to 64 bytes.
    ///
    /// The tops differ in these bits because otherwise all would compete for the same few sets of the first-level
    /// cache, which makes switching among a thousand coroutines three times slower.
    #[inline]
    pub(crate) fn top(&self) -> NonNull<u8> {
        let base = self.limit();
        let offset = top_offset(base.addr().get(), self.size());
        // SAFETY: at most the slot's size, so within the slot or right at its end.
        unsafe { base.add(offset) }
    }

    /// The lowest address of the slot. The guard begins here.
    #[inline]
    pub(crate) fn limit(&self) -> NonNull<u8> {
        // SAFETY: the tag was added to the slot's address by `from_raw`; only its own bits have changed since.
        unsafe { self.word.sub(self.tag()) }
    }

    /// The size class.
    #[inline]
    pub(crate) fn size(&self) -> StackSize {
        StackSize::from_log2((self.tag() & LOG2) as u32)
    }

    /// Whether the memory is given back and nothing was written since.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        self.tag() & CLEAN != 0
    }

    /// Notes that the memory has been given back.
    pub(super) fn set_clean(&mut self) {
        self.word = self.word.map_addr(|word| word | CLEAN);
    }

    /// The stack as one that is about to be written to.
    #[inline]
    pub(super) fn in_use(mut self) -> Self {
        let clean = self.tag() & CLEAN;
        // SAFETY: takes off a bit that is set, or nothing.
        self.word = unsafe { self.word.sub(clean) };
        self
    }

    #[inline]
    fn tag(&self) -> usize {
        self.word.addr().get() & TAG
    }
}

impl Drop for Stack {
    #[cold]
    fn drop(&mut self) {
        let place = chunks::place_of(self.limit().addr().get());
        // A slot that no chunk holds cannot be; were it so, leaking it is the safe answer.
        if let Some(place) = place {
            // The new value is the only one to be dropped from here on, since this one is going.
            place.store.put(Self { word: self.word });
        }
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("limit", &self.limit())
            .field("size", &self.size())
            .finish()
    }
}

/// How far over the low end of the slot at `base` frames begin: its size, less 64 bytes for each of its colour's 16 steps.
/// The colour is the number of its lowest page: slots are an odd number of pages apart, so neighbours differ. Where pages have
/// 4 KiB the first slots of a chunk have those in the middle, with which two coroutines are some per cent quicker than at the end.
#[inline]
pub(super) fn top_offset(base: usize, size: StackSize) -> usize {
    const COLOURS: usize = 16;
    const FIRST: usize = 8;
    size.slot_bytes() - (base / page_bytes() + FIRST) % COLOURS * 64
}
