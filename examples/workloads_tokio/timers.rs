//! Sleeping, and timeouts that are not needed.

use std::future::ready;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::clock::Stopwatch;
use crate::lateness::{self, sleep_of};
use crate::report::Figures;
use crate::workload::{Kind, Threads, Workload};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "timers",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(sleepers(n))),
    },
    Workload {
        name: "timers_10k",
        count: 10_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(sleepers(n))),
    },
    Workload {
        name: "timer_cancel",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(timeouts(n, || ready(())))),
    },
    Workload {
        name: "timer_cancel_park",
        count: 200_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(timeouts(n, yield_now))),
    },
];

/// Longer than any workload takes.
const LIMIT: Duration = Duration::from_secs(10);

/// Each sleeps once and notes how late it woke.
async fn sleepers(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let mut all = JoinSet::new();
    for number in 0..count as usize {
        all.spawn(async move {
            let time = sleep_of(number);
            let start = Instant::now();
            sleep(time).await;
            start
                .elapsed()
                .checked_sub(time)
                .expect("it slept long enough")
        });
    }
    let late = all.join_all().await;
    lateness::figures(watch.took(), late)
}

/// Runs an operation under a limit that it does not need, again and again.
async fn timeouts<F>(count: u64, operation: fn() -> F) -> Figures
where
    F: Future<Output = ()> + Send,
{
    let watch = Stopwatch::start();
    for number in 0..count {
        let answer = timeout(LIMIT, async {
            operation().await;
            number
        });
        assert_eq!(answer.await, Ok(number));
    }
    Figures::new(count, watch.took())
}
