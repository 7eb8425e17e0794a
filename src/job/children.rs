//! The child list, against cancellation and completion.
//!
//! Roles: L launches (attaches a child), X cancels the parent, C is a child that ends (detaches), F is the frame or the
//! body of the parent that ends. All four may be on different threads; the parent's lock orders them.
//!
//! - L: under the lock, reads the flags and links the child. CLOSED: refused. CANCELLING: linked, and told so; L then
//!   cancels the child itself. Otherwise a later X finds it in the list, since X sets its flag under the same lock.
//! - X: under the lock, sets CANCELLING. Whoever sets it first walks the children: in slices, releasing the lock in
//!   between, with a count on the last child of a slice as the place to go on from. If that child was unlinked
//!   meanwhile, the walk starts again at the head and skips those that are cancelled already. Under the parent's lock
//!   it takes each child's, sets its flag, and leaves what has children of its own to a later turn: a walk is a loop,
//!   never recursion.
//! - C: under the lock, unlinks itself, perhaps with others that have ended on its thread, and counts down. At zero it owes
//!   the parent's completion, if the body has ended (it closes the parent), or the wake-up of the frame that waits (claimed
//!   under the lock). After it has released the lock the parent may be gone, unless it closed it.
//! - F: under the lock, either closes the parent (no child lives) or leaves word that it waits. A body that has ended without
//!   living children, and without a cancellation, completes its job in the same breath.
//!
//! The job of a scope may be loose first: its parent does not know it until it is tied, by its own thread or by whoever
//! holds the scope. Under the parent's lock the child is linked and takes over the parent's CANCELLING; an X that comes later
//! finds it in the list, and one that came before has set its flag under the same lock. The parent's lock guards the flags
//! of a loose child, since nobody comes to it who has not tied it, or waited for that lock until it was.
//!
//! A child is unlinked exactly once, and its parent lives until it is: so X may touch every child that it finds linked.

use std::mem::offset_of;

use crate::job::joiner;
use crate::job::node::JobNode;
use crate::job::slice::SLICE;
use crate::job::state::{
    BODY_DONE, CANCELLING, CLOSED, COMPLETED, LOOSE, SHIELD, SUCCEEDED, State,
};
use crate::util::list::{Links, List};

/// What became of an attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Attached {
    /// Linked under an active parent.
    Active,
    /// Linked under a cancelled parent: the launcher owes the child its cancellation.
    Cancelled,
    /// The parent takes no children any more; the child is a root without a parent.
    Refused,
}

/// What a child that has ended owes its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Detached {
    /// Nothing: others are alive, or the body still runs. The parent may be gone already.
    Nothing,
    /// The parent is closed now, and this thread completes it.
    Finalise,
    /// The parent's frame waits and was claimed by `claim_frame`; this thread queues it.
    Wake,
}

/// What a body that has ended does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Ended {
    /// The job is complete: this call has done as [`joiner::complete`] does, and gives what that does.
    Completed { more: bool },
    /// The job is closed, and this thread completes it.
    Finalise,
    /// Children are alive, and the last of them completes the job; or the job was closed before. It may be gone already.
    Children,
}

fn node_of(links: *const Links) -> *const JobNode {
    // From the address, since a pointer to the links reaches no further than they do.
    std::ptr::with_exposed_provenance(links.addr() - offset_of!(JobNode, sibling))
}

/// L: makes `child` a child of `parent`.
///
/// # Safety
///
/// `child` is new, not linked, and detached before it is freed; `parent` is alive.
#[inline]
pub(crate) unsafe fn attach(parent: &JobNode, child: &JobNode) -> Attached {
    let guard = parent.lock();
    let state = parent.state();
    if state.has(CLOSED | COMPLETED) && !cfg!(mutation = "children_attach_closed") {
        return Attached::Refused;
    }
    child.set_parent(parent);
    // SAFETY: the parent's lock is held, and the caller vouches for the child.
    unsafe { parent.children.push_back(&child.sibling) };
    // SAFETY: the lock is held.
    parent.live.with_mut(|live| unsafe { *live += 1 });
    drop(guard);
    #[cfg(mutation = "children_attach_blind")]
    let state = State(state.0 & !CANCELLING);
    if state.has(CANCELLING) {
        Attached::Cancelled
    } else {
        Attached::Active
    }
}

