//! The suspending functions that need nothing but the thread they run on.

use std::panic::Location;
use std::time::Duration;

use crate::context::CoroutineContext;
use crate::continuation::{self, Continuation};
use crate::coroutine;
use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::driver::delay::wait_until;
use crate::error::Result;
use crate::job::state::COROUTINE;
use crate::scheduler::thread;
use crate::scope::body::Outcome;
use crate::scope::job::Job;
use crate::task::label::Label;
use crate::task::wait::{Coroutine, Here, refuse_in_closed_frames};
use crate::task::{Task, TaskRef, current};

static DELAY: Label = Label("delay");
static CONTINUATION: Label = Label("suspend_coroutine");
static CANCELLABLE: Label = Label("suspend_cancellable_coroutine");
static CANCELLATION: Label = Label("await_cancellation");

/// Waits for a time, which is never cut short. Where a thread has many timers it may be up to a millisecond longer: those
/// that end close together are served together.
///
/// # Suspension
///
/// Until the time is over; with a time of zero, never. On a plain thread it parks the thread.
///
/// # Cancellation
///
/// Returns an `Err` at once if the coroutine is cancelled, before or while it waits.
///
/// # Errors
///
/// Only a cancellation.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let start = Instant::now();
/// delay(ms(5))?;
/// assert!(start.elapsed() >= ms(5));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn delay(time: Duration) -> Result<()> {
    let here = thread::here();
    here.check()?;
    if time.is_zero() {
        return Ok(());
    }
    // The limits around us begin before this wait does: one of the same length is over first.
    here.tie();
    let deadline = deadline_after(Driver::of(here.home()).clock.now(), time);
    wait_until(&here, deadline, &DELAY, Location::caller())
}

/// Waits until the coroutine is cancelled.
///
/// # Suspension
///
/// Always, unless the coroutine is cancelled already.
///
/// # Cancellation
///
/// Is what it waits for.
///
/// # Errors
///
/// The cancellation.
#[track_caller]
pub fn await_cancellation<T>() -> Result<T> {
    let here = thread::here();
    here.check()?;
    refuse_in_closed_frames()?;
    let generation = here.prepare()?;
    here.mark(&CANCELLATION, Location::caller());
    here.publish(generation, true);
    let _ = here.park(generation, true, || ());
    Err(here.cancelled())
}

/// Lets the other ready coroutines of this thread run, and goes on behind them.
///
/// # Suspension
///
/// Always. On a plain thread outside any loop it returns at once.
///
/// # Cancellation
///
/// Returns an `Err` if the coroutine is cancelled, before or while it waits.
///
/// # Errors
///
/// Only a cancellation.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     s.launch(|_| println!("first"));
///     yield_()?;
///     println!("second");
///     Ok(())
/// })
/// # }
/// ```
#[inline(always)]
#[track_caller]
pub fn yield_() -> Result<()> {
    match thread::open_here() {
        Some(here) => match Coroutine::running(here) {
            Some(coroutine) => coroutine.yield_(),
            None => yield_on_thread(here),
        },
        None => yield_elsewhere(),
    }
}

/// The same for a thread of its own, whose loop has others run meanwhile.
#[inline(never)]
#[track_caller]
fn yield_on_thread(here: Here) -> Result<()> {
    here.check()?;
    here.demand_may_suspend()?;
    here.go_behind();
    here.check()
}

/// The same where nothing has ever suspended, or where nothing may.
#[cold]
#[inline(never)]
#[track_caller]
fn yield_elsewhere() -> Result<()> {
    let here = thread::here();
    here.check()?;
    refuse_in_closed_frames()?;
    yield_on_thread(here)
}

/// Returns an `Err` if the coroutine is cancelled: for code that computes and has no suspending call.
///
/// # Suspension
///
/// Never suspends.
///
/// # Cancellation
///
/// Is what it checks.
///
/// # Errors
///
/// Only a cancellation.
#[inline]
#[track_caller]
pub fn ensure_active() -> Result<()> {
    match thread::here_if_settled() {
        Some(here) => here.check(),
        None => Ok(()),
    }
}

