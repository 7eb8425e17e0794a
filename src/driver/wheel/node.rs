//! The node that a sleeper links into the wheel.
//!
//! It lives in the sleeper's own frame, so that a sleep allocates nothing. The price is one promise
//! of the caller: a linked node stays where it is. [`Linked`] carries that promise, so that it is
//! used in one place, here.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomPinned;
use std::ptr::NonNull;

use crate::util::prefetch;

/// How many lines of memory a node covers, wherever in the first one it begins, with what its owner needs behind it.
const NODE_LINES: usize = size_of::<TimerNode>().div_ceil(64) + 1;
/// How many of what firing it will touch are asked for: all of a task's block, or all but the end.
const SUBJECT_LINES: usize = 3;

/// A timer in its owner's frame: a deadline, and what to do when it has passed.
///
/// It belongs to one thread. It is linked from [`Wheel::insert`](super::Wheel::insert) to
/// [`Wheel::remove`](super::Wheel::remove) or to the
/// [`Wheel::pop_expired`](super::Wheel::pop_expired) that returns it, and may then be inserted
/// again.
#[repr(C)]
pub struct TimerNode {
    /// In the heap: the next sibling. Unused in a slot, as the other two.
    pub(super) next: Cell<Link>,
    /// In the heap: the sibling before, or the parent.
    pub(super) prev: Cell<Link>,
    /// In the heap: the first child.
    pub(super) child: Cell<Link>,
    pub(super) deadline: Cell<u64>,
    /// The number of the insertion: equal deadlines expire in this order.
    pub(super) sequence: Cell<u64>,
    pub(super) place: Cell<Place>,
    fire: unsafe fn(NonNull<TimerNode>),
    /// Memory that firing it will touch.
    subject: *const (),
    /// Others point to it, so no `&mut` to a struct that contains one may claim to be the only
    /// path.
    _pinned: PhantomPinned,
}

/// Where a node is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: the wheel does not know the node.
    Unlinked,
    /// In the heap of those whose tick has come.
    Due,
    /// In a slot: at this place of this chunk.
    Slot(u32, u16),
}

/// A link of a list or a tree.
pub(super) type Link = Option<Linked>;

/// A node that is linked into a wheel, or is being linked: to hold one is the evidence that the
/// node is alive and stays where it is. It must not be kept longer than the link.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Linked(NonNull<TimerNode>);

impl TimerNode {
    /// Makes a node that is not linked; `fire` is what [`TimerNode::fire`] will call, and
    /// `subject`, if it is not null, something that will need, to be fetched in advance.
    #[must_use]
    pub const fn new(fire: unsafe fn(NonNull<TimerNode>), subject: *const ()) -> Self {
        Self {
            next: Cell::new(None),
            prev: Cell::new(None),
            child: Cell::new(None),
            deadline: Cell::new(0),
            sequence: Cell::new(0),
            place: Cell::new(Place::Unlinked),
            fire,
            subject,
            _pinned: PhantomPinned,
        }
    }

    /// Returns whether the node is in a wheel. One that was popped is not, though its sleeper may
    /// not have run yet.
    #[inline]
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.place.get() != Place::Unlinked
    }

    /// Returns the deadline with which the node was inserted last, zero if it never was.
    #[inline]
    #[cfg(test)]
    pub fn deadline(&self) -> u64 {
        self.deadline.get()
    }

    /// Calls the function with which the node was made, and hands it the node.
    ///
    /// # Safety
    ///
    /// - `node` points to a node that is alive.
    /// - What the maker of the node demands of a caller of its function holds.
    #[inline]
    pub unsafe fn fire(node: NonNull<Self>) {
        // SAFETY: the node is alive (the caller's promise). The reference ends before the call,
        // which may free the node.
        let fire = unsafe { node.as_ref() }.fire;
        // SAFETY: the caller promises what this function demands.
        unsafe { fire(node) }
    }
}

impl fmt::Debug for TimerNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerNode")
            .field("deadline", &self.deadline.get())
            .field("sequence", &self.sequence.get())
            .field("place", &self.place.get())
            .finish_non_exhaustive()
    }
}

impl Linked {
    /// Takes the promise of a caller of the wheel.
    ///
    /// # Safety
    ///
    /// The node is alive and stays at its address as long as it is linked.
    #[inline]
    pub(super) unsafe fn new(node: NonNull<TimerNode>) -> Self {
        Self(node)
    }

    /// Returns the address, which may be kept when the node is no longer linked.
    #[inline]
    pub(super) fn as_ptr(self) -> NonNull<TimerNode> {
        self.0
    }

    /// Asks for the memory of the node.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch::lines(self.0.as_ptr(), NODE_LINES);
    }

    /// Asks for the memory of its place.
    #[inline]
    pub(super) fn prefetch_place(self) {
        prefetch::line_to_write(
            self.0
                .as_ptr()
                .wrapping_byte_add(std::mem::offset_of!(TimerNode, place)),
        );
    }

    /// Asks for the memory that firing it will touch.
    #[inline]
    pub(super) fn prefetch_subject(self) {
        if !self.subject.is_null() {
            prefetch::lines(self.subject, SUBJECT_LINES);
        }
    }

    /// Returns whether this node expires before `other`.
    #[inline]
    pub(super) fn is_before(self, other: Self) -> bool {
        (self.deadline.get(), self.sequence.get()) < (other.deadline.get(), other.sequence.get())
    }
}

impl std::ops::Deref for Linked {
    type Target = TimerNode;

    #[inline]
    fn deref(&self) -> &TimerNode {
        // SAFETY: a `Linked` is made only under the promise that the node is alive and in place
        // while it is linked, and the wheel keeps none beyond that. References are shared ones
        // only: all that changes in a node is in cells.
        unsafe { self.0.as_ref() }
    }
}