/// Puts a loose child, which knows its parent, into the parent's list, if nobody else has done so. It takes over what was
/// done to the parent meanwhile: `swept` runs under the parent's lock, before the flag is visible, if that has cancelled its
/// children since the child was born (it stores the cause).
///
/// # Safety
///
/// `child` is new, has a parent that is not closed, and is detached before it is freed if it was tied.
pub(crate) unsafe fn tie(parent: &JobNode, child: &JobNode, swept: impl FnOnce()) {
    let guard = parent.lock();
    let (state, own) = (parent.state(), child.state());
    if !own.has(LOOSE) {
        return;
    }
    debug_assert!(!state.has(CLOSED), "the frame of a loose child is open");
    // SAFETY: the parent's lock is held, and the caller vouches for the child.
    unsafe { parent.children.push_back(&child.sibling) };
    // SAFETY: the lock is held.
    parent.live.with_mut(|live| unsafe { *live += 1 });
    let mut flags = state.0 & CANCELLING;
    if flags == 0 && own.was_swept(state) && !cfg!(mutation = "children_sweep_unseen") {
        swept();
        flags = CANCELLING;
    }
    #[cfg(mutation = "children_tie_blind")]
    let flags = 0;
    child.tie(&guard, flags);
}

/// X: from here on a loose child counts as cancelled. Those in the list are the caller's affair, who looks for them after
/// this.
pub(crate) fn sweep(job: &JobNode) {
    let guard = job.lock();
    job.sweep(&guard);
}

/// C: takes an ended child out of its parent, or several of one parent at once. `claim_frame` is called under the parent's lock
/// when the last child of a parent whose frame waits has ended, and says whether it claimed the frame.
///
/// # Safety
///
/// The `children` are different ones, were attached to `parent`, and not yet detached. There is at least one.
#[inline]
pub(crate) unsafe fn detach<'a>(
    parent: &JobNode,
    children: impl Iterator<Item = &'a JobNode>,
    claim_frame: impl FnOnce(&JobNode) -> bool,
) -> Detached {
    let guard = parent.lock();
    let mut gone = 0;
    for child in children {
        // SAFETY: the parent's lock is held, and the child is in its list.
        unsafe { parent.children.remove(&child.sibling) };
        // Under the parent's lock, so that a walk can tell whether its anchor is still linked.
        #[cfg(not(mutation = "children_anchor_unmarked"))]
        child.set_parent(std::ptr::null());
        gone += 1;
    }
    #[cfg(mutation = "children_detach_counts_one")]
    let gone = gone.min(1);
    // SAFETY: the lock is held.
    let live = parent.live.with_mut(|live| unsafe {
        *live -= gone;
        *live
    });
    if live > 0 {
        return Detached::Nothing;
    }
    if parent.state().has(BODY_DONE) && !parent.state().has(CLOSED) {
        #[cfg(not(mutation = "children_detach_early"))]
        parent.set_relaxed_order(&guard, CLOSED);
        drop(guard);
        return Detached::Finalise;
    }
    if claim_frame(parent) {
        return Detached::Wake;
    }
    Detached::Nothing
}

