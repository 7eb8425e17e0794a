//! What other threads send to a thread: coroutines to be resumed or started there.
//!
//! A Treiber stack (R. K. Treiber, 1986) of intrusive links, taken whole by its one consumer and turned round, so that
//! the order of arrival is kept. A push allocates nothing. Since the consumer takes everything by one exchange, there
//! is no pop that could meet a reused head (no ABA).
//!
//! P pushes from any thread, O is the owner. `push` says whether the inbox was empty: only then does P look at the
//! owner's sleep word (`sleep.rs`), since a P before it has done so already.

use std::ptr;

use crate::util::sync::{AtomicPtr, Ordering};

/// What can stand in an inbox: it has a link that nobody else uses while it does.
pub(crate) trait Linked {
    fn link(&self) -> &AtomicPtr<Self>
    where
        Self: Sized;
}

/// The inbox of one thread.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    head: AtomicPtr<T>,
}

impl<T: Linked> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// P: adds a chain whose links lead from `newest` to `oldest`. True if the inbox was empty.
    ///
    /// # Safety
    ///
    /// All of the chain stay alive, and in no other queue, until the owner has taken them.
    pub(crate) unsafe fn push_chain(&self, newest: *const T, oldest: *const T) -> bool {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller vouches for the chain.
            unsafe { &*oldest }.link().store(head, Ordering::Relaxed);
            // ORDERING: seq-cst: the push comes before P's look at the sleep word (sleep.rs); it is also the release
            // that publishes the slot which a resumer has written.
            #[cfg(not(mutation = "inbox_push_relaxed"))]
            let order = Ordering::SeqCst;
            #[cfg(mutation = "inbox_push_relaxed")]
            let order = Ordering::Relaxed;
            match self
                .head
                .compare_exchange_weak(head, newest.cast_mut(), order, Ordering::Relaxed)
            {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    /// O: is there anything? Sequentially consistent, for the look between announcing sleep and sleeping.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // ORDERING: seq-cst, see sleep.rs.
        cfg!(mutation = "inbox_unlooked") || self.head.load(Ordering::SeqCst).is_null()
    }

    /// O: a cheap look that may miss what has just come.
    #[inline]
    pub(crate) fn looks_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// O: takes everything and hands it over, oldest first.
    pub(crate) fn drain(&self, mut take: impl FnMut(*const T)) {
        // ORDERING: acquire pairs with the release of each push.
        let mut newest = self.head.swap(ptr::null_mut(), Ordering::AcqRel);
        let mut oldest: *mut T = ptr::null_mut();
        while !newest.is_null() {
            // SAFETY: what was taken is alive until it is handed over.
            let link = unsafe { &*newest }.link();
            let next = link.load(Ordering::Relaxed);
            link.store(oldest, Ordering::Relaxed);
            oldest = newest;
            newest = next;
        }
        while !oldest.is_null() {
            // SAFETY: as above; the link is read before the thing is handed over.
            let next = unsafe { &*oldest }.link().load(Ordering::Relaxed);
            take(oldest);
            oldest = next;
        }
    }
}
