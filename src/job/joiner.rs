//! Those who wait for a job to complete.
//!
//! A waiter is a node in the frame of the one who waits. It is linked under the job's lock, while the job has not
//! completed; completion takes the whole list and publishes COMPLETED under the same lock. So a waiter that was linked is
//! claimed by the completer, and one that comes later finds the job completed.

use crate::job::node::JobNode;
use crate::job::state::{COMPLETED, State};
use crate::util::list::Links;
use crate::util::lock::SpinGuard;

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

/// Takes a waiter out again; does nothing if the job has completed, and so has taken it out itself.
///
/// # Safety
///
/// `links` was linked by [`join`] into this job's list.
pub(crate) unsafe fn leave(job: &JobNode, links: &Links) {
    let _guard = job.lock();
    if !job.state().has(COMPLETED) || cfg!(mutation = "joiner_leave_blind") {
        // SAFETY: the lock is held, and without COMPLETED nobody has taken the list.
        unsafe { job.joiners.remove(links) };
    }
}

/// Publishes the outcome and takes the waiters, in the order of their arrival. `claim` runs under the lock for each; it
/// may claim the waiter's coroutine, and the node may die once that coroutine is queued, which is why it must not be
/// queued before this function has returned.
#[inline]
pub(crate) fn complete(
    job: &JobNode,
    flags: impl FnOnce(State) -> u32,
    claim: impl FnMut(*const Links),
) {
    complete_locked(job, &job.lock(), flags, claim);
}

/// The same; the guard shows that the job's lock is held.
#[inline]
pub(super) fn complete_locked(
    job: &JobNode,
    guard: &SpinGuard<'_>,
    flags: impl FnOnce(State) -> u32,
    mut claim: impl FnMut(*const Links),
) {
    let outcome = flags(job.state());
    loop {
        // SAFETY: the lock is held.
        let links = unsafe { job.joiners.pop_front() };
        if links.is_null() {
            break;
        }
        claim(links);
        #[cfg(mutation = "joiner_second_forgotten")]
        break;
    }
    job.set_relaxed_order(guard, COMPLETED | outcome);
}