/// F: the body of a job without a frame has ended. A job made by hand may be ended several times at once, by a
/// cancellation and by whoever completes it, and its last child may be faster than both: the first to close it wins.
///
/// A job that has no living child and was not cancelled completes at once, with `flags` and `claim` as for
/// [`joiner::complete`].
#[inline(always)]
pub(crate) fn end_body(
    job: &JobNode,
    flags: impl FnOnce(State) -> u32,
    claim: impl FnMut(*const Links),
) -> Ended {
    let guard = job.lock();
    let state = job.state();
    #[cfg(not(mutation = "children_end_twice"))]
    if state.has(CLOSED) {
        return Ended::Children;
    }
    if job.live(&guard) == 0 {
        if !state.has(CANCELLING) {
            let flags = |state| BODY_DONE | CLOSED | flags(state);
            let more = joiner::complete_locked(job, &guard, flags, claim);
            return Ended::Completed { more };
        }
        job.set_relaxed_order(&guard, BODY_DONE | CLOSED);
        Ended::Finalise
    } else {
        job.set_relaxed_order(&guard, BODY_DONE);
        Ended::Children
    }
}

/// F: closes the job of a frame if no child lives; otherwise calls `wait` under the lock, which leaves word for the
/// last child. True if it is closed.
#[inline]
pub(crate) fn close_or(job: &JobNode, wait: impl FnOnce()) -> bool {
    let guard = job.lock();
    if job.live(&guard) == 0 {
        job.set_relaxed_order(&guard, CLOSED);
        return true;
    }
    wait();
    false
}

/// X: sets CANCELLING if it was not set and the job has not completed. Under the lock, `prepare` runs before the flag is
/// visible (it stores the cause) and `then` after it (it claims the coroutine). True if this call did it: the caller
/// then owes the walk over the children.
#[inline]
pub(crate) fn mark_cancelled(
    job: &JobNode,
    extra: u32,
    prepare: impl FnOnce(),
    then: impl FnOnce(State),
) -> bool {
    mark_unless(job, COMPLETED, extra, prepare, then)
}

/// The same, but also nothing is done if the job has one of the flags in `unless`.
#[inline]
pub(crate) fn mark_unless(
    job: &JobNode,
    unless: u32,
    extra: u32,
    prepare: impl FnOnce(),
    then: impl FnOnce(State),
) -> bool {
    let guard = job.lock();
    let old = job.state();
    if old.has(CANCELLING | SUCCEEDED | unless) {
        return false;
    }
    prepare();
    #[cfg(not(mutation = "children_flag_after_walk"))]
    job.set(&guard, CANCELLING | extra);
    then(old);
    drop(guard);
    true
}

/// Whether any child lives; the job's lock is held by the caller.
pub(crate) fn has_any_locked(job: &JobNode) -> bool {
    // SAFETY: the lock is held.
    job.live.with(|live| unsafe { *live }) > 0
}

/// X: cancels all descendants of `job`, which is marked already. `found` is called once for each that was not yet
/// cancelled, under its own lock and that of its parent, and `settle` with what it gave once all below that one are
/// settled: the order in which Kotlin wakes them, children as they were launched, and each body after its children.
/// `retire` frees a block whose last count the walk held.
///
/// # Safety
///
/// The caller holds a count on `job`.
pub(crate) unsafe fn walk<C>(
    job: &JobNode,
    mut found: impl FnMut(&JobNode) -> C,
    mut settle: impl FnMut(C),
    retire: impl Fn(*const JobNode),
) {
    let mut levels = vec![Level {
        job,
        resume_at: std::ptr::null(),
        claim: None,
    }];
    while let Some(level) = levels.last_mut() {
        // SAFETY: the caller holds a count on the first; the others are what the walk counted on the level above.
        match unsafe { walk_slice(level, &mut found, &mut settle, &retire) } {
            Slice::Below(child, claim) => levels.push(Level {
                job: child,
                resume_at: std::ptr::null(),
                claim: Some(claim),
            }),
            Slice::More => {}
            Slice::Done => {
                if let Some(claim) = levels.pop().and_then(|level| level.claim)
                    && cfg!(not(mutation = "children_claim_dropped"))
                {
                    settle(claim);
                }
            }
        }
    }
    #[cfg(mutation = "children_flag_after_walk")]
    {
        let guard = job.lock();
        job.set(&guard, CANCELLING);
    }
}

