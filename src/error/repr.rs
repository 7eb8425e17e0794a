//! The one pointer that an [`Error`] is, and all the unsafe code of this module.
//!
//! A plain cancellation is the most frequent error by far: cancelling a hundred thousand coroutines makes a hundred
//! thousand of them. A counted cause shared by all would be one cache line that every core writes to, so a plain
//! cancellation is no object at all: the number of its owner stands in the pointer's place.
//!
//! ```text
//! bit 0 = 1   a plain cancellation; bits 1..64 are the owner's id, 0 for none
//! bit 0 = 0   what `Arc::<Node>::into_raw` gave; this value is one of the counted owners
//! ```
//!
//! Counting is left to `Arc`. What is our own is the tag, and the casts from an [`Error`] to the types that show one.

use super::node::Node;
use super::{Cancelled, Error, Foreign, Panicked, TimedOut};
use std::mem::ManuallyDrop;
use std::num::NonZero;
use std::ptr::{self, NonNull};
use std::sync::Arc;

const INLINE: usize = 1;

// An id fills the word next to the tag, and the tag needs a bit that no node's address uses.
const _: () = assert!(usize::BITS == 64 && align_of::<Node>() > INLINE);
const _: () = assert!(size_of::<Error>() == 8 && size_of::<Option<Error>>() == 8);
const _: () = assert!(size_of::<super::Result<()>>() == 8);

pub(super) struct Repr(NonNull<Node>);

/// What a [`Repr`] says.
pub(super) enum Content<'a> {
    /// A cancellation without message or cause.
    Inline {
        /// The coroutine that owns the cancelled job, 0 for none.
        owner: u64,
    },
    Boxed(&'a Node),
}

const fn assert_shareable<T: Send + Sync>() {}
const _: () = assert_shareable::<Node>();

// SAFETY: it is an `Arc<Node>` or a number, and `Node` is `Send + Sync` by the assertion above.
unsafe impl Send for Repr {}
// SAFETY: as for `Send`.
unsafe impl Sync for Repr {}

impl Repr {
    #[inline]
    pub(super) const fn inline(owner: u64) -> Self {
        debug_assert!(
            owner >> 63 == 0,
            "ids are counted up from 1 and never use the top bit"
        );
        let word = ((owner as usize) << 1) | INLINE;
        // The tag makes the word non-zero whatever the id is.
        Repr(NonNull::without_provenance(NonZero::new(word).unwrap()))
    }

    pub(super) fn boxed(node: Node) -> Self {
        let node = Arc::into_raw(Arc::new(node)).cast_mut();
        // SAFETY: `Arc::into_raw` never returns null.
        Repr(unsafe { NonNull::new_unchecked(node) })
    }

    #[inline]
    fn is_inline(&self) -> bool {
        self.word() & INLINE != 0
    }

    /// The bits themselves: equal exactly for the same failure.
    #[inline]
    pub(super) fn word(&self) -> usize {
        self.0.addr().get()
    }

    #[inline]
    pub(super) fn content(&self) -> Content<'_> {
        if self.is_inline() {
            return Content::Inline {
                owner: (self.word() >> 1) as u64,
            };
        }
        // SAFETY: without the tag it came from `Arc::into_raw`, and `self` holds one count as long as the borrow
        // lasts.
        Content::Boxed(unsafe { self.0.as_ref() })
    }

    /// The node, if this was its last owner.
    pub(super) fn into_last_node(self) -> Option<Node> {
        Arc::into_inner(self.into_arc().ok()?)
    }

    /// The node, if this is its only owner; else the representation as it was.
    pub(super) fn into_sole_node(self) -> Result<Node, Self> {
        Arc::try_unwrap(self.into_arc()?).map_err(|shared| {
            let node = Arc::into_raw(shared).cast_mut();
            // SAFETY: `Arc::into_raw` never returns null.
            Repr(unsafe { NonNull::new_unchecked(node) })
        })
    }

    /// Hands the count over to an `Arc`; an inline one has none and comes back.
    fn into_arc(self) -> Result<Arc<Node>, Self> {
        if self.is_inline() {
            return Err(self);
        }
        let node = ManuallyDrop::new(self).0.as_ptr();
        // SAFETY: without the tag it came from `Arc::into_raw`; the count of `self` passes over, as its drop is off.
        Ok(unsafe { Arc::from_raw(node) })
    }

    // Out of line, so that what drops a plain cancellation pays for one test of a bit.
    #[inline(never)]
    fn release(&mut self) {
        // SAFETY: without the tag (the caller looked) it came from `Arc::into_raw`, and `drop` gives its count up
        // once.
        let node = unsafe { Arc::from_raw(self.0.as_ptr()) };
        if let Some(node) = Arc::into_inner(node) {
            node.dismantle();
        }
    }
}

impl Clone for Repr {
    #[inline]
    fn clone(&self) -> Self {
        if !self.is_inline() {
            // SAFETY: without the tag it came from `Arc::into_raw`, and `self` keeps the count above zero meanwhile.
            unsafe { Arc::increment_strong_count(self.0.as_ptr()) };
        }
        Repr(self.0)
    }
}

impl Drop for Repr {
    #[inline]
    fn drop(&mut self) {
        if !self.is_inline() {
            self.release();
        }
    }
}

// An `Error` derefs to a `dyn std::error::Error`, so something must stand there that is one. Inline there is no
// room for it, hence the error itself is shown under another type.

pub(super) fn as_cancelled(error: &Error) -> &Cancelled {
    let view = ptr::from_ref(error).cast::<Cancelled>();
    // SAFETY: `Cancelled` is `repr(transparent)` around an `Error`; the borrow keeps its lifetime.
    unsafe { &*view }
}

pub(super) fn as_timed_out(error: &Error) -> &TimedOut {
    let view = ptr::from_ref(error).cast::<TimedOut>();
    // SAFETY: `TimedOut` is `repr(transparent)` around an `Error`; the borrow keeps its lifetime.
    unsafe { &*view }
}

pub(super) fn as_panicked(error: &Error) -> &Panicked {
    let view = ptr::from_ref(error).cast::<Panicked>();
    // SAFETY: `Panicked` is `repr(transparent)` around an `Error`; the borrow keeps its lifetime.
    unsafe { &*view }
}

pub(super) fn as_foreign(error: &Error) -> &Foreign {
    let view = ptr::from_ref(error).cast::<Foreign>();
    // SAFETY: `Foreign` is `repr(transparent)` around an `Error`; the borrow keeps its lifetime.
    unsafe { &*view }
}
