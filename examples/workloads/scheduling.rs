//! Taking turns, and starting coroutines.

use std::hint::black_box;

use switchback::prelude::*;

use crate::workload::{Kind, Place, Workload, check, timed};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "yield_2",
        count: 2_000_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| yields(2, n))),
    },
    Workload {
        name: "yield_1000",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| yields(1000, n))),
    },
    Workload {
        name: "yield_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| yields(1000, n))),
    },
    Workload {
        name: "spawn_join_1t",
        count: 200_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| one_at_a_time(n))),
    },
    Workload {
        name: "spawn_join_mt",
        count: 200_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| one_at_a_time(n))),
    },
    Workload {
        name: "spawn_batch",
        count: 100_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| batch(n))),
    },
    Workload {
        name: "spawn_batch_1t",
        count: 100_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| batch(n))),
    },
    Workload {
        name: "spawn_batch_10k",
        count: 10_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| batch(n))),
    },
    Workload {
        name: "skynet_10k",
        count: 10_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| skynet(n))),
    },
    Workload {
        name: "skynet_100k",
        count: 100_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| skynet(n))),
    },
    Workload {
        name: "skynet_1m",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| skynet(n))),
    },
];

/// So many coroutines share out the yields.
fn yields(coroutines: u64, count: u64) -> Result<u64> {
    let each = count / coroutines;
    coroutine_scope(|s| {
        for _ in 0..coroutines {
            s.launch(move |_| {
                for _ in 0..each {
                    yield_()?;
                }
                Ok(())
            });
        }
        Ok(())
    })?;
    Ok(each * coroutines)
}

/// Starts a coroutine and waits for its number before it starts the next.
fn one_at_a_time(count: u64) -> Result<u64> {
    coroutine_scope(|s| {
        for number in 0..count {
            let answer = s.async_(move |_| Ok(number)).await_()?;
            check("the answer", answer, number)?;
        }
        Ok(count)
    })
}

/// Starts them all in one scope, which waits for them.
fn batch(count: u64) -> Result<u64> {
    coroutine_scope(|s| {
        for number in 0..count {
            s.launch(move |_| {
                black_box(number);
            });
        }
        Ok(count)
    })
}

/// A tree with ten branches at each node, whose leaves are summed up on the way back.
fn skynet(leaves: u64) -> Result<u64> {
    let sum = coroutine_scope(|s| s.async_(move |s| node(s, 0, leaves)).await_())?;
    check("the sum", sum, leaves * leaves.saturating_sub(1) / 2)?;
    Ok(leaves)
}

fn node<'scope>(s: &'scope Scope<'scope, '_>, number: u64, size: u64) -> Result<u64> {
    if size <= 1 {
        return Ok(number);
    }
    let part = size / 10;
    let children: [_; 10] =
        std::array::from_fn(|i| s.async_(move |s| node(s, number + i as u64 * part, part)));
    Ok(await_all(children)?.iter().sum())
}
