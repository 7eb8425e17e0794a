//! A worker's own free stacks, the hot ones first.
//!
//! A stack that was just given back is warm in the caches and in the page tables, so it is the next to be taken. Beyond 256
//! free ones half go to the process-wide store. Memory is given back to the system when the worker is about to sleep, in
//! batches (a system call per stack would cost more than the page fault it saves), and never that of the hottest 64.

use std::ptr::NonNull;

use super::region;
use super::{Stack, StackError, StackSize};

/// How many free stacks of one class a worker keeps.
const KEEP: usize = 256;
/// How many of them keep their memory whatever happens.
const HOT: usize = 64;
/// How many ranges one `process_madvise` takes.
const BATCH: usize = 256;
/// How many stacks of the store one sleep trims.
const STORE_BATCH: usize = 1024;
/// `PIDFD_SELF`: this process.
const PIDFD_SELF: libc::c_int = -10_000;

/// The free stacks of one class. The first `trimmed` hold no memory.
#[derive(Debug)]
struct Shelf {
    stacks: Vec<Stack>,
    trimmed: usize,
}

/// A worker's free stacks.
#[derive(Debug)]
pub(crate) struct StackCache {
    shelves: [Shelf; StackSize::CLASSES],
    /// Whether the store was given something since the last trim.
    spilled: bool,
}

impl StackCache {
    pub(crate) const fn new() -> Self {
        Self {
            shelves: [const {
                Shelf {
                    stacks: Vec::new(),
                    trimmed: 0,
                }
            }; StackSize::CLASSES],
            spilled: false,
        }
    }

    /// Takes a stack, the hottest first.
    #[inline]
    pub(crate) fn take(&mut self, size: StackSize) -> Result<Stack, StackError> {
        let shelf = &mut self.shelves[size.class()];
        match shelf.stacks.pop() {
            Some(stack) => {
                shelf.trimmed = shelf.trimmed.min(shelf.stacks.len());
                Ok(stack)
            }
            None => region::allocate(size),
        }
    }

    /// Puts a stack back.
    #[inline]
    pub(crate) fn put(&mut self, stack: Stack) {
        let shelf = &mut self.shelves[stack.size().class()];
        shelf.stacks.push(stack);
        if shelf.stacks.len() > KEEP {
            shelf.spill();
            self.spilled = true;
        }
    }

    /// Gives memory back to the system; cheap when nothing has changed since the last call.
    pub(crate) fn trim(&mut self) {
        for shelf in &mut self.shelves {
            shelf.trim();
        }
        if self.spilled {
            self.spilled = trim_store();
        }
    }
}

impl Shelf {
    #[cold]
    fn spill(&mut self) {
        drop(self.stacks.drain(..KEEP / 2));
        self.trimmed = self.trimmed.saturating_sub(KEEP / 2);
    }

    fn trim(&mut self) {
        let cold = self.stacks.len().saturating_sub(HOT);
        if cold > self.trimmed {
            release(&self.stacks[self.trimmed..cold]);
            self.trimmed = cold;
        }
    }
}

/// Trims some of what lies in the store. True if there may be more.
fn trim_store() -> bool {
    let mut more = false;
    for class in 0..StackSize::CLASSES {
        let stacks = region::take_untrimmed(StackSize::of_class(class), STORE_BATCH);
        more |= stacks.len() == STORE_BATCH;
        release(&stacks);
        region::give_back_trimmed(stacks);
    }
    more
}

/// Gives the memory of free stacks back to the system. Their guards stay.
fn release(stacks: &[Stack]) {
    for batch in stacks.chunks(BATCH) {
        let mut ranges = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; BATCH];
        for (range, stack) in ranges.iter_mut().zip(batch) {
            let (start, bytes) = usable(stack);
            *range = libc::iovec {
                iov_base: start.as_ptr().cast(),
                iov_len: bytes,
            };
        }
        if !release_batch(&ranges[..batch.len()]) {
            for stack in batch {
                let (start, bytes) = usable(stack);
                // SAFETY: a free stack of ours; nothing in it is needed.
                unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
            }
        }
    }
}

/// One system call for many ranges; false where the kernel does not have it for one's own process.
fn release_batch(ranges: &[libc::iovec]) -> bool {
    let wanted: usize = ranges.iter().map(|range| range.iov_len).sum();
    // SAFETY: free stacks of ours; nothing in them is needed.
    let done = unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            PIDFD_SELF,
            ranges.as_ptr(),
            ranges.len(),
            libc::MADV_DONTNEED,
            0,
        )
    };
    usize::try_from(done) == Ok(wanted)
}

/// The part of a slot behind its guard.
fn usable(stack: &Stack) -> (NonNull<u8>, usize) {
    let guard = stack.size().guard();
    // SAFETY: inside the slot.
    (
        unsafe { stack.limit().add(guard) },
        stack.size().bytes() - guard,
    )
}
