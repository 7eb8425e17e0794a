//! Those who wait for a job to complete.
//!
//! A waiter is a node in the frame of the one who waits, or in its block. It is linked under the job's lock, while the job has not
//! completed; completion publishes COMPLETED and takes waiters under the same lock. So a waiter that was linked is claimed by
//! the completer, and one that comes later finds the job completed.
//!
//! ```text
//! unlisted -join-> listed -complete, complete_more-> unlisted    the completer claims the owner, unless that was cancelled
//!                  listed -leave-> gone                          the owner, whom a cancellation has claimed
//! ```
//!
//! Each arrow is taken under the lock. Completion takes a slice of the list at a time, and lets go of the lock in between: the
//! first go on while the last are still cold, and whoever wants the lock does not wait for a hundred thousand. Until it is
//! taken a waiter may be cancelled, although the job has completed.
//!
//! Who waits for many jobs has a node in the list of each, and a [`Countdown`]. Its suspension is published before the first
//! node is linked, and it counts as one more job until the last is: so whoever counts down to zero finds it suspended, or it
//! is the owner itself, and nobody has claimed it. After the wait the owner takes its nodes out, which waits for every
//! completer that may still touch one: unless all have counted down, which is the last that they do, and it was the last of
//! them that has claimed it. (One that a cancellation has claimed cannot know whether the last is about to try.)

use std::ptr;

use crate::job::node::JobNode;
use crate::job::slice::SLICE;
use crate::job::state::{COMPLETED, State};
use crate::util::list::Links;
use crate::util::lock::SpinGuard;
use crate::util::sync::{AtomicPtr, AtomicU32, Ordering};

/// Links a waiter unless the job has completed; `publish` runs under the lock after the link. True if it was linked.
///
/// # Safety
///
/// `links` stays in place until it was unlinked or claimed.
#[inline]
pub(crate) unsafe fn join(job: &JobNode, links: &Links, publish: impl FnOnce()) -> bool {
    let guard = job.lock();
    if job.state().has(COMPLETED) {
        return false;
    }
    // SAFETY: the lock is held, and the caller vouches for the links.
    unsafe { job.joiners.push_back(links) };
    #[cfg(mutation = "joiner_publish_unlocked")]
    drop(guard);
    publish();
    #[cfg(not(mutation = "joiner_publish_unlocked"))]
    drop(guard);
    true
}

/// Takes a waiter out again; does nothing if it was never linked, or if the completion has taken it out.
///
/// # Safety
///
/// `links` was in no other list than this job's, by [`join`].
pub(crate) unsafe fn leave(job: &JobNode, links: &Links) {
    let _guard = job.lock();
    let is_listed = if cfg!(mutation = "joiner_leave_blind") {
        true
    } else if cfg!(mutation = "joiner_leave_by_state") {
        !job.state().has(COMPLETED)
    } else {
        // SAFETY: the lock is held.
        unsafe { job.joiners.has(links) }
    };
    if is_listed {
        // SAFETY: the lock is held, and it is in this list.
        unsafe { job.joiners.remove(links) };
    }
}

/// Publishes the outcome and takes the first waiters, in the order of their arrival. `claim` runs under the lock for each; it
/// may claim the waiter's coroutine, and the node may die once that coroutine is queued, which is why it must not be
/// queued before this function has returned. True if there may be more, whom [`complete_more`] takes.
#[inline]
#[must_use]
pub(crate) fn complete(
    job: &JobNode,
    flags: impl FnOnce(State) -> u32,
    claim: impl FnMut(*const Links),
) -> bool {
    complete_locked(job, &job.lock(), flags, claim)
}

/// The same; the guard shows that the job's lock is held.
#[inline]
#[must_use]
pub(super) fn complete_locked(
    job: &JobNode,
    guard: &SpinGuard<'_>,
    flags: impl FnOnce(State) -> u32,
    mut claim: impl FnMut(*const Links),
) -> bool {
    let outcome = flags(job.state());
    let mut left = SLICE;
    while left > 0 {
        // SAFETY: the lock is held.
        let links = unsafe { job.joiners.take_front() };
        if links.is_null() {
            break;
        }
        claim(links);
        left -= 1;
        #[cfg(mutation = "joiner_second_forgotten")]
        break;
    }
    job.set_relaxed_order(guard, COMPLETED | outcome);
    left == 0 && !cfg!(mutation = "joiner_rest_forgotten")
}

/// Takes some more of those who wait for a job that has completed, as [`complete`] takes the first. `ask` runs for each of
/// them before the first is claimed: it may ask for their memory. True if there may be more still.
#[must_use]
pub(crate) fn complete_more(
    job: &JobNode,
    mut ask: impl FnMut(*const Links),
    claim: impl FnMut(*const Links),
) -> bool {
    let mut some = [ptr::null(); SLICE];
    let _guard = job.lock();
    let mut count = 0;
    for place in &mut some {
        // SAFETY: the lock is held.
        *place = unsafe { job.joiners.take_front() };
        if place.is_null() {
            break;
        }
        ask(*place);
        count += 1;
    }
    some[..count].iter().copied().for_each(claim);
    count == SLICE
}

/// The jobs that one frame waits for: the last that succeeds claims it, or the first that does not.
#[derive(Debug)]
pub(crate) struct Countdown {
    /// The jobs that have not succeeded, and one while the owner has not linked all its nodes.
    left: AtomicU32,
    /// The node in the list of the first job that has not succeeded.
    unhappy: AtomicPtr<Links>,
}

impl Countdown {
    pub(crate) fn new(jobs: u32) -> Self {
        Self {
            left: AtomicU32::new(jobs + 1),
            unhappy: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// A completer, under the lock of its job, has taken this node out. True if it is to claim the owner; if not, it must
    /// not touch the node any more.
    pub(crate) fn arrive(&self, node: *const Links, succeeded: bool) -> bool {
        if succeeded {
            // ORDERING: release for the completion, acquire for those of the others, if it is the last.
            let order = if cfg!(mutation = "countdown_relaxed") {
                Ordering::Relaxed
            } else {
                Ordering::AcqRel
            };
            return self.left.fetch_sub(1, order) == 1;
        }
        // It stays counted, so the owner takes out its nodes before it leaves its frame.
        // ORDERING: release for the completion; one that comes second changes nothing.
        let _ = self.unhappy.compare_exchange(
            ptr::null_mut(),
            node.cast_mut(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        #[cfg(mutation = "countdown_counts_the_unhappy")]
        self.left.fetch_sub(1, Ordering::AcqRel);
        true
    }

    /// Owner: all nodes are linked, save those of `before` jobs that had succeeded. True if all others have, too: then none
    /// of them claims.
    pub(crate) fn settle(&self, before: u32) -> bool {
        // ORDERING: as in `arrive`.
        self.left.fetch_sub(before + 1, Ordering::AcqRel) == before + 1
    }

    /// Owner: whether it may go and leave its nodes: all have succeeded, and so have touched these for the last time, and the one
    /// who has woken it is the last of them; if it `is_cancelled`, that one may be about to claim it all the same.
    pub(crate) fn is_over(&self, is_cancelled: bool) -> bool {
        #[cfg(mutation = "countdown_forgets_the_last")]
        let is_cancelled = is_cancelled && false;
        // ORDERING: acquire for what they have done.
        !is_cancelled && self.left.load(Ordering::Acquire) == 0
    }

    /// Owner: the node of the first job that has not succeeded, if one claimed it for that.
    pub(crate) fn unhappy(&self) -> *const Links {
        self.unhappy.load(Ordering::Acquire)
    }
}
