//! Sleeping, and timeouts that are not needed.

use std::time::{Duration, Instant};

use switchback::prelude::*;

use crate::clock::Stopwatch;
use crate::report::{Figures, timed};
use crate::workload::{Kind, Place, Workload, check};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "timers",
        count: 100_000,
        kind: Kind::Repeated(Place::Pool, sleepers),
    },
    Workload {
        name: "timers_10k",
        count: 10_000,
        kind: Kind::Repeated(Place::Pool, sleepers),
    },
    Workload {
        name: "timer_cancel",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| timeouts(n, || Ok(())))),
    },
    Workload {
        name: "timer_cancel_park",
        count: 200_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| timeouts(n, yield_))),
    },
];

/// Longer than any workload takes.
const LIMIT: Duration = Duration::from_secs(10);

/// How long the sleeper of that number sleeps: a millisecond to a second, shuffled (Vigna's splitmix64).
fn sleep_of(number: usize) -> Duration {
    let mut z = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ms(1 + z % 1000)
}

/// Each sleeps once and notes how late it woke.
fn sleepers(count: u64) -> Result<Figures> {
    let mut late = vec![None; usize::try_from(count)?];
    let watch = Stopwatch::start();
    coroutine_scope(|s| {
        for (number, late) in late.iter_mut().enumerate() {
            s.launch(move |_| {
                let time = sleep_of(number);
                let start = Instant::now();
                delay(time)?;
                *late = start.elapsed().checked_sub(time);
                Ok(())
            });
        }
        Ok(())
    })?;
    let took = watch.took();
    let mut late: Vec<Duration> = late.into_iter().flatten().collect();
    check("sleepers that slept long enough", late.len() as u64, count)?;
    late.sort_unstable();
    let percentile = |percent: usize| {
        let at = (late.len() * percent / 100).min(late.len().saturating_sub(1));
        late.get(at).map_or(0.0, |late| late.as_secs_f64() * 1e6)
    };
    Ok(Figures::new(count, took)
        .by_cpu_time()
        .extra("wall_ms", took.wall.as_secs_f64() * 1e3)
        .extra("late_p50_us", percentile(50))
        .extra("late_p99_us", percentile(99)))
}

/// Runs an operation under a limit that it does not need, again and again.
fn timeouts(count: u64, operation: fn() -> Result<()>) -> Result<u64> {
    for number in 0..count {
        let answer = with_timeout(LIMIT, |_| {
            operation()?;
            Ok(number)
        })?;
        check("the answer", answer, number)?;
    }
    Ok(count)
}
