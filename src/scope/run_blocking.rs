//! `run_blocking`: from a plain thread into coroutines, and back when they have ended.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;

use crate::context::{CoroutineContext, Dispatcher};
use crate::dispatchers::{default_elements, open_loop};
use crate::error::Result;
use crate::job::state::SCOPE;
use crate::scheduler::gate::LoopGate;
use crate::scheduler::thread;
use crate::scheduler::worker::{OpenLoop, Worker};
use crate::scope::frame::{Frame, Plan};
use crate::scope::hop::in_context;
use crate::scope::scope::Scope;
use crate::task::home::Home;
use crate::task::wait::Here;
use crate::task::{Task, current};

/// Runs `body` on the calling thread, with an event loop for the coroutines that are launched in it, and returns its
/// value when they have all ended.
///
/// The body runs on the caller's own stack. While it waits, the thread runs its event loop: that is where the coroutines
/// of the scope live, unless they are sent to another dispatcher. Called inside such a body it uses the same loop; called
/// inside a coroutine it is [`coroutine_scope`](crate::coroutine_scope).
///
/// # Suspension
///
/// Parks the thread while there is nothing to run. It returns only when no coroutine that started on its loop is left,
/// those of other scopes included.
///
/// # Cancellation
///
/// On a plain thread there is nobody to cancel it from outside but through its own job.
///
/// # Errors
///
/// The body's; the first failure in the scope.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let answer = run_blocking(|s| {
///     let six = s.async_(|_| { delay(ms(2))?; Ok(6) });
///     let seven = s.async_(|_| { delay(ms(2))?; Ok(7) });
///     Ok(six.await_()? * seven.await_()?)
/// })?;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn run_blocking<'env, T, F>(body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    block_on_loop(CoroutineContext::empty(), Location::caller(), body)
}

/// As [`run_blocking`], in a context: its elements are what the coroutines of the scope inherit.
///
/// If the context names a dispatcher, the body runs there too while the calling thread waits, as
/// [`with_context`](crate::with_context) does it; hence the closure is `Send`.
///
/// # Suspension
///
/// As for `run_blocking`.
///
/// # Cancellation
///
/// As for `run_blocking`.
///
/// # Errors
///
/// As for `run_blocking`.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let name = run_blocking_with(CoroutineName::new("main"), |s| {
///     s.async_(|s| Ok(s.context().get::<CoroutineName>().unwrap().to_string())).await_()
/// })?;
/// assert_eq!(name, "main");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn run_blocking_with<'env, T, F>(context: impl Into<CoroutineContext>, body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T> + Send + 'env,
    T: Send + 'env,
{
    let context = context.into();
    let place = Location::caller();
    if context.get::<Dispatcher>().is_some() {
        return in_context(place, context, body);
    }
    block_on_loop(context, place, body)
}

/// Runs the body on the calling thread's loop, which is made if there is none.
#[track_caller]
pub(crate) fn block_on_loop<'env, T>(
    context: CoroutineContext,
    place: &'static Location<'static>,
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
) -> Result<T> {
    let here = thread::here();
    let home = here.home();
    let worker = Worker::of(home);
    let in_coroutine = here.task().stack.get().is_some();
    // R5, R6: no loop is run below a frame of the runtime, inside the block of a suspension (the thread's own task may stand
    // in its queue by then, resumed), or while the thread unwinds.
    if in_coroutine
        || !here.task().word.is_running()
        || current::is_closed()
        || std::thread::panicking()
    {
        if in_coroutine {
            here.check()?;
        }
        let outer = here.job().map_or_else(
            || CoroutineContext::from_elements(default_elements()),
            Task::context,
        );
        return open(here, outer.merged(&context), place).run(body, || ());
    }
    let running = worker.open.borrow().clone();
    if let Some(running) = running {
        // The body around it is a coroutine's as well, although it has the thread's own stack.
        here.check()?;
        let context = CoroutineContext::from(running.dispatcher).merged(&context);
        return open(here, context, place).run(body, || ());
    }
    let gate = begin_loop(home);
    let context = CoroutineContext::from(gate.dispatcher.clone()).merged(&context);
    // The panic of a body is held back until the loop has ended: nothing is switched to while a thread unwinds (R5).
    let frame = open(here, context, place);
    let ended = catch_unwind(AssertUnwindSafe(|| frame.run(body, || ())));
    end_loop(home, &gate);
    match ended {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

fn open(here: Here, context: CoroutineContext, place: &'static Location<'static>) -> Frame {
    let context = context.elements().cloned();
    Frame::open(
        (here, current::is_closed()),
        Plan {
            kind: SCOPE,
            context,
            place,
        },
    )
}

/// Opens a loop on the calling thread, which has none.
pub(crate) fn begin_loop(home: &'static Home) -> OpenLoop {
    let open = open_loop(LoopGate::new(home));
    home.local.loops.set(home.local.loops.get() + 1);
    *Worker::of(home).open.borrow_mut() = Some(open.clone());
    open
}

/// Runs what still lives on the loop, then closes its gate (R3).
pub(crate) fn end_loop(home: &'static Home, open: &OpenLoop) {
    let worker = Worker::of(home);
    loop {
        worker.run_dry();
        if end_loop_if_idle(home, open) {
            return;
        }
        if home.local.ready.is_empty() {
            worker.sleep(None);
        }
    }
}

/// Closes the gate of a loop on which nothing lives. False if something does.
pub(crate) fn end_loop_if_idle(home: &'static Home, open: &OpenLoop) -> bool {
    let hosts_nothing = home.hosted.load(Ordering::Relaxed) == 0;
    let ends = hosts_nothing && home.local.ready.is_empty() && open.gate.close();
    if ends {
        *Worker::of(home).open.borrow_mut() = None;
        home.local.loops.set(home.local.loops.get() - 1);
    }
    ends
}
