//! Cancellation and failure on their way through the tree.
//!
//! Down goes the flag: `job/children.rs` walks, and for each job that was not cancelled yet the coroutine that runs its
//! body is claimed, if that very job is its innermost one. Up goes a failure: from child to parent, until a scope's frame
//! (whose caller gets the `Err`) or a supervisor stops it, or a parent that has failed already.
//!
//! The cause is stored once, at the root of what was cancelled. A cancelled call walks up to it.

use crate::error::Error;
use crate::job::children;
use crate::job::node::JobNode;
use crate::job::state::{BARE, CANCELLING, COMPLETED, FAILED, SCOPE, STARTED, SUPERVISOR};
use crate::task::finish;
use crate::task::queue::Queue;
use crate::task::waiter;
use crate::task::{CANCEL_HANDLER, Task, TaskRef, current, report, start};

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// The id that the cancellation of a job carries: that of the coroutine which runs its body.
pub(crate) fn owner_id(job: &Task) -> u64 {
    let owner = job.owner();
    if owner.is_null() {
        return job.id;
    }
    // SAFETY: the owner's frame runs the body of a job that has not completed.
    unsafe { &*owner }.id
}

/// The error that the suspending calls of a cancelled job's body return.
///
/// The job has not completed, so its ancestors are alive.
pub(crate) fn cancellation_of(job: &Task) -> Error {
    let mut at = job;
    loop {
        if let Some(cause) = at.own_cause() {
            if !at.state().has(FAILED) || cause.is_cancelled() {
                return cause.clone();
            }
            return Error::cancelled_because(owner_id(at), None, Some(cause.clone()));
        }
        // SAFETY: a parent outlives its children.
        match unsafe { at.job.parent().as_ref() } {
            Some(parent) => at = Task::of(parent),
            None => return Error::cancelled_by(owner_id(at)),
        }
    }
}

/// Under the lock of `job`: claims the coroutine that waits in its body.
fn claim(job: &Task) -> *const Task {
    let owner = job.owner();
    // SAFETY: the job is not closed while its lock is held here, so the frame that runs its body stands.
    let Some(owner) = (unsafe { owner.as_ref() }) else {
        return std::ptr::null();
    };
    if owner
        .word
        .claim_cancel(|| std::ptr::eq(owner.current(), job))
    {
        owner
    } else {
        std::ptr::null()
    }
}

/// Cancels a job with everything below it. False if it was cancelled or complete already.
pub(crate) fn cancel(job: &Task, cause: Error) -> bool {
    mark_and_walk(job, cause, 0)
}

/// Fails a job from outside: its time is over, or whoever made it by hand says so. False, and nothing happens, if it was
/// cancelled or complete already.
pub(crate) fn fail_from_outside(job: &Task, error: Error) -> bool {
    mark_and_walk(job, error, FAILED)
}

fn mark_and_walk(job: &Task, cause: Error, extra: u32) -> bool {
    let chain = Queue::new();
    let mut own = std::ptr::null();
    let mut has_children = false;
    let mut unstarted = Vec::new();
    let newly = children::mark_cancelled(
        &job.job,
        extra,
        || job.set_cause(cause),
        |old| {
            own = claim(job);
            has_children = children::has_any_locked(&job.job);
            if !old.has(STARTED) {
                unstarted.push(TaskRef::new(job));
            }
        },
    );
    if !newly {
        return false;
    }
    let push = |claimed: *const Task| {
        if !claimed.is_null() {
            // SAFETY: a claimed task is in no queue.
            unsafe { chain.push(claimed) };
        }
    };
    let found = |child: &JobNode| {
        let child = Task::of(child);
        if !child.state().has(STARTED) {
            unstarted.push(TaskRef::new(child));
        }
        claim(child)
    };
    if has_children {
        // SAFETY: the caller holds a count on `job`, or runs inside it.
        unsafe { children::walk(&job.job, found, push, release_last) };
    }
    // Last, as in Kotlin: what the body has launched was there before the wait that ends now.
    push(own);
    wake_cancelled(&chain);
    for task in unstarted {
        start::complete_unstarted(&task);
    }
    if job.state().has(BARE) {
        finish::end_body(job);
    }
    true
}

fn release_last(job: *const JobNode) {
    // SAFETY: the walk held the last count.
    crate::task::free(NonNull::from(Task::of(unsafe { &*job })));
}

