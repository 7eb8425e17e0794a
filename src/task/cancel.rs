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
use crate::job::state::{
    BARE, BODY_DONE, CANCELLING, COMPLETED, FAILED, SCOPE, STARTED, SUCCEEDED, SUPERVISOR,
};
use crate::task::finish;
use crate::task::queue::Queue;
use crate::task::waiter;
use crate::task::word::Generation;
use crate::task::{
    CANCEL_HANDLER, CancelHandler, Registered, Task, TaskRef, current, report, start,
};

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
            if !at.state().has(FAILED) {
                return cause.clone();
            }
            return cancellation_by(at, cause);
        }
        // SAFETY: a parent outlives its children.
        match unsafe { at.job.parent().as_ref() } {
            Some(parent) => at = Task::of(parent),
            None => return Error::cancelled_by(owner_id(at)),
        }
    }
}

/// The cancellation of what is below a job that has failed with `cause`. Apart, since many are cancelled together, each on a stack
/// of its own: whoever goes deep there waits for memory each time.
#[cold]
#[inline(never)]
fn cancellation_by(failed: &Task, cause: &Error) -> Error {
    if cause.is_cancelled() {
        cause.clone()
    } else {
        Error::cancelled_because(owner_id(failed), None, Some(cause.clone()))
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
    let newly = mark_and_walk(job, COMPLETED, 0, cause);
    if newly {
        end_bare(job);
    }
    newly
}

/// Fails a job from outside: its time is over, or whoever made it by hand says so. False, and nothing happens, if it was
/// cancelled, complete, or only waits for its children. The ancestors of a job made by hand are told.
pub(crate) fn fail_from_outside(job: &Task, error: Error) -> bool {
    // Nobody else ends a job made by hand that is not BODY_DONE, so its ancestors stand until we have.
    let newly = mark_and_walk(job, BODY_DONE | COMPLETED, FAILED, error.clone());
    if newly {
        if let Some(parent) = parent_to_tell(job) {
            fail(parent, &error);
        }
        end_bare(job);
    }
    newly
}

/// Ends a job made by hand that this thread has cancelled or failed: it has no body that would.
fn end_bare(job: &Task) {
    if job.state().has(BARE) {
        finish::end_body(job);
    }
}

/// The parent to which the failure of a job goes: none if the job is a scope's, whose caller gets the `Err`, or if the
/// parent is a supervisor. The job has not completed.
fn parent_to_tell(job: &Task) -> Option<&Task> {
    if job.state().has(SCOPE) {
        return None;
    }
    // SAFETY: a parent outlives its children.
    let parent = Task::of(unsafe { job.job.parent().as_ref() }?);
    (!parent.state().has(SUPERVISOR)).then_some(parent)
}

fn mark_and_walk(job: &Task, unless: u32, extra: u32, cause: Error) -> bool {
    let chain = Queue::new();
    let mut own = std::ptr::null();
    let mut has_children = false;
    let mut unstarted = Vec::new();
    let mut told = Vec::new();
    let mut bare = Vec::new();
    let newly = children::mark_unless(
        &job.job,
        unless,
        extra,
        || job.set_cause(cause),
        |old| {
            own = claim(job);
            has_children = children::has_any_locked(&job.job);
            if !old.has(STARTED) {
                unstarted.push(TaskRef::new(job));
            }
            take_told(job, &mut told);
        },
    );
    if !newly {
        return false;
    }
    let mut has_handlers = false;
    let mut push = |claimed: *const Task| {
        // SAFETY: claimed by us, so alive until handed back.
        if let Some(task) = unsafe { claimed.as_ref() } {
            has_handlers |= has_cancel_handler(task);
            // SAFETY: a claimed task is in no queue.
            unsafe { chain.push(task) };
        }
    };
    let found = |child: &JobNode| {
        let child = Task::of(child);
        if !child.state().has(STARTED) {
            unstarted.push(TaskRef::new(child));
        }
        if child.state().has(BARE) {
            bare.push(TaskRef::new(child));
        }
        take_told(child, &mut told);
        claim(child)
    };
    if has_children {
        // SAFETY: the caller holds a count on `job`, or runs inside it.
        unsafe { children::walk(&job.job, found, &mut push, release_last) };
    }
    // Last, as in Kotlin: what the body has launched was there before the wait that ends now.
    push(own);
    for (handlers, cause) in told {
        for registered in handlers {
            finish::run_handler(registered.handler, Some(&cause));
        }
    }
    if has_handlers {
        run_cancel_handlers(&chain);
    }
    waiter::hand_back(&chain);
    for task in unstarted {
        start::complete_unstarted(&task);
    }
    // What is made by hand has no body that would end it.
    for job in bare {
        finish::end_body(&job);
    }
    true
}

/// The handlers of one job that are called when it begins to be cancelled, and with what.
type Told = (Vec<Registered>, Error);

/// Under the lock of `job`, which has just been marked: takes the handlers that want to know.
fn take_told(job: &Task, told: &mut Vec<Told>) {
    if !job.has_extras_locked() {
        return;
    }
    let taken = job.extras_locked(|extras| {
        if !extras.handlers.iter().any(|handler| handler.on_cancelling) {
            return Vec::new();
        }
        let (taken, kept) = std::mem::take(&mut extras.handlers)
            .into_iter()
            .partition(|handler| handler.on_cancelling);
        extras.handlers = kept;
        taken
    });
    if !taken.is_empty() {
        told.push((taken, cause_for_handlers(job)));
    }
}

/// What a handler is told of a job that is marked and has not completed.
fn cause_for_handlers(job: &Task) -> Error {
    match job.own_cause() {
        Some(cause) => cause.clone(),
        None => cancellation_of(job),
    }
}

fn release_last(job: *const JobNode) {
    // SAFETY: the walk held the last count.
    crate::task::free(NonNull::from(Task::of(unsafe { &*job })));
}

/// Whether somebody wants to know of the cancellation of the suspension that was just claimed.
fn has_cancel_handler(task: &Task) -> bool {
    // ORDERING: seq-cst, after the claim: whoever sets a handler sets the bit, then looks at the word.
    task.value.load(Ordering::SeqCst) & CANCEL_HANDLER != 0
}

/// Calls the cancellation handlers of those that were claimed.
#[cold]
fn run_cancel_handlers(chain: &Queue) {
    let all = Queue::new();
    // SAFETY: claimed by us, so alive until handed back.
    while let Some(task) = unsafe { chain.pop().as_ref() } {
        if has_cancel_handler(task) {
            run_cancel_handler(task);
        }
        // SAFETY: popped just now.
        unsafe { all.push(task) };
    }
    chain.take_over(&all);
}

/// Takes out the handler of one suspension: whoever gets it calls it, or drops it.
pub(crate) fn take_cancel_handler(task: &Task, generation: Generation) -> Option<CancelHandler> {
    task.with_extras(|extras| {
        let (_, handler) = extras
            .cancel_handler
            .take_if(|(other, _)| *other == generation)?;
        // Under the lock, as it is set: it stays if there is another suspension's.
        task.value.fetch_and(!CANCEL_HANDLER, Ordering::Relaxed);
        Some(handler)
    })
}

#[cold]
fn run_cancel_handler(task: &Task) {
    let handler = take_cancel_handler(task, task.word.generation());
    // SAFETY: the task is claimed and suspended, so the job whose body it runs stands.
    let job = unsafe { task.current().as_ref() };
    if let (Some(handler), Some(job)) = (handler, job) {
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
        if fail_one(at, error) != Noted::First {
            return;
        }
        // `at` has not completed: it, or the child of it that has failed, is completed by whoever called us.
        let parent = parent_to_tell(at);
        end_bare(at);
        match parent {
            Some(parent) => at = parent,
            None => return,
        }
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
    if !job.state().has(FAILED) {
        return;
    }
    let Some(parent) = parent_to_tell(job) else {
        return;
    };
    let late = {
        let _guard = job.job.lock();
        if job.has_extras_locked() {
            job.extras_locked(|extras| extras.failure.clone())
        } else {
            None
        }
    };
    if let Some(failure) = late
        && !cfg!(mutation = "cancel_late_failure_kept")
    {
        fail(parent, &failure);
    }
}

fn fail_one(job: &Task, error: &Error) -> Noted {
    if mark_and_walk(job, COMPLETED, FAILED, error.clone()) {
        return Noted::First;
    }
    let earlier = {
        let guard = job.job.lock();
        let state = job.state();
        if state.has(COMPLETED | SUCCEEDED) {
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
            #[cfg(mutation = "cancel_cause_overwritten")]
            job.with_extras(|extras| extras.failure = Some(error.clone()));
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
