//! `with_timeout` and its kin.
//!
//! Most limits are not needed: the body ends without having waited. So the timer is set when the scope is about to wait
//! for the first time (`task/loose.rs`); until then a limit costs a look at the coarse clock.

use std::cell::{Cell, OnceCell};
use std::panic::Location;
use std::ptr::NonNull;
use std::time::Duration;

use crate::driver::Driver;
use crate::driver::clock::Begun;
use crate::driver::delay::Alarm;
use crate::error::{Error, Result};
use crate::job::state::TIMEOUT;
use crate::scheduler::thread;
use crate::scope::frame::{Frame, Plan};
use crate::scope::scope::Scope;
use crate::task::home::Home;
use crate::task::loose::Hook;
use crate::task::{Task, cancel};

/// Runs `body` with a scope of its own, as [`coroutine_scope`](crate::coroutine_scope) does, and cancels it when `limit`
/// is over before it has ended.
///
/// # Suspension
///
/// As for `coroutine_scope`. A body that does not suspend is not cut short; the timeout takes effect at its next
/// suspending call after a timer of its thread could run.
///
/// # Cancellation
///
/// In a cancelled coroutine it returns an `Err` before running the body.
///
/// # Errors
///
/// An error with [`is_timeout`](Error::is_timeout) if the time was over, whatever the body made of it (an error of the
/// body's own is attached). A timeout is a failure, not a cancellation. With a limit of zero the body is not run.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let late = with_timeout(ms(5), |_| delay(ms(10_000)));
/// assert!(late.unwrap_err().is_timeout());
/// assert_eq!(with_timeout(ms(10_000), |_| Ok(3))?, 3);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn with_timeout<'env, T, F>(limit: Duration, body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    limited(limit, body).1
}

/// As [`with_timeout`], but gives `None` when its own time was over.
///
/// The timeout of another `with_timeout` inside or around it is an `Err` as ever.
///
/// # Suspension
///
/// As for [`with_timeout`].
///
/// # Cancellation
///
/// As for [`with_timeout`].
///
/// # Errors
///
/// The first failure in the scope; a cancellation.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// assert_eq!(with_timeout_or_none(ms(5), |_| { delay(ms(10_000))?; Ok(1) })?, None);
/// assert_eq!(with_timeout_or_none(ms(10_000), |_| Ok(1))?, Some(1));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn with_timeout_or_none<'env, T, F>(limit: Duration, body: F) -> Result<Option<T>>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    match limited(limit, body) {
        (_, Ok(value)) => Ok(Some(value)),
        (id, Err(error)) if error.is_timeout() && error.timeout_id() == Some(id) => Ok(None),
        (_, Err(error)) => Err(error),
    }
}

/// A limit in the frame that has it.
#[repr(C)]
struct Limit<'a> {
    hook: Hook,
    begun: Begun,
    ending: &'a Ending,
    /// Made when the scope is about to wait: most never do.
    alarm: OnceCell<Alarm<'a, Ending>>,
}

/// What the alarm needs.
#[derive(Debug)]
struct Ending {
    job: Cell<*const Task>,
    limit: Duration,
}

/// Runs the body under a limit; the number is the timeout's identity.
#[inline]
#[track_caller]
fn limited<'env, T>(
    limit: Duration,
    body: impl for<'s> FnOnce(&'s Scope<'s, 'env>) -> Result<T>,
) -> (u64, Result<T>) {
    let (here, closed) = thread::here_and_closed();
    if let Err(error) = here.check() {
        return (0, Err(error));
    }
    let home = here.home();
    if limit.is_zero() {
        let id = home.next_id();
        return (id, Err(Error::timed_out(id, limit)));
    }
    let ending = Ending {
        job: Cell::new(std::ptr::null()),
        limit,
    };
    let limit = Limit {
        hook: Hook::new(arm),
        begun: Driver::of(home).clock.begin(limit),
        ending: &ending,
        alarm: OnceCell::new(),
    };
    let plan = Plan {
        kind: TIMEOUT,
        context: None,
        place: Location::caller(),
    };
    // SAFETY: the hook stands in this frame until the scope's is left, by `run`.
    let frame = unsafe { Frame::open_with(here, closed, plan, Some(NonNull::from(&limit).cast())) };
    let id = frame.job().id;
    // The alarm is taken back on every way out, before the job completes.
    let result = frame.run(body, || {
        if let Some(alarm) = limit.alarm.get() {
            alarm.cancel(home);
        }
    });
    (id, result)
}

/// The scope is about to wait: from here on the time counts.
///
/// # Safety
///
/// The hook is that of a [`Limit`] whose frame stands on this thread.
unsafe fn arm(hook: NonNull<Hook>, job: &Task, home: &'static Home) {
    // SAFETY: the hook is the first field, and was named by a pointer to the whole.
    let limit = unsafe { hook.cast::<Limit<'_>>().as_ref() };
    let ending = limit.ending;
    ending.job.set(job);
    let alarm = limit.alarm.get_or_init(|| Alarm::new(ending, ring));
    let deadline = Driver::of(home).clock.end_of(limit.begun, ending.limit);
    // SAFETY: the alarm stands in that frame until `run` calls what takes it back.
    unsafe { alarm.set(home, deadline) };
}

/// The time is over. Runs on the frame's own thread, while the frame stands.
fn ring(ending: &Ending) {
    // SAFETY: the alarm is taken back before the job completes.
    let job = unsafe { &*ending.job.get() };
    cancel::fail_from_outside(job, Error::timed_out(job.id, ending.limit));
}