/// Whether the running coroutine, or the innermost scope in it, is not cancelled. True on a plain thread outside any
/// scope.
///
/// # Suspension
///
/// Never suspends.
#[inline]
#[must_use]
pub fn is_active() -> bool {
    thread::here_if_settled().is_none_or(|here| !here.is_cancelled())
}

/// Runs code that needs a large stack, as deep recursion or a foreign library, on the big stack of the worker's thread
/// instead of the coroutine's own.
///
/// The thread is busy meanwhile. For calls that wait for long, [`Dispatchers::io`](crate::Dispatchers::io) is the place.
///
/// # Suspension
///
/// Never suspends, and nothing inside can: a suspending call that must wait returns an `Err`, and a scope that is opened
/// inside launches nothing.
///
/// # Panics
///
/// A panic of the code goes on in the caller.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// fn depth(of: u64) -> u64 {
///     let frame = std::hint::black_box([of; 64]);
///     if of == 0 { 0 } else { depth(frame[63] - 1) + 1 }
/// }
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     // With a stack of 64 KiB this recursion would overflow.
///     let job = s.builder().stack_size(64 * 1024).async_(|_| Ok(blocking(|| depth(1000))));
///     assert_eq!(job.await_()?, 1000);
///     Ok(())
/// })
/// # }
/// ```
pub fn blocking<R>(code: impl FnOnce() -> R) -> R {
    let header = thread::here_if_settled().and_then(|here| here.task().stack.get());
    let Some(header) = header.filter(|_| !current::is_closed()) else {
        return code();
    };
    // SAFETY: the running coroutine stands on that stack; a closed frame does not suspend, and catches what unwinds.
    let done = unsafe { coroutine::on_parent_stack(header, || current::closed(code)) };
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The job whose body runs: that of the coroutine, or of the innermost scope function in it. `None` on a plain thread
/// outside any scope.
///
/// # Suspension
///
/// Never suspends.
#[must_use]
pub fn current_job() -> Option<Job> {
    let here = thread::here_if_settled()?;
    here.tie();
    here.job().map(|job| Job::new(TaskRef::new(job)))
}

/// The job of the running coroutine, whatever scope functions it is in: for logs. `None` on a plain thread, and in the
/// body of `run_blocking`.
///
/// # Suspension
///
/// Never suspends.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     assert!(current_coroutine().is_none());
///     let job = s.builder().name("loader").async_(|_| {
///         coroutine_scope(|_| {
///             let me = current_coroutine().unwrap();
///             Ok((me.name(), me.id()))
///         })
///     });
///     let id = job.id();
///     assert_eq!(job.await_()?, (Some("loader".to_owned()), id));
///     Ok(())
/// })
/// # }
/// ```
#[must_use]
pub fn current_coroutine() -> Option<Job> {
    let here = thread::here_if_settled()?;
    let task = here.task();
    task.state()
        .has(COROUTINE)
        .then(|| Job::new(TaskRef::new(task)))
}

/// The context of the running coroutine. Empty on a plain thread outside any scope.
///
/// # Suspension
///
/// Never suspends.
#[must_use]
pub fn current_context() -> CoroutineContext {
    thread::here_if_settled()
        .and_then(|here| here.job().map(Task::context))
        .unwrap_or_default()
}

/// Suspends the running coroutine and hands its [`Continuation`] to `block`, which arranges that somebody resumes it.
/// Returns what it is resumed with.
///
/// If the block resumes it itself, the coroutine does not suspend. If the block ends with an `Err` or a panic, that is
/// returned, or goes on, as from a plain call.
///
/// # Suspension
///
/// Until it is resumed. On a plain thread it parks the thread. The block itself must not suspend.
///
/// # Cancellation
///
/// Checked before the block is run. A cancellation does not end the wait: use [`suspend_cancellable_coroutine`] where it
/// should.
///
/// # Errors
///
/// What it was resumed with; an error that names this place if the continuation was dropped.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let answer = suspend_coroutine(|continuation| {
///     std::thread::spawn(move || continuation.resume(42));
/// })?;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn suspend_coroutine<T, O: Outcome>(block: impl FnOnce(Continuation<T>) -> O) -> Result<T> {
    let here = thread::here();
    here.check()?;
    refuse_in_closed_frames()?;
    here.mark(&CONTINUATION, Location::caller());
    continuation::suspend(&here, false, |continuation| {
        block(continuation).into_result()
    })
}

