//! The start of a coroutine: from launch, or later, to its dispatcher.
//!
//! A lazy coroutine is New until somebody starts it, joins it or awaits it. Whoever sets STARTED under the job's lock has the
//! one right to send it; a canceller that finds it New has that right instead (no start succeeds after CANCELLING). A New
//! coroutine that is cancelled completes at once, but its closure is dropped by a worker, and until then it counts as a
//! child (R2, R6).

use std::ptr::NonNull;

use crate::context::{Dispatcher, Refused, Unstarted};
use crate::error::Error;
use crate::job::state::STARTED;
use crate::task::{Task, cancel, current, departure, finish, report};

/// Sends a task to the dispatcher of its context.
#[inline]
pub(crate) fn dispatch(task: NonNull<Task>) {
    // SAFETY: the coroutine's own count keeps it until it has run.
    let dispatcher = dispatcher_of(unsafe { task.as_ref() });
    if let Err(refused) = dispatcher.dispatch(Unstarted::new(task.cast())) {
        refuse(refused, dispatcher);
    }
}

/// Fails a coroutine that a dispatcher has given back: perhaps another one than the caller has sent, and perhaps one that has
/// completed early.
#[cold]
pub(crate) fn refuse(refused: Refused, dispatcher: &dyn std::fmt::Debug) {
    let error = Error::msg(format!("{dispatcher:?} takes no more coroutines"));
    // SAFETY: given back, so not started.
    let task = unsafe { refused.0.into_inner().cast::<Task>().as_ref() };
    // The context, and the dispatcher in it, may go with the task.
    cancel::fail(task, &error);
    discard(task);
}

pub(crate) fn dispatcher_of(task: &Task) -> &Dispatcher {
    let elements = task.elements();
    let dispatcher = elements.and_then(crate::context::Elements::dispatcher);
    dispatcher.expect("every root context has a dispatcher")
}

/// Starts a New coroutine. True for the call that did it.
pub(crate) fn start(task: &Task) -> bool {
    let starts = task.job.start();
    if starts {
        dispatch(NonNull::from(task));
    }
    starts
}

/// A task without a stack that the caller has claimed goes to its dispatcher, or will: it may still be in the turn in which
/// it has begun to wait.
#[cold]
pub(crate) fn wake_stackless(task: &Task) {
    if departure::wake(&task.value) {
        dispatch(NonNull::from(task));
    }
}

/// A New job that gets a child is started, as in Kotlin: one that completes without running has no children.
#[inline]
pub(crate) fn start_parent(parent: &Task) {
    if !parent.state().has(STARTED) {
        start(parent);
    }
}

/// Completes a New coroutine that the caller has cancelled, and sends its closure to be dropped.
pub(crate) fn complete_unstarted(task: &Task) {
    let dispatcher = dispatcher_of(task).clone();
    finish::complete_early(task);
    if let Err(refused) = dispatcher.dispatch(Unstarted::new(NonNull::from(task).cast())) {
        refuse(refused, &dispatcher);
    }
}

/// Drops the closure of a coroutine that will not run, and completes it if it has not completed already.
pub(crate) fn discard(task: &Task) {
    drop_body(task);
    if task.state().is_completed() {
        finish::leave(task);
    } else {
        finish::end_body(task);
    }
}

/// Drops the closure of a coroutine that will not run, whose one right to start is the caller's.
pub(crate) fn drop_body(task: &Task) {
    // SAFETY: not started, and the one right to start it is the caller's.
    if let Err(panic) = current::closed(|| unsafe { (task.vtable.drop_body)(task) }) {
        report::handler_panicked("the destructor of a closure that never ran", panic);
    }
}
