//! Waiting for a future.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::scheduler::thread;
use crate::task::current::Standing;
use crate::task::label::Label;
use crate::task::wait::refuse_in_closed_frames;
use crate::task::waking::Waking;
use crate::task::word::{Withdrawal, Woken};

static FUTURE: Label = Label("block_on");

/// Waits for a future: polls it, and waits until it is woken, until it is ready.
///
/// # Suspension
///
/// While the future is pending. On a plain thread it parks the thread.
///
/// # Cancellation
///
/// Returns an `Err` if the coroutine is cancelled, before or while it waits; the future is dropped.
///
/// # Errors
///
/// Only a cancellation: what the future itself fails with is in its output.
///
/// # Panics
///
/// If the future does.
///
/// # Examples
///
/// ```
/// use switchback::future::block_on;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let sum = run_blocking(|s| {
///     let two = s.async_(|_| { delay(ms(5))?; Ok(2) });
///     block_on(async { 1 + two.await.unwrap_or(0) })
/// })?;
/// assert_eq!(sum, 3);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let here = thread::here();
    here.check()?;
    let _standing = Standing::here();
    let mut future = pin!(future);
    let waking = Waking::new(here.task());
    let waker = waking.waker();
    let place = Location::caller();
    loop {
        waking.begin();
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(value);
        }
        refuse_in_closed_frames()?;
        let generation = here.prepare()?;
        here.mark(&FUTURE, place);
        here.publish(generation, true);
        let woken = if !waking.park(generation)
            && here.task().word.withdraw(generation) == Withdrawal::Withdrawn
        {
            // Woken while it was polled: it may do that each time, and the others have their turn in between.
            here.go_behind();
            Woken::Value
        } else {
            here.park(generation, true, || ())
        };
        if woken == Woken::Cancelled || here.is_cancelled() {
            return Err(here.cancelled());
        }
    }
}
