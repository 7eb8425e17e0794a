//! `with_context`: a block in another context, perhaps on another dispatcher.

use std::panic::Location;

use crate::context::CoroutineContext;
use crate::error::{Error, Result};
use crate::job::state::{DEFERRED, SCOPE, SUCCEEDED};
use crate::scheduler::thread;
use crate::scope::frame::{Frame, Plan};
use crate::scope::job::wait_for;
use crate::scope::launch::{self, BODY_PANICKED, Order};
use crate::scope::scope::Scope;
use crate::task::label::Label;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::{Task, TaskRef, cancel, current};

static HOP: Label = Label("with_context");

/// Runs `body` in the caller's context with some elements replaced, and gives its value.
///
/// With the dispatcher that the caller is on already, the body runs in place, as that of
/// [`coroutine_scope`](crate::coroutine_scope). With another one it runs there as a coroutine while the caller is
/// suspended; it may borrow from the caller all the same. The caller goes on in its own thread.
///
/// # Suspension
///
/// Until the body and everything launched in it have ended.
///
/// # Cancellation
///
/// In a cancelled coroutine it returns an `Err` before running the body. A cancellation of the caller cancels the body, is
/// waited for, and is returned even if the body has a value: for cleanup use
/// [`non_cancellable`](crate::non_cancellable).
///
/// # Errors
///
/// The first failure in the block; a cancellation; a dispatcher that takes no more coroutines.
///
/// # Panics
///
/// A panic of the body goes on in the caller.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|_| {
///     let path = String::from("/proc/self/status");
///     let text = with_context(Dispatchers::io(), |_| Ok(std::fs::read_to_string(&path)?))?;
///     assert!(text.starts_with("Name:"));
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn with_context<'env, T, F>(context: impl Into<CoroutineContext>, body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T> + Send + 'env,
    T: Send + 'env,
{
    in_context(Location::caller(), context.into(), body)
}

/// `with_context`, called at `place`.
#[track_caller]
pub(crate) fn in_context<'env, T, F>(
    place: &'static Location<'static>,
    context: CoroutineContext,
    body: F,
) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T> + Send + 'env,
    T: Send + 'env,
{
    let here = thread::here();
    here.check()?;
    let elsewhere = context
        .elements()
        .and_then(|elements| elements.dispatcher())
        .is_some_and(|to| {
            let from = here
                .job()
                .and_then(Task::elements)
                .and_then(|elements| elements.dispatcher());
            from.is_none_or(|from| !from.is_same(to))
        });
    if elsewhere {
        return hop(&here, place, context, body);
    }
    let outer = here.job().map_or_else(
        || CoroutineContext::from_elements(crate::dispatchers::default_elements()),
        Task::context,
    );
    let elements = outer.merged(&context).elements().cloned();
    Frame::open(
        (here, current::is_closed()),
        Plan {
            kind: 0,
            context: elements,
            place,
        },
    )
    .run(body, || ())
}

fn hop<'env, T, F>(
    here: &Here,
    place: &'static Location<'static>,
    context: CoroutineContext,
    body: F,
) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T> + Send + 'env,
    T: Send + 'env,
{
    // From the launch on this frame cannot be left before the coroutine has ended, so ask first whether it may wait.
    refuse_in_closed_frames()?;
    here.demand_may_suspend()?;
    let mut order = Order::new(place);
    order.kind |= SCOPE | DEFERRED;
    order.context = Some(context);
    // SAFETY: this frame waits for the coroutine, below, before anything that the body borrows ends.
    let task = unsafe { launch::launch_from(here.job(), order, body) };
    let guard = AbortUnlessWaited;
    // Not cancellable: a cancellation goes to the coroutine, and its end wakes us (R2).
    while !task.state().is_completed() {
        let waited = wait_for(here, &task, false, &HOP, place);
        debug_assert!(waited.is_ok(), "asked above whether this frame may wait");
    }
    std::mem::forget(guard);
    outcome(here, &task)
}

/// Takes the value, or tells why there is none.
#[track_caller]
fn outcome<T>(here: &Here, task: &TaskRef) -> Result<T> {
    if task.state().has(SUCCEEDED) {
        // SAFETY: the coroutine succeeded, so its value was stored; ours is the only handle.
        let value = unsafe { crate::task::cell::take_value(task) };
        return match here.check() {
            Ok(()) => Ok(value),
            Err(cancelled) => Err(cancelled),
        };
    }
    let error = cancel::outcome(task).unwrap_or_else(Error::cancelled);
    if task.flags.get() & BODY_PANICKED != 0 && error.is_panic() {
        error.resume_unwind();
    }
    let Some(cancelled) = error.cancellation() else {
        // A failure wins over the caller's own cancellation, or nobody would ever learn of it.
        return Err(error);
    };
    here.check()?;
    if cancelled.owner() == Some(task.id) {
        // The block cancelled itself: to the caller that is a cancellation of its own.
        return Err(Error::cancelled_because(
            here.task().id,
            cancelled.message().map(|message| message.to_owned().into()),
            cancelled.cause().cloned(),
        ));
    }
    Err(error)
}

/// R2: as in `frame`.
struct AbortUnlessWaited;

impl Drop for AbortUnlessWaited {
    fn drop(&mut self) {
        crate::task::report::tell(format_args!(
            "with_context was left before its block had ended"
        ));
        std::process::abort();
    }
}
