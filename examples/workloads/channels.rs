//! Channels and locks; a message is a number of 64 bits.

use std::sync::LazyLock;

use switchback::prelude::*;
use switchback::{CloseableDispatcher, new_single_thread_context};

use crate::workload::{Kind, Place, Workload, check, timed};

/// How much a bounded channel holds.
const CAPACITY: usize = 100;
/// How many take turns at a lock.
const LOCKERS: u64 = 100;

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "pingpong_local",
        count: 200_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| ping_pong_here(n))),
    },
    Workload {
        name: "pingpong_mt",
        count: 200_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| ping_pong_here(n))),
    },
    Workload {
        name: "pingpong_cross",
        count: 100_000,
        kind: Kind::Repeated(Place::Loop, |n| timed(|| ping_pong_across(n))),
    },
    Workload {
        name: "chan_spsc_1t",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Loop, |n| {
            timed(|| stream(Capacity::buffered(CAPACITY), 1, 1, n))
        }),
    },
    Workload {
        name: "chan_spsc_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| {
            timed(|| stream(Capacity::buffered(CAPACITY), 1, 1, n))
        }),
    },
    Workload {
        name: "chan_unbounded_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| {
            timed(|| stream(Capacity::unlimited(), 1, 1, n))
        }),
    },
    Workload {
        name: "chan_mpsc",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| {
            timed(|| stream(Capacity::buffered(CAPACITY), 4, 1, n))
        }),
    },
    Workload {
        name: "chan_mpmc",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| {
            timed(|| stream(Capacity::buffered(CAPACITY), 4, 4, n))
        }),
    },
    Workload {
        name: "mutex_contended",
        count: 1_000_000,
        kind: Kind::Repeated(Place::Pool, |n| timed(|| turns_at_a_lock(n))),
    },
];

fn ask(count: u64, ping: &Sender<u64>, pong: &Receiver<u64>) -> Result<()> {
    for number in 0..count {
        ping.send(number)?;
        check("the answer", pong.recv()?, number)?;
    }
    Ok(())
}

fn answer(ping: &Receiver<u64>, pong: &Sender<u64>) -> Result<()> {
    for number in ping {
        pong.send(number?)?;
    }
    Ok(())
}

/// Two send each number there and back, where the parent lives.
fn ping_pong_here(rounds: u64) -> Result<u64> {
    let (ping, pings) = channel(Capacity::rendezvous());
    let (pong, pongs) = channel(Capacity::rendezvous());
    coroutine_scope(|s| {
        s.launch(move |_| answer(&pings, &pong));
        s.launch(move |_| ask(rounds, &ping, &pongs));
        Ok(rounds)
    })
}

/// As `ping_pong_here`, between two threads, which are made once.
fn ping_pong_across(rounds: u64) -> Result<u64> {
    static THREADS: LazyLock<[CloseableDispatcher; 2]> = LazyLock::new(|| {
        ["one", "other"].map(|name| new_single_thread_context(name).expect("a thread can be made"))
    });
    let [one, other] = &*THREADS;
    let (ping, pings) = channel(Capacity::rendezvous());
    let (pong, pongs) = channel(Capacity::rendezvous());
    coroutine_scope(|s| {
        s.builder()
            .context(one)
            .launch(move |_| answer(&pings, &pong));
        s.builder()
            .context(other)
            .launch(move |_| ask(rounds, &ping, &pongs));
        Ok(rounds)
    })
}

/// Producers send the numbers from 0, consumers sum up what they get until the channel is closed.
fn stream(capacity: Capacity, producers: u64, consumers: u64, count: u64) -> Result<u64> {
    let each = count / producers;
    let (tx, rx) = channel(capacity);
    coroutine_scope(|s| {
        for producer in 0..producers {
            let tx = tx.clone();
            s.launch(move |_| {
                for number in producer * each..(producer + 1) * each {
                    tx.send(number)?;
                }
                Ok(())
            });
        }
        drop(tx);
        let sums: Vec<_> = (0..consumers)
            .map(|_| {
                let rx = rx.clone();
                s.async_(move |_| rx.into_iter().sum::<Result<u64>>())
            })
            .collect();
        let count = each * producers;
        let sum: u64 = await_all(sums)?.iter().sum();
        check("the sum", sum, count * count.saturating_sub(1) / 2)?;
        Ok(count)
    })
}

/// All add to one number under one lock.
fn turns_at_a_lock(count: u64) -> Result<u64> {
    let each = count / LOCKERS;
    let total = Mutex::new(0_u64);
    coroutine_scope(|s| {
        for _ in 0..LOCKERS {
            s.launch(|_| {
                for _ in 0..each {
                    *total.lock()? += 1;
                }
                Ok(())
            });
        }
        Ok(())
    })?;
    check("the count", total.into_inner(), each * LOCKERS)?;
    Ok(each * LOCKERS)
}