/// A job whose children are being walked.
struct Level<C> {
    job: *const JobNode,
    /// The last child that was visited, with a count that the walk took on it: the place to go on from.
    resume_at: *const JobNode,
    /// What `found` gave for the job itself.
    claim: Option<C>,
}

enum Slice<C> {
    /// This child has children of its own, which come first. The walk goes on behind it.
    Below(*const JobNode, C),
    More,
    Done,
}

/// # Safety
///
/// A count on the level's job is held.
unsafe fn walk_slice<C>(
    level: &mut Level<C>,
    found: &mut impl FnMut(&JobNode) -> C,
    settle: &mut impl FnMut(C),
    retire: &impl Fn(*const JobNode),
) -> Slice<C> {
    // SAFETY: the caller vouches for the count.
    let job = unsafe { &*level.job };
    let guard = job.lock();
    let mut links = if level.resume_at.is_null() {
        // SAFETY: the lock is held.
        unsafe { job.children.first() }
    } else {
        // SAFETY: the walk holds a count on it; its parent pointer tells whether it is still linked here.
        let anchor = unsafe { &*level.resume_at };
        if std::ptr::eq(anchor.parent(), job) {
            // SAFETY: still in the list, whose lock is held.
            unsafe { List::after(&anchor.sibling) }
        } else {
            // SAFETY: the lock is held.
            unsafe { job.children.first() }
        }
    };
    let mut outcome = Slice::Done;
    let mut visited = 0;
    let mut last: *const JobNode = std::ptr::null();
    while !links.is_null() {
        if visited == SLICE {
            outcome = Slice::More;
            break;
        }
        last = node_of(links);
        // SAFETY: a linked child is alive while its parent's lock is held.
        let child = unsafe { &*last };
        match cancel_child(child, found) {
            Some((claim, true)) => {
                outcome = Slice::Below(last, claim);
                break;
            }
            Some((claim, false)) => settle(claim),
            None => {}
        }
        // SAFETY: the lock is held.
        links = unsafe { List::after(links) };
        visited += 1;
    }
    let goes_on = !matches!(outcome, Slice::Done);
    #[cfg(not(mutation = "children_anchor_uncounted"))]
    if goes_on {
        // SAFETY: linked, so alive.
        unsafe { (*last).retain() };
    }
    drop(guard);
    let before = std::mem::replace(
        &mut level.resume_at,
        if goes_on { last } else { std::ptr::null() },
    );
    // SAFETY: the walk held a count on it until here.
    if !before.is_null() && unsafe { (*before).release() } {
        retire(before);
    }
    outcome
}

/// Marks one child, if it was not cancelled yet: what `found` gave, and whether it has children that need a visit.
fn cancel_child<C>(child: &JobNode, found: &mut impl FnMut(&JobNode) -> C) -> Option<(C, bool)> {
    if child.state().has(CANCELLING | SHIELD | COMPLETED) {
        return None;
    }
    let mut marked = None;
    mark_cancelled(
        child,
        0,
        || (),
        |_| {
            // SAFETY: `mark_cancelled` holds the child's lock here.
            let descend = child.live.with(|live| unsafe { *live }) > 0;
            marked = Some((found(child), descend));
        },
    );
    marked
}

/// Calls `visit` with each live child in the order of creation, under the lock of `job`.
pub(crate) fn for_each(job: &JobNode, mut visit: impl FnMut(&JobNode)) {
    let _guard = job.lock();
    // SAFETY: the lock is held.
    let mut links = unsafe { job.children.first() };
    while !links.is_null() {
        // SAFETY: a linked child is alive while its parent's lock is held.
        visit(unsafe { &*node_of(links) });
        // SAFETY: the lock is held.
        links = unsafe { List::after(links) };
    }
}
