//! Ticks in even distances.

use std::panic::Location;
use std::time::Duration;

use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::driver::delay::wait_until;
use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::{Answer, Select};
use crate::task::label::Label;
use crate::task::wait::Here;

static TICK: Label = Label("tick");

/// What becomes of ticks for which nobody was there, because the work between two of them took longer than the period.
///
/// With a period of 10, and work that once takes 25 after the tick at 10:
///
/// | | ticks |
/// |---|---|
/// | `Burst` | 0, 10, 35, 35, 40, 50 |
/// | `Delay` | 0, 10, 35, 45, 55, 65 |
/// | `Skip`  | 0, 10, 35, 40, 50, 60 |
///
/// # Examples
///
/// ```
/// assert_eq!(switchback::time::MissedTicks::default(), switchback::time::MissedTicks::Burst);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// They come at once, one after another, until none is missing: the number of ticks is right.
    #[default]
    Burst,
    /// The next one comes a whole period after the late one: no two are closer than a period.
    Delay,
    /// They are left out: every tick after the late one comes at a multiple of the period again.
    Skip,
}

/// Makes a source of ticks, the first of which comes at once.
///
/// # Suspension
///
/// Never suspends.
///
/// # Panics
///
/// If the period is zero.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use switchback::prelude::*;
/// use switchback::time::interval;
///
/// # fn main() -> Result<()> {
/// let start = Instant::now();
/// let mut heartbeat = interval(ms(5));
/// for _ in 0..3 {
///     heartbeat.tick()?;
/// }
/// assert!(start.elapsed() >= ms(10));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval has a period");
    Interval {
        period,
        first_after: Duration::ZERO,
        missed: MissedTicks::default(),
        next: None,
    }
}

/// A source of ticks in even distances, made by [`interval`]. It needs no thread and no coroutine: the time is looked at
/// when somebody waits for a [`tick`](Interval::tick). On a virtual clock the ticks are the clock's.
///
/// # Examples
///
/// As for [`interval`].
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    first_after: Duration,
    missed: MissedTicks,
    /// When the next tick is due; not known before somebody has waited for the first.
    next: Option<u64>,
}

impl Interval {
    /// Lets the first tick come so long after the first call of [`tick`](Interval::tick), instead of at once.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let start = Instant::now();
    /// switchback::time::interval(ms(100)).first_after(ms(5)).tick()?;
    /// assert!(start.elapsed() >= ms(5));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn first_after(mut self, time: Duration) -> Self {
        self.first_after = time;
        self
    }

    /// Says what becomes of missed ticks.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::ms;
    /// use switchback::time::{MissedTicks, interval};
    ///
    /// let seconds = interval(ms(1000)).missed(MissedTicks::Skip);
    /// # drop(seconds);
    /// ```
    #[must_use]
    pub fn missed(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// The time between two ticks.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::ms;
    ///
    /// assert_eq!(switchback::time::interval(ms(7)).period(), ms(7));
    /// ```
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick.
    ///
    /// # Suspension
    ///
    /// Until it is due; never if it is already. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. The tick then is not lost.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`interval`].
    #[track_caller]
    pub fn tick(&mut self) -> Result<()> {
        let here = thread::here();
        here.check()?;
        if let Some(due) = self.due_later(&here) {
            wait_until(&here, due, &TICK, Location::caller())?;
        }
        self.advance(&here);
        Ok(())
    }

    fn now(here: &Here) -> u64 {
        Driver::of(here.home()).clock.now()
    }

    /// When the next tick is due, if that is not now.
    fn due_later(&mut self, here: &Here) -> Option<u64> {
        if self.next.is_none() {
            // As in `delay`.
            here.tie();
        }
        let now = Self::now(here);
        let due = *self
            .next
            .get_or_insert_with(|| deadline_after(now, self.first_after));
        (now < due).then_some(due)
    }

    /// The tick that was due has come.
    fn advance(&mut self, here: &Here) {
        let now = Self::now(here);
        let due = self.next.unwrap_or(now);
        self.next = Some(following(self.missed, due, now, self.period));
    }

    /// Begins anew: the next tick comes a period after now.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let start = Instant::now();
    /// let mut silence = switchback::time::interval(ms(5));
    /// silence.reset();
    /// silence.tick()?;
    /// assert!(start.elapsed() >= ms(5));
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&mut self) {
        let now = Driver::of(thread::here().home()).clock.now();
        self.next = Some(deadline_after(now, self.period));
    }
}

impl<'a, R> Select<'a, R> {
    /// Wins with the next tick. If another clause wins, the tick is not lost.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    /// use switchback::time::interval;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, work) = channel(Capacity::buffered(1));
    /// tx.send(7)?;
    /// let mut heartbeat = interval(ms(2)).first_after(ms(2));
    /// let mut seen = Vec::new();
    /// while seen.len() < 3 {
    ///     seen.push(select(|s| {
    ///         s.on_recv(&work, |n| Ok(format!("work {n}")));
    ///         s.on_tick(&mut heartbeat, || Ok("beat".to_owned()));
    ///     })?);
    /// }
    /// assert_eq!(seen, ["work 7", "beat", "beat"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_tick(
        &mut self,
        interval: &'a mut Interval,
        handler: impl FnOnce() -> Result<R> + 'a,
    ) {
        self.on_answer(
            move |here| {
                Ok(match interval.due_later(here) {
                    Some(due) => Answer::At(due),
                    None => {
                        interval.advance(here);
                        Answer::Now(())
                    }
                })
            },
            move |()| handler(),
        );
    }
}

/// When the tick is due that follows the one of `due`, which came at `now`.
fn following(missed: MissedTicks, due: u64, now: u64, period: Duration) -> u64 {
    match missed {
        MissedTicks::Burst => deadline_after(due, period),
        MissedTicks::Delay => deadline_after(
            if now > due.saturating_add(LATE) {
                now
            } else {
                due
            },
            period,
        ),
        MissedTicks::Skip => {
            let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
            let whole = now.saturating_sub(due) / period;
            due.saturating_add(period.saturating_mul(whole + 1))
        }
    }
}

/// Timers are never early and always a little late; a tick is not missed for that, or a clock with `Delay` would drift.
const LATE: u64 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(missed: MissedTicks) -> Vec<u64> {
        const UNIT: u64 = 1_000_000_000;
        let period = Duration::from_secs(10);
        let (mut due, mut now, mut ticks) = (0, 0, Vec::new());
        while ticks.len() < 6 {
            now = now.max(due);
            ticks.push(now / UNIT);
            due = following(missed, due, now, period);
            if now == 10 * UNIT {
                now += 25 * UNIT;
            }
        }
        ticks
    }

    #[test]
    fn the_table_of_missed_ticks_is_true() {
        assert_eq!(ticks(MissedTicks::Burst), [0, 10, 35, 35, 40, 50]);
        assert_eq!(ticks(MissedTicks::Delay), [0, 10, 35, 45, 55, 65]);
        assert_eq!(ticks(MissedTicks::Skip), [0, 10, 35, 40, 50, 60]);
    }

    #[test]
    fn no_period_is_too_long() {
        for missed in [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip] {
            assert_eq!(following(missed, 5, 7, Duration::MAX), u64::MAX);
        }
    }
}
