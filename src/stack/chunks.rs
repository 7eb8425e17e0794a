//! Which addresses belong to stacks: a table that a signal handler may read.
//!
//! Roles: the *registrar* is a thread that has reserved a chunk; the *reader* is any thread, in a signal handler too,
//! that has an address. A chunk is never unmapped, so entries are only ever added and a reader needs no lock. The
//! registrar takes an index of its own, writes the entry's other fields, and publishes it by its base.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::size::StackSize;
use super::slot;
use super::store::Store;

/// The most chunks there can be. Doubling as they do, a few dozen fill the address space; more are needed only where
/// they come in small pieces.
pub(super) const MOST: usize = 1024;

/// One chunk, or room for one.
#[derive(Debug)]
struct Entry {
    /// The lowest address; null until the other fields are valid.
    base: AtomicPtr<u8>,
    bytes: AtomicUsize,
    /// Base-2 logarithm of the size class of its slots.
    log2: AtomicUsize,
    /// Bytes of the guard of each slot.
    guard: AtomicUsize,
    /// The store that its slots go back to.
    store: AtomicPtr<Store>,
}

static TABLE: [Entry; MOST] = [const {
    Entry {
        base: AtomicPtr::new(ptr::null_mut()),
        bytes: AtomicUsize::new(0),
        log2: AtomicUsize::new(0),
        guard: AtomicUsize::new(0),
        store: AtomicPtr::new(ptr::null_mut()),
    }
}; MOST];

/// How many indices have been taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A reserved run of slots of one class.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) base: NonNull<u8>,
    pub(super) bytes: usize,
    pub(super) size: StackSize,
    /// Bytes of the guard of each slot.
    pub(super) guard: usize,
    pub(super) store: &'static Store,
}

/// The slot that an address lies in.
#[derive(Debug)]
pub(super) struct Place {
    /// The slot's lowest address.
    pub(super) base: *mut u8,
    pub(super) size: StackSize,
    /// Where frames begin, as of [`super::Stack::top`].
    pub(super) top: *mut u8,
    /// Bytes of its guard.
    pub(super) guard: usize,
    pub(super) store: &'static Store,
}

/// Makes a chunk known; false if there is no room for it.
#[must_use]
pub(super) fn register(chunk: &Chunk) -> bool {
    // ORDERING: relaxed, for the index alone is handed out here; the entry is published by its base below.
    let taken = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
        (taken < MOST).then_some(taken + 1)
    });
    let Ok(index) = taken else { return false };
    let entry = &TABLE[index];
    // ORDERING: relaxed, published by the release of `base`.
    entry.bytes.store(chunk.bytes, Ordering::Relaxed);
    entry
        .log2
        .store(chunk.size.log2() as usize, Ordering::Relaxed);
    entry.guard.store(chunk.guard, Ordering::Relaxed);
    entry
        .store
        .store(ptr::from_ref(chunk.store).cast_mut(), Ordering::Relaxed);
    // ORDERING: release pairs with the acquire in `place_of`: who sees the base sees the other fields.
    entry.base.store(chunk.base.as_ptr(), Ordering::Release);
    true
}

/// Finds the slot that an address lies in. Reads atomics only, so a signal handler may call it.
pub(super) fn place_of(address: usize) -> Option<Place> {
    // ORDERING: relaxed, as an entry that is not yet published is skipped, and whoever holds a slot of a chunk got it
    // from the registrar through a lock.
    let taken = TAKEN.load(Ordering::Relaxed);
    TABLE[..taken]
        .iter()
        .find_map(|entry| entry.place_of(address))
}

impl Entry {
    fn place_of(&self, address: usize) -> Option<Place> {
        // ORDERING: acquire pairs with the registrar's release; null means that the entry is not published yet.
        let base = self.base.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        let offset = address.checked_sub(base.addr())?;
        // ORDERING: relaxed, like the loads below: written before the base was published, and never again.
        if offset >= self.bytes.load(Ordering::Relaxed) {
            return None;
        }
        let size = StackSize::from_log2(self.log2.load(Ordering::Relaxed) as u32);
        let low_end = base.wrapping_add(offset - offset % size.slot_bytes());
        Some(Place {
            base: low_end,
            size,
            top: low_end.wrapping_add(slot::top_offset(low_end.addr(), size)),
            guard: self.guard.load(Ordering::Relaxed),
            // SAFETY: it was made from a `&'static Store` by the registrar, before the base was published.
            store: unsafe { &*self.store.load(Ordering::Relaxed) },
        })
    }
}
