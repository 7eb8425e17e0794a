//! Where slots come from: chunks of address space, cut from the low end up.
//!
//! A chunk is one mapping that promises no memory; pages come when they are touched. Chunks double in size, so that a
//! small program reserves some 260 MiB and one with a million coroutines has a dozen mappings. They are never unmapped: a
//! signal handler may look at any of them at any time, and slots are used again for ever.

use std::ptr::NonNull;

use super::advice::last_error;
use super::chunks::{self, Chunk};
use super::error::StackError;
use super::guard;
use super::size::StackSize;
use super::slot::Stack;
use super::store::Store;

/// The first chunk of a class, but for what its slots are longer than their stacks.
const FIRST_CHUNK: usize = 256 << 20;

/// The largest chunk, as above.
const LARGEST_CHUNK: usize = 64 << 30;

/// Address space that must still be free after a chunk was reserved. Where it is limited, whoever takes the last of it
/// makes the next `malloc` fail, which aborts the process; a missing stack is only an error.
const HEADROOM: usize = 32 << 20;

/// Chunks are aligned to the size of their stacks, but to no more than what one page table covers.
const LARGEST_ALIGNMENT: usize = 2 << 20;

/// The chunks of one class.
#[derive(Debug)]
pub(super) struct Region {
    /// The lowest slot of the newest chunk that was never handed out; dangling if none is left.
    next: NonNull<u8>,
    /// How many slots are left from `next` on.
    left: usize,
    /// How many of them have their guards already.
    guarded: usize,
    /// How many slots the next chunk shall have; 0 before the first.
    chunk_slots: usize,
    tally: Tally,
}

/// What a region has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) chunks: usize,
    pub(super) reserved_bytes: usize,
    /// Slots that were ever handed out.
    pub(super) slots: usize,
}

// SAFETY: `next` points at memory that the region alone owns.
unsafe impl Send for Region {}

impl Region {
    pub(super) const fn new() -> Self {
        Self {
            next: NonNull::dangling(),
            left: 0,
            guarded: 0,
            chunk_slots: 0,
            tally: Tally {
                chunks: 0,
                reserved_bytes: 0,
                slots: 0,
            },
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Cuts a slot that was never used. A region is asked for one size only.
    pub(super) fn cut(
        &mut self,
        size: StackSize,
        store: &'static Store,
    ) -> Result<Stack, StackError> {
        if self.left == 0 {
            self.grow(size, store)?;
        }
        if self.guarded == 0 {
            // SAFETY: `left` slots from `next` on are mapped and were never handed out.
            self.guarded = unsafe { store.guards.install(self.next, self.left, size) }?;
        }
        // SAFETY: the slot has its guard, its chunk is registered, and `next` moves on so that it is named once.
        let stack = unsafe { Stack::from_raw(self.next, size) };
        // SAFETY: at most the end of the chunk.
        self.next = unsafe { self.next.add(size.slot_bytes()) };
        self.left -= 1;
        self.guarded -= 1;
        self.tally.slots += 1;
        Ok(stack)
    }

    /// Reserves another chunk, a smaller one where the address space is limited.
    fn grow(&mut self, size: StackSize, store: &'static Store) -> Result<(), StackError> {
        let wanted = if self.chunk_slots == 0 {
            FIRST_CHUNK / size.bytes()
        } else {
            self.chunk_slots
        };
        let mut slots = wanted.clamp(1, LARGEST_CHUNK / size.bytes());
        let (base, bytes) = loop {
            let bytes = slots * size.slot_bytes();
            match reserve(bytes, size, store.largest_mapping) {
                Ok(base) => break (base, bytes),
                Err(_) if slots > 1 => slots /= 2,
                Err(errno) => {
                    // The next attempt starts where this one ended, so that failing again is cheap.
                    self.chunk_slots = 1;
                    return Err(StackError::OutOfMemory {
                        stack_bytes: size.bytes(),
                        errno,
                    });
                }
            }
        };
        if !chunks::register(&Chunk {
            base,
            bytes,
            size,
            guard: guard::bytes_for(size),
            store,
        }) {
            // SAFETY: nobody knows of the mapping.
            unsafe { libc::munmap(base.as_ptr().cast(), bytes) };
            return Err(StackError::TooManyChunks {
                limit: chunks::MOST,
            });
        }
        self.next = base;
        self.left = slots;
        self.guarded = 0;
        self.chunk_slots = slots * 2;
        self.tally.chunks += 1;
        self.tally.reserved_bytes += bytes;
        Ok(())
    }
}

/// Maps `bytes` without a promise of memory; the error is the system's number. Mappings over `most` fail.
fn reserve(bytes: usize, size: StackSize, most: usize) -> Result<NonNull<u8>, i32> {
    let alignment = size.bytes().min(LARGEST_ALIGNMENT);
    let total = bytes + alignment + HEADROOM;
    if total > most {
        return Err(libc::ENOMEM);
    }
    // SAFETY: a fresh private mapping at an address of the kernel's choice.
    let mapping = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            total,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK,
            -1,
            0,
        )
    };
    if mapping == libc::MAP_FAILED {
        return Err(last_error());
    }
    let head = mapping.align_offset(alignment);
    // SAFETY: the mapping is longer than `head + bytes`, as it was asked for with room for the alignment.
    let base = unsafe { mapping.cast::<u8>().add(head) };
    if head > 0 {
        // SAFETY: the part under the chunk is ours and not used.
        unsafe { libc::munmap(mapping, head) };
    }
    // SAFETY: the part above the chunk is ours and not used; it was mapped only to see that it can be.
    unsafe { libc::munmap(base.add(bytes).cast(), total - head - bytes) };
    // A huge page for each touched stack would multiply the memory by sixteen and more. A kernel without them says
    // EINVAL, and that is as good.
    // SAFETY: advice on how to back the memory, which does not change what it holds.
    unsafe { libc::madvise(base.cast(), bytes, libc::MADV_NOHUGEPAGE) };
    NonNull::new(base).ok_or(libc::ENOMEM)
}