/// Calls the cancellation handlers of those that were claimed, then hands them back.
fn wake_cancelled(chain: &Queue) {
    let ready = Queue::new();
    // SAFETY: claimed by us, so alive until handed back.
    while let Some(task) = unsafe { chain.pop().as_ref() } {
        if task.value.load(Ordering::SeqCst) & CANCEL_HANDLER != 0 {
            run_cancel_handler(task);
        }
        // SAFETY: popped just now.
        unsafe { ready.push(task) };
    }
    waiter::hand_back(&ready);
}

#[cold]
fn run_cancel_handler(task: &Task) {
    let handler = task.with_extras(|extras| extras.cancel_handler.take());
    task.value.fetch_and(!CANCEL_HANDLER, Ordering::Relaxed);
    // SAFETY: the task is claimed and suspended, so the job whose body it runs stands.
    let job = unsafe { task.current().as_ref() };
    if let (Some((_, handler)), Some(job)) = (handler, job) {
        let cause = cancellation_of(job);
        if let Err(panic) = current::closed(move || handler(&cause)) {
            report::handler_panicked("a cancellation handler", panic);
        }
    }
}

/// Takes note of a failure in `job`: the first becomes its cause and cancels everything below; a later one is attached.
/// Then tells the ancestors.
pub(crate) fn fail(job: &Task, error: &Error) {
    let mut at = job;
    loop {
        if fail_one(at, error) != Noted::First || at.state().has(SCOPE) {
            return;
        }
        // SAFETY: a parent outlives its children, and `at` has not completed: it is completed by whoever called us.
        let Some(parent) = (unsafe { at.job.parent().as_ref() }) else {
            return;
        };
        if Task::of(parent).state().has(SUPERVISOR) {
            return;
        }
        at = Task::of(parent);
    }
}

/// What a failure is to a job.
#[derive(PartialEq, Eq)]
enum Noted {
    /// The first, and what cancels it: the parent is told at once.
    First,
    /// The first, of a job that was cancelled before: the parent is told when the job completes, as in Kotlin.
    WhileCancelled,
    /// Attached to an earlier one, or too late.
    Later,
}

/// A failure that came while the job was being cancelled: told to the parent by whoever completes the job.
pub(crate) fn pass_on_late_failure(job: &Task) {
    let state = job.state();
    if !state.has(FAILED) || state.has(SCOPE) {
        return;
    }
    // SAFETY: the parent of a job that has not left it is alive.
    let Some(parent) = (unsafe { job.job.parent().as_ref() }) else {
        return;
    };
    if Task::of(parent).state().has(SUPERVISOR) {
        return;
    }
    let late = {
        let _guard = job.job.lock();
        if job.has_extras_locked() {
            job.extras_locked(|extras| extras.failure.clone())
        } else {
            None
        }
    };
    if let Some(failure) = late {
        fail(Task::of(parent), &failure);
    }
}

fn fail_one(job: &Task, error: &Error) -> Noted {
    if mark_and_walk(job, error.clone(), FAILED) {
        return Noted::First;
    }
    let earlier = {
        let guard = job.job.lock();
        let state = job.state();
        if state.has(COMPLETED) {
            return Noted::Later;
        }
        debug_assert!(state.has(CANCELLING));
        if state.has(FAILED) {
            failure_locked(job)
        } else {
            job.extras_locked(|extras| extras.failure = Some(error.clone()));
            job.job.set_relaxed_order(&guard, FAILED);
            None
        }
    };
    match earlier {
        Some(earlier) => {
            earlier.suppress(error.clone());
            Noted::Later
        }
        None => Noted::WhileCancelled,
    }
}

/// The failure of a job that has one; its lock is held.
fn failure_locked(job: &Task) -> Option<Error> {
    if job.has_extras_locked()
        && let Some(failure) = job.extras_locked(|extras| extras.failure.clone())
    {
        return Some(failure);
    }
    job.own_cause().cloned()
}

/// How a job ended, or is ending: its failure, or its cancellation. `None` if it is neither failed nor cancelled.
pub(crate) fn outcome(job: &Task) -> Option<Error> {
    let _guard = job.job.lock();
    let state = job.state();
    if !state.is_cancelled() {
        None
    } else if state.has(FAILED) {
        failure_locked(job)
    } else if state.has(COMPLETED) || job.own_cause().is_some() {
        job.own_cause().cloned()
    } else {
        Some(cancellation_of(job))
    }
}
