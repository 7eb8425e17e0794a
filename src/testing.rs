//! Layer 9: coroutines under a virtual clock, for tests whose programs wait.

#![forbid(unsafe_code)]

use std::panic::Location;
use std::time::Duration;

use crate::context::CoroutineContext;
use crate::driver::Driver;
use crate::driver::wheel::Wheel;
use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::scope::run_blocking::block_on_loop;
use crate::scope::scope::Scope;

/// As [`run_blocking`](crate::run_blocking), on a clock that jumps: when nothing on the loop is ready, the time goes on to
/// the next timer at once. A program that waits for hours runs in microseconds, and in the same order each time.
///
/// Only what runs on this loop is under the virtual clock. While the loop waits for another thread, its own timers go off
/// at once, as in Kotlin's `runTest`.
///
/// # Suspension
///
/// As for `run_blocking`; it waits in reality only for other threads, while no timer is set.
///
/// # Cancellation
///
/// As for `run_blocking`.
///
/// # Errors
///
/// As for `run_blocking`. An error where a loop runs already: in a coroutine, or inside `run_blocking`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::prelude::*;
/// use switchback::testing::{current_time, run_test};
///
/// # fn main() -> Result<()> {
/// let begun = std::time::Instant::now();
/// run_test(|s| {
///     let night = s.launch(|_| delay(Duration::from_secs(8 * 3600)));
///     night.join()?;
///     assert_eq!(current_time(), Duration::from_secs(8 * 3600));
///     Ok(())
/// })?;
/// assert!(begun.elapsed() < Duration::from_secs(60));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn run_test<'env, T, F>(body: F) -> Result<T>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    let here = thread::here();
    let home = here.home();
    if here.task().stack.get().is_some() || home.local.loops.get() > 0 {
        return Err(Error::msg(
            "run_test was called on a thread where a loop runs already, whose clock it cannot change",
        ));
    }
    // The limits of the scopes around go by the system's clock.
    here.tie();
    let _clock = VirtualTime::begin(Driver::of(home));
    block_on_loop(CoroutineContext::empty(), Location::caller(), body)
}

/// Goes back to the system's clock when it is dropped.
struct VirtualTime<'a>(&'a Driver, Option<Wheel>);

impl<'a> VirtualTime<'a> {
    fn begin(driver: &'a Driver) -> Self {
        Self(driver, Some(driver.begin_virtual_time()))
    }
}

impl Drop for VirtualTime<'_> {
    fn drop(&mut self) {
        if let Some(timers) = self.1.take() {
            self.0.end_virtual_time(timers);
        }
    }
}

/// How far the virtual clock of the innermost [`run_test`] has come. Zero outside of one.
///
/// # Suspension
///
/// Never suspends.
#[must_use]
pub fn current_time() -> Duration {
    thread::here_if_settled()
        .and_then(|here| Driver::of(here.home()).clock.virtual_time())
        .unwrap_or_default()
}
