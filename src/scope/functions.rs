//! Scope functions that run their body in the caller's frame.

use std::panic::Location;

use crate::error::Result;
use crate::job::state::{SHIELD, SUPERVISOR};
use crate::scheduler::thread;
use crate::scope::frame::{Frame, Plan};
use crate::scope::scope::Scope;

/// Runs `body` with a scope of its own, waits for everything launched in it, and gives the body's value.
///
/// The body runs in the caller, at once. If it, or a coroutine launched in the scope, fails, the rest of the scope is
/// cancelled and waited for, and the first failure is returned. A panic of the body goes on when the children have ended.
///
/// # Suspension
///
/// At the end, while children live. On a plain thread, where the children run on the default dispatcher, it parks the
/// thread.
///
/// # Cancellation
///
/// In a cancelled coroutine it returns an `Err` before running the body. The wait at the end is not cut short: the children
/// are cancelled too, and it ends when they have.
///
/// # Errors
///
/// The first failure in the scope; a cancellation, if the scope or the caller was cancelled.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut squares = vec![1, 2, 3];
/// coroutine_scope(|s| {
///     for number in &mut squares {
///         s.launch(move |_| *number *= *number);
///     }
///     Ok(())
/// })?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn coroutine_scope<'env, T, F>(body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    plain(0, body)
}

/// As [`coroutine_scope`], but the failure of a child touches neither its siblings nor the scope.
///
/// A failure of the body itself cancels the children. A child's failure that nobody awaits is reported as that of a root.
///
/// # Suspension
///
/// As for [`coroutine_scope`].
///
/// # Cancellation
///
/// As for [`coroutine_scope`].
///
/// # Errors
///
/// The body's own; a cancellation.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let parts = supervisor_scope(|s| {
///     let good = s.async_(|_| Ok(1));
///     let bad = s.async_(|_| -> Result<i32> { Err(Error::msg("no answer")) });
///     Ok((good.await_().unwrap_or(0), bad.await_().unwrap_or(0)))
/// })?;
/// assert_eq!(parts, (1, 0));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn supervisor_scope<'env, T, F>(body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    plain(SUPERVISOR, body)
}

#[track_caller]
fn plain<'env, T>(
    kind: u32,
    body: impl for<'s> FnOnce(&'s Scope<'s, 'env>) -> Result<T>,
) -> Result<T> {
    let (here, closed) = thread::here_and_closed();
    here.check()?;
    let plan = Plan {
        kind,
        context: None,
        place: Location::caller(),
    };
    Frame::open((here, closed), plan).run(body, || ())
}

/// Runs `body` so that a cancellation from outside does not reach it: for cleanup that must suspend. The same as Kotlin's
/// `withContext(NonCancellable)`.
///
/// It is still waited for by everything around it. A failure in it is its own.
///
/// # Suspension
///
/// As for [`coroutine_scope`].
///
/// # Cancellation
///
/// Not checked; inside, suspending calls work even if the coroutine around is cancelled.
///
/// # Errors
///
/// The first failure in the scope.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let job = s.launch(|_| {
///         let waited = delay(ms(10_000));
///         non_cancellable(|_| delay(ms(1)))?; // a rollback, say
///         waited
///     });
///     yield_()?;
///     job.cancel_and_join()
/// })
/// # }
/// ```
#[track_caller]
pub fn non_cancellable<'env, T, F>(body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    let plan = Plan {
        kind: SHIELD,
        context: None,
        place: Location::caller(),
    };
    Frame::open(thread::here_and_closed(), plan).run(body, || ())
}
