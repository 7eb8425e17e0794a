//! Where slots come from: for each size class, chunks of address space that are reserved once and never given back.
//!
//! A chunk is one mapping, so a million stacks need a few dozen. Chunks double in size, from 256 MiB up, since address
//! space costs nothing before it is touched. A slot that was given back waits in its class's store for the next one.
//!
//! The table of chunks is read by a signal handler (`overflow`), so it is made of atomics and only grows.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::guards;
use super::{Stack, StackError, StackSize};

const FIRST_CHUNK: usize = 256 << 20;
const LARGEST_CHUNK: usize = 64 << 30;
/// The fewest slots for which a chunk is worth a mapping.
const FEWEST: usize = 8;
const MOST_CHUNKS: usize = 512;

/// The slots of one class that no worker holds.
#[derive(Debug)]
struct Class {
    /// Slots that were used before. The last `untrimmed` of them may still hold memory.
    free: Vec<NonNull<u8>>,
    untrimmed: usize,
    /// The part of the newest chunk that was never used.
    fresh: Option<(NonNull<u8>, usize)>,
    next_chunk: usize,
}

// SAFETY: the slots are memory that the class owns.
unsafe impl Send for Class {}

static CLASSES: [Mutex<Class>; StackSize::CLASSES] = [const {
    Mutex::new(Class {
        free: Vec::new(),
        untrimmed: 0,
        fresh: None,
        next_chunk: FIRST_CHUNK,
    })
}; StackSize::CLASSES];

fn class(size: StackSize) -> MutexGuard<'static, Class> {
    CLASSES[size.class()]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// A line of the table that the signal handler reads. `bytes` is written last.
#[derive(Debug)]
struct ChunkEntry {
    base: AtomicUsize,
    shift: AtomicUsize,
    bytes: AtomicUsize,
}

static CHUNKS: [ChunkEntry; MOST_CHUNKS] = [const {
    ChunkEntry {
        base: AtomicUsize::new(0),
        shift: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
    }
}; MOST_CHUNKS];
static CHUNK_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Takes a slot: one that was used before if there is one.
pub(crate) fn allocate(size: StackSize) -> Result<Stack, StackError> {
    let mut class = class(size);
    if let Some(base) = class.free.pop() {
        class.untrimmed = class.untrimmed.saturating_sub(1);
        // SAFETY: the store owned it.
        return Ok(unsafe { Stack::from_raw(base, size) });
    }
    let (base, left) = match class.fresh {
        Some(fresh) => fresh,
        None => class.reserve(size)?,
    };
    guards().protect(base, size)?;
    // SAFETY: there are `left` slots from `base` on.
    let rest = unsafe { base.add(size.bytes()) };
    class.fresh = (left > 1).then_some((rest, left - 1));
    // SAFETY: cut from the chunk just now.
    Ok(unsafe { Stack::from_raw(base, size) })
}

/// Gives a slot back.
pub(super) fn give_back(base: NonNull<u8>, size: StackSize) {
    let mut class = class(size);
    class.free.push(base);
    class.untrimmed += 1;
}

/// Takes up to `most` of the stored slots that may hold memory, for a worker that is about to trim them, with the lock
/// released meanwhile.
pub(super) fn take_untrimmed(size: StackSize, most: usize) -> Vec<Stack> {
    let mut class = class(size);
    let count = class.untrimmed.min(most);
    class.untrimmed -= count;
    let at = class.free.len() - count;
    // SAFETY: the store owned them.
    class
        .free
        .drain(at..)
        .map(|base| unsafe { Stack::from_raw(base, size) })
        .collect()
}

/// Gives slots back that hold no memory.
pub(super) fn give_back_trimmed(stacks: Vec<Stack>) {
    for stack in stacks {
        let (base, size) = stack.into_raw();
        let mut class = class(size);
        let at = class.free.len() - class.untrimmed;
        class.free.push(base);
        let last = class.free.len() - 1;
        // Those that hold memory stay behind those that do not.
        class.free.swap(at, last);
    }
}

impl Class {
    /// Reserves a chunk: smaller ones if the system refuses a large one.
    fn reserve(&mut self, size: StackSize) -> Result<(NonNull<u8>, usize), StackError> {
        let least = size.bytes() * FEWEST;
        let mut bytes = self.next_chunk.max(least);
        loop {
            match reserve_chunk(bytes, size) {
                Ok(base) => {
                    self.next_chunk = (bytes * 2).min(LARGEST_CHUNK);
                    return Ok((base, bytes / size.bytes()));
                }
                Err(error) if bytes / 2 < least => return Err(error),
                Err(_) => bytes /= 2,
            }
        }
    }
}

/// One mapping, aligned to the size of its slots, so that a slot's number is a shift of its address.
fn reserve_chunk(bytes: usize, size: StackSize) -> Result<NonNull<u8>, StackError> {
    let line = CHUNK_COUNT.load(Ordering::Relaxed);
    let refused = |errno| StackError::OutOfMemory {
        bytes: size.bytes(),
        errno,
    };
    if line >= MOST_CHUNKS {
        return Err(refused(libc::ENOMEM));
    }
    let reserved = bytes + size.bytes();
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: a fresh mapping.
    let mapping = unsafe { libc::mmap(std::ptr::null_mut(), reserved, access, flags, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return Err(refused(errno()));
    }
    // A huge page under a stack of which one small page is used would cost 500 times the memory. Where the kernel knows
    // no huge pages this fails, and is not needed.
    // SAFETY: our own mapping.
    unsafe { libc::madvise(mapping, reserved, libc::MADV_NOHUGEPAGE) };
    let mapping = mapping.cast::<u8>();
    let aligned = mapping.wrapping_add((mapping as usize).wrapping_neg() & (size.bytes() - 1));
    let line = CHUNK_COUNT.fetch_add(1, Ordering::Relaxed);
    let Some(entry) = CHUNKS.get(line) else {
        // SAFETY: mapped above, and unused.
        unsafe { libc::munmap(mapping.cast(), reserved) };
        return Err(refused(libc::ENOMEM));
    };
    entry.base.store(aligned as usize, Ordering::Relaxed);
    entry.shift.store(size.shift() as usize, Ordering::Relaxed);
    // ORDERING: release publishes the line to the signal handler.
    entry.bytes.store(bytes, Ordering::Release);
    Ok(NonNull::new(aligned).expect("a mapping is never at address zero"))
}

/// The slot whose guard an address lies in: its lowest address and its size. Safe to call in a signal handler.
pub(super) fn slot_of_guard(address: usize) -> Option<(NonNull<u8>, StackSize)> {
    for entry in &CHUNKS {
        let bytes = entry.bytes.load(Ordering::Acquire);
        let base = entry.base.load(Ordering::Relaxed);
        if address.wrapping_sub(base) >= bytes {
            continue;
        }
        let size = StackSize::new(1 << entry.shift.load(Ordering::Relaxed));
        let slot = address & !(size.bytes() - 1);
        if address - slot >= size.guard() {
            return None;
        }
        return NonNull::new(std::ptr::with_exposed_provenance_mut(slot)).map(|slot| (slot, size));
    }
    None
}

/// How many chunks were reserved.
#[cfg(test)]
pub(super) fn chunk_count() -> usize {
    CHUNK_COUNT.load(Ordering::Relaxed)
}

pub(super) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
