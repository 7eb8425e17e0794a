//! Tasks that wait: what they cost, how they are cancelled; and the way to the blocking threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::clock::{Stopwatch, status_kib};
use crate::report::{Figures, per};
use crate::workload::{Kind, Threads, Workload};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "parked_10k",
        count: 10_000,
        kind: Kind::Once(FEW, |n| Box::pin(parked(n))),
    },
    Workload {
        name: "parked_100k",
        count: 100_000,
        kind: Kind::Once(FEW, |n| Box::pin(parked(n))),
    },
    Workload {
        name: "parked_1m",
        count: 1_000_000,
        kind: Kind::Once(FEW, |n| Box::pin(parked(n))),
    },
    Workload {
        name: "cancel_10k",
        count: 10_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(cancelled(n))),
    },
    Workload {
        name: "cancel_100k",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(cancelled(n))),
    },
    Workload {
        name: "hop",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(hops(n))),
    },
];

/// How many make the process warm.
const FEW: u64 = 1000;
const REST_PARKED: Duration = Duration::from_millis(100);
const REST_BEFORE_CANCEL: Duration = Duration::from_millis(50);

/// What the process takes, in KiB: resident memory, and page tables.
fn memory() -> [f64; 2] {
    ["VmRSS", "VmPTE"].map(|field| status_kib(field).expect("a status") as f64)
}

/// Waits until that many have started.
async fn await_count(started: &AtomicU64, count: u64) {
    // ORDERING: a count that is only looked at.
    while started.load(Ordering::Relaxed) < count {
        sleep(Duration::from_millis(1)).await;
    }
}

/// All wait at one gate, which then opens.
async fn parked(count: u64) -> Figures {
    let started = Arc::new(AtomicU64::new(0));
    let gate = Arc::new(Notify::new());
    let before = memory();
    let watch = Stopwatch::start();
    let mut all = JoinSet::new();
    for _ in 0..count {
        let (started, gate) = (started.clone(), gate.clone());
        all.spawn(async move {
            // It counts as waiting from here on, and so it misses nothing.
            let opens = gate.notified();
            // ORDERING: a count that is only looked at.
            started.fetch_add(1, Ordering::Relaxed);
            opens.await;
        });
    }
    await_count(&started, count).await;
    let starting = watch.took();
    sleep(REST_PARKED).await;
    let parked = memory();
    let opened = Instant::now();
    gate.notify_waiters();
    while let Some(ended) = all.join_next().await {
        ended.expect("no panic");
    }
    let finish = per(opened.elapsed(), count);
    let each = |i: usize| (parked[i] - before[i]) * 1024.0 / count as f64;
    Figures::new(count, starting)
        .extra("rss_bytes_per_task", each(0))
        .extra("pte_bytes_per_task", each(1))
        .extra("finish_ns_per_op", finish)
}

/// Adds to a count when it goes.
#[derive(Debug)]
struct Cleanup<'a>(&'a AtomicU64);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        // ORDERING: the count is read when the task has ended.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits at the gate, five calls deep: an async function cannot call itself without an allocation.
async fn wait_below(cleanups: &AtomicU64, gate: &Notify) {
    async fn second(cleanups: &AtomicU64, gate: &Notify) {
        let _cleanup = Cleanup(cleanups);
        third(cleanups, gate).await;
    }
    async fn third(cleanups: &AtomicU64, gate: &Notify) {
        let _cleanup = Cleanup(cleanups);
        fourth(cleanups, gate).await;
    }
    async fn fourth(cleanups: &AtomicU64, gate: &Notify) {
        let _cleanup = Cleanup(cleanups);
        fifth(cleanups, gate).await;
    }
    async fn fifth(cleanups: &AtomicU64, gate: &Notify) {
        let _cleanup = Cleanup(cleanups);
        gate.notified().await;
    }
    let _cleanup = Cleanup(cleanups);
    second(cleanups, gate).await;
}

/// All wait at a gate that never opens, and are cancelled together.
async fn cancelled(count: u64) -> Figures {
    let started = Arc::new(AtomicU64::new(0));
    let gate = Arc::new(Notify::new());
    let cleanups: Arc<[AtomicU64]> = (0..count).map(|_| AtomicU64::new(0)).collect();
    let mut all = JoinSet::new();
    for number in 0..count as usize {
        let (started, gate, cleanups) = (started.clone(), gate.clone(), cleanups.clone());
        all.spawn(async move {
            // ORDERING: a count that is only looked at.
            started.fetch_add(1, Ordering::Relaxed);
            wait_below(&cleanups[number], &gate).await;
        });
    }
    await_count(&started, count).await;
    sleep(REST_BEFORE_CANCEL).await;
    let watch = Stopwatch::start();
    all.abort_all();
    while let Some(ended) = all.join_next().await {
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
    let took = watch.took();
    // ORDERING: all tasks have ended.
    let cleanups = cleanups
        .iter()
        .map(|cleanups| cleanups.load(Ordering::Relaxed));
    assert_eq!(cleanups.sum::<u64>(), 5 * count);
    Figures::new(count, took)
}

/// Goes to a thread for blocking calls and comes back with a number, again and again.
async fn hops(count: u64) -> Figures {
    let watch = Stopwatch::start();
    for number in 0..count {
        let answer = spawn_blocking(move || number).await;
        assert_eq!(answer.expect("no panic"), number);
    }
    Figures::new(count, watch.took())
}