/// As [`suspend_coroutine`], but a cancellation ends the wait: the call returns it, and a later resumption does nothing.
///
/// # Suspension
///
/// As for [`suspend_coroutine`].
///
/// # Cancellation
///
/// Returns an `Err` if the coroutine is cancelled, before or while it waits;
/// [`Continuation::invoke_on_cancellation`] lets the block take back what it arranged.
///
/// # Errors
///
/// As for [`suspend_coroutine`], and the cancellation.
///
/// # Examples
///
/// A library that calls back on a thread of its own, wrapped in ten lines. The continuation goes there with the callback;
/// what was asked for is taken back if nobody waits for it any more.
///
/// ```
/// # mod library {
/// #     use std::collections::HashMap;
/// #     use std::sync::Mutex;
/// #     use std::time::Duration;
/// #     type Callback = Box<dyn FnOnce(std::io::Result<String>) + Send>;
/// #     static OPEN: Mutex<Option<HashMap<u32, Callback>>> = Mutex::new(None);
/// #     pub fn new_number() -> u32 {
/// #         use std::sync::atomic::{AtomicU32, Ordering};
/// #         static NEXT: AtomicU32 = AtomicU32::new(0);
/// #         NEXT.fetch_add(1, Ordering::Relaxed)
/// #     }
/// #     pub fn ask(number: u32, name: &str, callback: impl FnOnce(std::io::Result<String>) + Send + 'static) {
/// #         let name = name.to_owned();
/// #         OPEN.lock().unwrap().get_or_insert_default().insert(number, Box::new(callback));
/// #         std::thread::spawn(move || {
/// #             if name == "slow" {
/// #                 return;
/// #             }
/// #             std::thread::sleep(Duration::from_millis(2));
/// #             let callback = OPEN.lock().unwrap().as_mut().unwrap().remove(&number);
/// #             if let Some(callback) = callback {
/// #                 callback(Ok(format!("the address of {name}")));
/// #             }
/// #         });
/// #     }
/// #     pub fn withdraw(number: u32) -> bool {
/// #         let callback = OPEN.lock().unwrap().as_mut().unwrap().remove(&number);
/// #         callback.is_some()
/// #     }
/// # }
/// use switchback::prelude::*;
///
/// fn look_up(name: &str) -> Result<String> {
///     let answer = suspend_cancellable_coroutine(|continuation| {
///         let number = library::new_number();
///         continuation.invoke_on_cancellation(move |_| {
///             library::withdraw(number);
///         });
///         library::ask(number, name, move |answer| continuation.resume(answer));
///     })?;
///     Ok(answer?) // what the library failed with
/// }
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let found = s.async_(|_| look_up("example"));
///     let slow = s.launch(|_| look_up("slow").map(drop));
///     assert_eq!(found.await_()?, "the address of example");
///     slow.cancel_and_join()
/// })
/// # }
/// ```
#[track_caller]
pub fn suspend_cancellable_coroutine<T, O: Outcome>(
    block: impl FnOnce(Continuation<T>) -> O,
) -> Result<T> {
    let here = thread::here();
    here.check()?;
    refuse_in_closed_frames()?;
    here.mark(&CANCELLABLE, Location::caller());
    let value = continuation::suspend(&here, true, |continuation| {
        block(continuation).into_result()
    })?;
    // Cancellation wins until the moment of resumption.
    here.check()?;
    Ok(value)
}
