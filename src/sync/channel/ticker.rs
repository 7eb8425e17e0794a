//! Channels that tick.

use std::time::Duration;

use crate::context::CoroutineContext;
use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::error::Result;
use crate::scheduler::thread;
use crate::scope::owned::GlobalScope;
use crate::scope::suspend::delay;
use crate::sync::channel::{Capacity, Receiver, Sender};

/// What a [`ticker`] does when its receiver is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TickerMode {
    /// The ticks stay where they would have been: the next comes sooner, and those that were missed altogether are left
    /// out.
    #[default]
    FixedPeriod,
    /// The time runs from when a tick was received to the next.
    FixedDelay,
}

/// Makes a channel that has something to receive after `initial_delay`, and from then on once in `period`, on the default
/// dispatcher.
///
/// One tick waits at most: who comes late finds one, and not all that were missed. It ends when its receiver is dropped
/// or cancelled. Where one coroutine waits for ticks and nothing else needs them as a channel,
/// [`time::interval`](crate::time::interval) does without a coroutine behind it.
///
/// # Suspension
///
/// Never suspends.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::{TickerMode, ticker};
///
/// # fn main() -> Result<()> {
/// let ticks = ticker(ms(5), ms(0), TickerMode::FixedPeriod);
/// for _ in 0..3 {
///     ticks.recv()?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it ticks until it is dropped"]
#[track_caller]
pub fn ticker(period: Duration, initial_delay: Duration, mode: TickerMode) -> Receiver<()> {
    ticker_with(CoroutineContext::empty(), period, initial_delay, mode)
}

/// As [`ticker`], with a context: a name, another dispatcher.
///
/// # Suspension
///
/// Never suspends.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::{TickerMode, ticker_with};
/// use switchback::testing::{current_time, run_test};
///
/// # fn main() -> Result<()> {
/// run_test(|s| {
///     // On the loop of the test, whose time is virtual.
///     let ticks = ticker_with(s.context(), ms(100), ms(10), TickerMode::FixedPeriod);
///     ticks.recv()?;
///     assert_eq!(current_time(), ms(10));
///     ticks.recv()?;
///     assert_eq!(current_time(), ms(110));
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "it ticks until it is dropped"]
#[track_caller]
pub fn ticker_with(
    context: impl Into<CoroutineContext>,
    period: Duration,
    initial_delay: Duration,
    mode: TickerMode,
) -> Receiver<()> {
    GlobalScope
        .builder()
        .context(context.into())
        .produce(Capacity::rendezvous(), move |_, tx| match mode {
            TickerMode::FixedPeriod => with_fixed_period(&tx, period, initial_delay),
            TickerMode::FixedDelay => with_fixed_delay(&tx, period, initial_delay),
        })
}

fn with_fixed_delay(tx: &Sender<()>, period: Duration, initial_delay: Duration) -> Result<()> {
    delay(initial_delay)?;
    loop {
        tx.send(())?;
        delay(period)?;
    }
}

fn with_fixed_period(tx: &Sender<()>, period: Duration, initial_delay: Duration) -> Result<()> {
    let step = deadline_after(0, period);
    let mut due = deadline_after(now(), initial_delay);
    delay(initial_delay)?;
    loop {
        tx.send(())?;
        due = due.saturating_add(step);
        let now = now();
        if now >= due
            && let Some(late) = (now - due).checked_rem(step)
        {
            // To the next that has not come yet.
            due = now - late + step;
        }
        delay(Duration::from_nanos(due.saturating_sub(now)))?;
    }
}

/// The time of this thread, in nanoseconds, which may be virtual.
fn now() -> u64 {
    Driver::of(thread::here().home()).clock.now()
}
