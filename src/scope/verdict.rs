//! What the end of a body means for its job: success, cancellation, or failure.

use crate::error::{Error, Result};
use crate::job::state::CANCELLING;
use crate::task::{IO_CANCELLED, Task, cancel, current, report};

/// How a body ended, where an error that was thrown counts as one that was returned: it comes from a place that can
/// return none, as an iterator's `next`.
pub(crate) fn thrown<T>(ended: std::thread::Result<Result<T>>) -> std::thread::Result<Result<T>> {
    ended.or_else(|payload| payload.downcast::<Error>().map(|error| Err(*error)))
}

/// A body that ended with an error.
pub(crate) fn end_with_error(job: &Task, error: Error) {
    judge(job, &error);
    // The job may have no use for it, and then this is its end: its destructor is the user's.
    if let Err(panic) = current::closed(move || drop(error)) {
        report::handler_panicked("the destructor of an error", panic);
    }
}

fn judge(job: &Task, error: &Error) {
    if is_own_cancellation(job, error) {
        // Mostly its job is what was cancelled, and there is nothing left to do.
        if !job.state().has(CANCELLING) {
            cancel::cancel(job, error.clone());
        }
    } else if error.is_cancelled() {
        // A cancellation of somebody else's job, carried out of this body: an ordinary failure here.
        let error = Error::foreign_cancellation(format!("{job:?}"), error.clone());
        cancel::fail(job, &error);
    } else if was_cancelled_in_io(job) {
        if let Some(cause) = cancel::outcome(job) {
            cause.suppress(error.clone());
        }
    } else {
        cancel::fail(job, error);
    }
}

/// Whether an error that leaves the body of `job` says that this very coroutine was cancelled.
///
/// It does if it names no coroutine, or this one, or an ancestor whose cancellation has reached this job.
pub(crate) fn is_own_cancellation(job: &Task, error: &Error) -> bool {
    if error.is_timeout() {
        return false;
    }
    let Some(cancelled) = error.cancellation() else {
        return false;
    };
    let Some(owner) = cancelled.owner() else {
        return true;
    };
    let mine = cancel::owner_id(job);
    if owner == mine {
        return true;
    }
    if !job.state().has(CANCELLING) {
        return false;
    }
    let mut at = job;
    loop {
        if cancel::owner_id(at) == owner {
            return true;
        }
        // SAFETY: a parent outlives its children.
        match unsafe { at.job.parent().as_ref() } {
            Some(parent) => at = Task::of(parent),
            None => return false,
        }
    }
}

/// Whether the coroutine was told of its cancellation through `Read` or `Write`, so that whatever a library made of that
/// error stands for it.
fn was_cancelled_in_io(job: &Task) -> bool {
    let owner = job.owner();
    // SAFETY: the caller runs at the end of the body, in the owner's frame.
    let told = unsafe { owner.as_ref() }.is_some_and(|owner| owner.flags.get() & IO_CANCELLED != 0);
    told && job.state().has(CANCELLING)
}
