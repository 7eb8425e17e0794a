//! `run_blocking`: from a plain thread into coroutines, and back when they have ended.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::CoroutineContext;
use crate::dispatchers::on_loop;
use crate::error::Result;
use crate::job::state::SCOPE;
use crate::scheduler::gate::LoopGate;
use crate::scheduler::thread;
use crate::scheduler::worker::Worker;
use crate::scope::frame::{Frame, Plan};
use crate::scope::scope::Scope;
use crate::task::current;
use crate::task::home::Home;

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
    let place = Location::caller();
    let here = thread::here();
    let home = here.home();
    let worker = Worker::of(home);
    let open = worker.gate.borrow().clone();
    let in_coroutine = here.task().stack.get().is_some();
    // R5, R6: no loop is run below a frame of the runtime, or while the thread unwinds.
    if in_coroutine || current::is_closed() || std::thread::panicking() {
        if in_coroutine {
            here.check()?;
        }
        let plan = Plan {
            kind: SCOPE,
            context: None,
            place,
        };
        return Frame::open(here, plan).run(body, || ());
    }
    if let Some(gate) = open {
        let context = CoroutineContext::from(on_loop(gate));
        let elements = context.elements().cloned();
        return Frame::open(
            here,
            Plan {
                kind: SCOPE,
                context: elements,
                place,
            },
        )
        .run(body, || ());
    }
    let gate = Arc::new(LoopGate::new(home));
    let context = CoroutineContext::from(on_loop(gate.clone()));
    let elements = context.elements().cloned();
    home.local.loops.set(home.local.loops.get() + 1);
    *worker.gate.borrow_mut() = Some(gate.clone());
    // The panic of a body is held back until the loop has ended: nothing is switched to while a thread unwinds (R5).
    let frame = Frame::open(
        here,
        Plan {
            kind: SCOPE,
            context: elements,
            place,
        },
    );
    let ended = catch_unwind(AssertUnwindSafe(|| frame.run(body, || ())));
    end_loop(home, worker, &gate);
    match ended {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs what still lives on the loop, then closes its gate (R3).
fn end_loop(home: &'static Home, worker: &'static Worker, gate: &LoopGate) {
    loop {
        worker.run_dry();
        let hosts_nothing = home.hosted.load(Ordering::Relaxed) == 0;
        if hosts_nothing && home.local.ready.is_empty() && gate.close() {
            break;
        }
        if home.local.ready.is_empty() {
            worker.sleep(None);
        }
    }
    *worker.gate.borrow_mut() = None;
    home.local.loops.set(home.local.loops.get() - 1);
}
