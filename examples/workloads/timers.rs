//! Sleeping, and timeouts that are not needed.

use std::time::{Duration, Instant};

use switchback::prelude::*;

use crate::clock::Stopwatch;
use crate::lateness;
use crate::report::Figures;
use crate::workload::{Kind, Place, Workload, check, timed};

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

/// Each sleeps once and notes how late it woke.
fn sleepers(count: u64) -> Result<Figures> {
    let mut late = vec![None; usize::try_from(count)?];
    let watch = Stopwatch::start();
    coroutine_scope(|s| {
        for (number, late) in late.iter_mut().enumerate() {
            s.launch(move |_| {
                let time = lateness::sleep_of(number);
                let start = Instant::now();
                delay(time)?;
                *late = start.elapsed().checked_sub(time);
                Ok(())
            });
        }
        Ok(())
    })?;
    let took = watch.took();
    let late: Vec<Duration> = late.into_iter().flatten().collect();
    check("sleepers that slept long enough", late.len() as u64, count)?;
    Ok(lateness::figures(took, late))
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
