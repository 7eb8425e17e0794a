//! How coroutines that have ended leave their parent together.
//!
//! Who leaves its parent takes the parent's lock, and many that end one after another on one thread each bring its line of
//! memory there, which who launches, or who ends elsewhere, has just had. So one that has completed stays for a while, if its
//! thread goes on with another child of the same parent: the parent cannot complete before that one has ended, so nobody
//! waits for the first to be gone. Only the workers of a pool do so: a loop that has its jobs to itself has nobody to share a line
//! with, and finds what it has just used nearer than what it comes back to.
//!
//! # Roles and states
//!
//! T is the thread on which a coroutine has ended, at the *base* of its stack: between two of them, where no user's code runs.
//!
//! ```text
//! completed -T> staying    what T runs next is a *sibling* that has a stack of T's, or gets this one: it ends at a base of T's
//! staying   -T> left       at the next base of T's, unless another sibling is next then: all, under one lock
//! ```
//!
//! - Those who stay have one parent. It lives, and is not closed, since they are in its list; and the sibling for which they
//!   stay lives on T until it passes a base (R1). So where they leave at the base of another parent's child, they close nothing.
//! - One that stays has succeeded, and has nothing left that is the user's: no closure, no handler, no error, and no value but one
//!   that a handle answers for. So nobody can wait for its block to be freed, and nothing runs when it is. Who waited for its
//!   end was handed back.
//! - A walk over the children of the parent passes it by, as one that is about to leave.
//! - Handlers and destructors, which run in frames that do not suspend, pass no base.
//! - What blocks cost is bounded: so few stay ([`MOST`]) on each thread.

use std::cell::Cell;
use std::iter;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use crate::job::node::JobNode;
use crate::task::home::Home;
use crate::task::inbox::Linked;
use crate::task::{Task, finish};

/// So many stay, at most.
const MOST: u32 = 15;

/// Those that stay, on one thread.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Their parent. Null if there are none.
    parent: Cell<*const JobNode>,
    count: Cell<u32>,
    /// The one that came first, linked to the one after it: so their blocks go back in the order of all others of the thread, and
    /// are taken in that order again, which is that of their addresses mostly.
    oldest: Cell<*const Task>,
    /// The one that came last, if there is one.
    newest: Cell<*const Task>,
    /// A sibling follows the one that runs now: so that may stay.
    expected: Cell<bool>,
}

impl Leaving {
    pub(crate) const fn new() -> Self {
        Self {
            parent: Cell::new(ptr::null()),
            count: Cell::new(0),
            oldest: Cell::new(ptr::null()),
            newest: Cell::new(ptr::null()),
            expected: Cell::new(false),
        }
    }

    /// Whether the coroutine that ends now may stay.
    #[inline(always)]
    pub(crate) fn is_expected(&self) -> bool {
        self.expected.get()
    }

    /// Says whether the coroutine that is next ends between siblings, as far as one can tell: it may stay.
    #[inline(always)]
    pub(crate) fn expect(&self, is_expected: bool) {
        self.expected.set(is_expected);
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.parent.get().is_null()
    }

    /// Has a child of this parent stay.
    #[inline(always)]
    fn stay(&self, parent: *const JobNode, task: &Task) {
        debug_assert!(self.is_empty() || self.parent.get() == parent);
        self.parent.set(parent);
        self.count.set(self.count.get() + 1);
        // It has ended, so it is in no queue; and its own count keeps it until it has left.
        task.link().store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: it stays, so its own count keeps it.
        match unsafe { self.newest.replace(task).as_ref() } {
            Some(newest) => {
                let link = newest.link();
                link.store(ptr::from_ref(task).cast_mut(), Ordering::Relaxed);
            }
            None => self.oldest.set(task),
        }
    }

    /// All of them leave. Their parent, if it is the caller's to finalise.
    #[inline(never)]
    fn leave(&self) -> Option<*const Task> {
        self.parent.set(ptr::null());
        self.count.set(0);
        self.newest.set(ptr::null());
        finish::leave_together(self.oldest.replace(ptr::null()))
    }
}

/// Those that stay, as they are linked. The next one is looked up before one is given.
pub(super) fn chain(oldest: *const Task) -> impl Iterator<Item = NonNull<Task>> {
    let mut at = oldest;
    iter::from_fn(move || {
        let this = NonNull::new(at.cast_mut())?;
        // SAFETY: its own count keeps it until it has left, which is after this.
        at = unsafe { this.as_ref() }.link().load(Ordering::Relaxed);
        Some(this)
    })
}

/// A coroutine has ended on this thread, and the caller is at the base of its stack. If it stays (else it is null), it leaves its
/// parent now or with those that end after it. `is_followed` says that a sibling is surely resumed, or started on this stack, as
/// the next of this thread. The parent, if it is the caller's to finalise. No user's code runs in here.
#[inline(always)]
pub(crate) fn part(
    home: &'static Home,
    stays: *const Task,
    is_followed: bool,
) -> Option<*const Task> {
    let leaving = &home.local.leaving;
    // SAFETY: its own count keeps it until it has left.
    let Some(task) = (unsafe { stays.as_ref() }) else {
        return leaving.leave();
    };
    let parent = task.job.parent();
    if leaving.is_empty() && !is_followed {
        return finish::leave_parent(task);
    }
    if !leaving.is_empty() && leaving.parent.get() != parent {
        let closed = leaving.leave();
        debug_assert!(closed.is_none(), "the sibling for which they stay lives");
    }
    leaving.stay(parent, task);
    if is_followed && leaving.count.get() <= MOST {
        return None;
    }
    leaving.leave()
}
