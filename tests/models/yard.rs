//! Where the blocks and frames of a model stand.
//!
//! A thing is freed by running its destructor; its memory stays until the next interleaving. So a protocol that touches
//! a freed thing meets the seam's check instead of whatever the allocator has put there.

use std::cell::RefCell;
use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::ops::Deref;

struct Yard {
    memory: Vec<Box<dyn std::any::Any>>,
    live: HashSet<usize>,
}

// All threads of a model run on the one thread of its test.
thread_local! {
    static YARD: RefCell<Yard> = RefCell::new(Yard { memory: Vec::new(), live: HashSet::new() });
}

/// Begins an interleaving: what the last one has left is forgotten.
pub fn open() {
    YARD.with_borrow_mut(|yard| {
        yard.memory.clear();
        yard.live.clear();
    });
}

/// Ends an interleaving: everything must have been freed.
#[track_caller]
pub fn demand_empty() {
    let live = YARD.with_borrow(|yard| yard.live.len());
    assert_eq!(live, 0, "blocks that nobody has freed");
}

/// A thing in the yard, for any number of threads.
#[derive(Debug)]
pub struct Kept<T>(*const T);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kept<T> {}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

// SAFETY: the threads of a model take turns on one thread of the system.
unsafe impl<T> Send for Kept<T> {}

impl<T: 'static> Kept<T> {
    pub fn new(value: T) -> Self {
        let mut place = Box::new(MaybeUninit::uninit());
        let at: *const T = place.write(value);
        YARD.with_borrow_mut(|yard| {
            yard.memory.push(place);
            yard.live.insert(at.addr());
        });
        Self(at)
    }

    /// The thing at an address that a protocol gave.
    pub fn at(address: *const T) -> Self {
        Self(address)
    }

    pub fn as_ptr(self) -> *const T {
        self.0
    }

    /// Frees the thing: any later access to its cells fails the model.
    #[track_caller]
    pub fn free(self) {
        let lived = YARD.with_borrow_mut(|yard| yard.live.remove(&self.0.addr()));
        assert!(lived, "freed twice");
        // SAFETY: it was live until now, and the memory stays.
        unsafe { self.0.cast_mut().drop_in_place() };
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the memory stays to the end of the interleaving; the cells in it refuse to be touched once freed.
        unsafe { &*self.0 }
    }
}
