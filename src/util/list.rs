//! An intrusive doubly linked list: FIFO, removal in O(1) from anywhere, no allocation.
//!
//! The links live in the thing that is listed (a frame on a suspended stack, a job); the list holds only its two ends.
//! Whoever calls has the lock, or is the only thread, that guards the list and all links in it.

use std::ptr;

use crate::util::sync::Shared;

/// The two pointers that a listed thing carries.
#[derive(Debug)]
pub(crate) struct Links {
    prev: Shared<*const Links>,
    next: Shared<*const Links>,
}

// SAFETY: the pointers are only followed by whoever holds the guard of the list.
unsafe impl Send for Links {}
// SAFETY: as above.
unsafe impl Sync for Links {}

/// What `prev` of an entry is that is in no list, before it was in one and after [`List::take_front`].
const UNLISTED: *const Links = ptr::without_provenance(usize::MAX);

impl Links {
    pub(crate) fn new() -> Self {
        Self {
            prev: Shared::new(UNLISTED),
            next: Shared::new(ptr::null()),
        }
    }
}

/// The two ends of a list.
#[derive(Debug)]
pub(crate) struct List {
    first: Shared<*const Links>,
    last: Shared<*const Links>,
}

// SAFETY: as for `Links`.
unsafe impl Send for List {}
// SAFETY: as for `Links`.
unsafe impl Sync for List {}

#[inline(always)]
fn get(cell: &Shared<*const Links>) -> *const Links {
    // SAFETY: the caller of every list operation holds the guard, so nobody writes meanwhile.
    cell.with(|p| unsafe { *p })
}

#[inline(always)]
fn set(cell: &Shared<*const Links>, value: *const Links) {
    // SAFETY: as in `get`, and nobody reads meanwhile.
    cell.with_mut(|p| unsafe { *p = value });
}

impl List {
    pub(crate) fn new() -> Self {
        Self {
            first: Shared::new(ptr::null()),
            last: Shared::new(ptr::null()),
        }
    }

    /// The first entry, or null.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of this list.
    #[inline]
    pub(crate) unsafe fn first(&self) -> *const Links {
        get(&self.first)
    }

    /// The entry behind `links`, or null.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of the list that `links` is in.
    #[inline]
    pub(crate) unsafe fn after(links: *const Links) -> *const Links {
        // SAFETY: a listed entry is alive.
        get(unsafe { &(*links).next })
    }

    /// Appends an entry.
    ///
    /// # Safety
    ///
    /// - The caller holds the guard of this list.
    /// - `links` is in no list, and stays alive and in place until it is removed.
    #[inline]
    pub(crate) unsafe fn push_back(&self, links: *const Links) {
        let last = get(&self.last);
        // SAFETY: the caller vouches for `links`.
        let entry = unsafe { &*links };
        set(&entry.prev, last);
        set(&entry.next, ptr::null());
        if last.is_null() {
            set(&self.first, links);
        } else {
            // SAFETY: a listed entry is alive.
            set(unsafe { &(*last).next }, links);
        }
        set(&self.last, links);
    }

    /// Puts an entry in front of all others.
    ///
    /// # Safety
    ///
    /// As for [`List::push_back`].
    pub(crate) unsafe fn push_front(&self, links: *const Links) {
        let first = get(&self.first);
        // SAFETY: the caller vouches for `links`.
        let entry = unsafe { &*links };
        set(&entry.prev, ptr::null());
        set(&entry.next, first);
        if first.is_null() {
            set(&self.last, links);
        } else {
            // SAFETY: a listed entry is alive.
            set(unsafe { &(*first).prev }, links);
        }
        set(&self.first, links);
    }

    /// Takes an entry out.
    ///
    /// # Safety
    ///
    /// - The caller holds the guard of this list.
    /// - `links` is in this very list.
    #[inline]
    pub(crate) unsafe fn remove(&self, links: *const Links) {
        // SAFETY: a listed entry is alive.
        let entry = unsafe { &*links };
        let (prev, next) = (get(&entry.prev), get(&entry.next));
        if prev.is_null() {
            set(&self.first, next);
        } else {
            // SAFETY: a listed entry is alive.
            set(unsafe { &(*prev).next }, next);
        }
        if next.is_null() {
            set(&self.last, prev);
        } else {
            // SAFETY: a listed entry is alive.
            set(unsafe { &(*next).prev }, prev);
        }
    }

    /// Takes an entry out that is in this list or in `other`.
    ///
    /// # Safety
    ///
    /// - The caller holds the guard of both lists.
    /// - `links` is in one of them.
    #[inline]
    pub(crate) unsafe fn remove_from_either(&self, other: &List, links: *const Links) {
        // Only at an end does it matter which one it is.
        let is_other = links == get(&other.first) || links == get(&other.last);
        let list = if is_other { other } else { self };
        // SAFETY: in that list, or between two entries.
        unsafe { list.remove(links) };
    }

    /// Appends all entries of `other`, which is empty then.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of both lists.
    pub(crate) unsafe fn append(&self, other: &List) {
        let (first, last) = (get(&other.first), get(&other.last));
        if first.is_null() {
            return;
        }
        let before = get(&self.last);
        // SAFETY: a listed entry is alive.
        set(unsafe { &(*first).prev }, before);
        if before.is_null() {
            set(&self.first, first);
        } else {
            // SAFETY: as above.
            set(unsafe { &(*before).next }, first);
        }
        set(&self.last, last);
        set(&other.first, ptr::null());
        set(&other.last, ptr::null());
    }

    /// Takes the first entry out, or gives null, for a list that is [asked](List::has) what it has.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of this list. Nothing is put into it any more.
    #[inline]
    pub(crate) unsafe fn take_front(&self) -> *const Links {
        // SAFETY: passed on to the caller.
        let first = unsafe { self.pop_front() };
        // Of the last one that is known anyway.
        if !get(&self.first).is_null() {
            // SAFETY: it was listed until now, so it is alive.
            set(unsafe { &(*first).prev }, UNLISTED);
        }
        first
    }

    /// Whether it has an entry that is in no other list, and comes out of this one by [`List::take_front`], or by
    /// [`List::remove`] and is not asked for any more.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of this list.
    pub(crate) unsafe fn has(&self, links: &Links) -> bool {
        !get(&self.first).is_null() && get(&links.prev) != UNLISTED
    }

    /// Takes the first entry out, or gives null.
    ///
    /// # Safety
    ///
    /// The caller holds the guard of this list.
    #[inline]
    pub(crate) unsafe fn pop_front(&self) -> *const Links {
        let first = get(&self.first);
        if !first.is_null() {
            // SAFETY: `first` is in this list, and the caller holds its guard.
            unsafe { self.remove(first) };
        }
        first
    }
}
