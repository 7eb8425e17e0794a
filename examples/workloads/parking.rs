//! Coroutines that wait: what they cost, how they are cancelled; and the way to the blocking threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;

use crate::clock::{Stopwatch, status_kib};
use crate::report::{Figures, per};
use crate::workload::{Kind, Place, Workload, check, timed};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "parked_10k",
        count: 10_000,
        kind: Kind::Once(Place::Pool, FEW, parked),
    },
    Workload {
        name: "parked_100k",
        count: 100_000,
        kind: Kind::Once(Place::Pool, FEW, parked),
    },
    Workload {
        name: "parked_1m",
        count: 1_000_000,
        kind: Kind::Once(Place::Pool, FEW, parked),
    },
    Workload {
        name: "cancel_10k",
        count: 10_000,
        kind: Kind::Repeated(Place::Pool, cancelled),
    },
    Workload {
        name: "cancel_100k",
        count: 100_000,
        kind: Kind::Repeated(Place::Pool, cancelled),
    },
    Workload {
        name: "hop",
        count: 100_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| hops(n))),
    },
];

/// How many make the process warm.
const FEW: u64 = 1000;
const REST_PARKED: Duration = ms(100);
const REST_BEFORE_CANCEL: Duration = ms(50);
/// How deep those stand that are cancelled.
const DEPTH: u64 = 5;

/// What the process takes, in KiB: resident memory, and page tables.
fn memory() -> Result<[f64; 2]> {
    Ok([status_kib("VmRSS")? as f64, status_kib("VmPTE")? as f64])
}

/// Waits until that many have started.
fn await_count(started: &AtomicU64, count: u64) -> Result<()> {
    // ORDERING: a count that is only looked at.
    while started.load(Ordering::Relaxed) < count {
        delay(ms(1))?;
    }
    Ok(())
}

/// All wait at one gate, which then opens.
fn parked(count: u64) -> Result<Figures> {
    let started = AtomicU64::new(0);
    let gate = CompletableDeferred::new();
    let before = memory()?;
    let watch = Stopwatch::start();
    let (starting, [resident, tables], opened) = coroutine_scope(|s| {
        for _ in 0..count {
            s.launch(|_| {
                // ORDERING: a count that is only looked at.
                started.fetch_add(1, Ordering::Relaxed);
                gate.await_()
            });
        }
        await_count(&started, count)?;
        let starting = watch.took();
        delay(REST_PARKED)?;
        let parked = memory()?;
        let opened = Instant::now();
        gate.complete(());
        Ok((starting, parked, opened))
    })?;
    let finish = per(opened.elapsed(), count);
    check("how many started", started.into_inner(), count)?;
    let each = |before: f64, parked: f64| (parked - before) * 1024.0 / count as f64;
    Ok(Figures::new(count, starting)
        .extra("rss_bytes_per_task", each(before[0], resident))
        .extra("pte_bytes_per_task", each(before[1], tables))
        .extra("finish_ns_per_op", finish))
}

/// Adds to a count when it goes.
#[derive(Debug)]
struct Cleanup<'a>(&'a AtomicU64);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        // ORDERING: the count is read when the coroutine has been joined.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits at the gate, so many calls deep.
#[inline(never)]
fn wait_below(depth: u64, cleanups: &AtomicU64, gate: &CompletableDeferred<()>) -> Result<()> {
    let _cleanup = Cleanup(cleanups);
    if depth > 1 {
        wait_below(depth - 1, cleanups, gate)
    } else {
        gate.await_()
    }
}

/// All wait at a gate that never opens, and are cancelled together.
fn cancelled(count: u64) -> Result<Figures> {
    let started = AtomicU64::new(0);
    let gate = CompletableDeferred::new();
    let cleanups: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    let took = coroutine_scope(|s| {
        let all = s.launch(|s| {
            for cleanups in &cleanups {
                s.launch(|_| {
                    // ORDERING: a count that is only looked at.
                    started.fetch_add(1, Ordering::Relaxed);
                    wait_below(DEPTH, cleanups, &gate)
                });
            }
        });
        await_count(&started, count)?;
        delay(REST_BEFORE_CANCEL)?;
        let watch = Stopwatch::start();
        all.cancel_and_join()?;
        Ok(watch.took())
    })?;
    let cleanups: u64 = cleanups.into_iter().map(AtomicU64::into_inner).sum();
    check("cleanups", cleanups, DEPTH * count)?;
    Ok(Figures::new(count, took))
}

/// Goes to a thread for blocking calls and comes back with a number, again and again.
fn hops(count: u64) -> Result<u64> {
    for number in 0..count {
        let answer = with_context(Dispatchers::io(), move |_| Ok(number))?;
        check("the answer", answer, number)?;
    }
    Ok(count)
}
