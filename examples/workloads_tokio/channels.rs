//! Channels and locks; a message is a number of 64 bits.

use std::future::pending;
use std::sync::{Arc, LazyLock};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::clock::Stopwatch;
use crate::report::Figures;
use crate::workload::{Kind, Threads, Workload};

/// How much a bounded channel holds.
const CAPACITY: usize = 100;
/// How many take turns at a lock.
const LOCKERS: u64 = 100;
/// Of the channel with many consumers.
const CONSUMERS: u64 = 4;

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "pingpong_local",
        count: 200_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(ping_pong_here(n))),
    },
    Workload {
        name: "pingpong_mt",
        count: 200_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(ping_pong_here(n))),
    },
    Workload {
        name: "pingpong_cross",
        count: 100_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(ping_pong_across(n))),
    },
    Workload {
        name: "chan_spsc_1t",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(stream(1, n))),
    },
    Workload {
        name: "chan_spsc_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(stream(1, n))),
    },
    Workload {
        name: "chan_unbounded_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(unbounded(n))),
    },
    Workload {
        name: "chan_mpsc",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(stream(4, n))),
    },
    Workload {
        name: "chan_mpmc",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(stream_to_many(n))),
    },
    Workload {
        name: "mutex_contended",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(turns_at_a_lock(n))),
    },
];

/// Two tasks send each number there and back, each where it is told. There is no rendezvous, so the channels hold one.
async fn ping_pong(rounds: u64, one: &Handle, other: &Handle) -> Figures {
    let watch = Stopwatch::start();
    let (ping, mut pings) = mpsc::channel(1);
    let (pong, mut pongs) = mpsc::channel(1);
    let answering = one.spawn(async move {
        while let Some(number) = pings.recv().await {
            pong.send(number).await.expect("a receiver");
        }
    });
    let asking = other.spawn(async move {
        for number in 0..rounds {
            ping.send(number).await.expect("a receiver");
            assert_eq!(pongs.recv().await, Some(number));
        }
    });
    asking.await.expect("no panic");
    answering.await.expect("no panic");
    Figures::new(rounds, watch.took())
}

async fn ping_pong_here(rounds: u64) -> Figures {
    let here = Handle::current();
    ping_pong(rounds, &here, &here).await
}

/// Between two runtimes of one thread each, which are made once.
async fn ping_pong_across(rounds: u64) -> Figures {
    static THREADS: LazyLock<[Handle; 2]> = LazyLock::new(|| {
        [(), ()].map(|()| {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be made");
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(pending::<()>()));
            handle
        })
    });
    let [one, other] = &*THREADS;
    ping_pong(rounds, one, other).await
}

/// What the numbers below this come to.
fn sum_below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// The numbers that a producer sends.
fn share(producer: u64, each: u64) -> std::ops::Range<u64> {
    producer * each..(producer + 1) * each
}

/// Producers send the numbers from 0, a consumer sums up what it gets until the channel is closed.
async fn stream(producers: u64, count: u64) -> Figures {
    let watch = Stopwatch::start();
    let each = count / producers;
    let (tx, mut rx) = mpsc::channel(CAPACITY);
    let mut all = JoinSet::new();
    for producer in 0..producers {
        let tx = tx.clone();
        all.spawn(async move {
            for number in share(producer, each) {
                tx.send(number).await.expect("a receiver");
            }
        });
    }
    drop(tx);
    let sum = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(number) = rx.recv().await {
            sum += number;
        }
        sum
    });
    assert_eq!(sum.await.expect("no panic"), sum_below(each * producers));
    all.join_all().await;
    Figures::new(each * producers, watch.took())
}

async fn unbounded(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let (tx, mut rx) = mpsc::unbounded_channel();
    let sending = tokio::spawn(async move {
        for number in 0..count {
            tx.send(number).expect("a receiver");
        }
    });
    let sum = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(number) = rx.recv().await {
            sum += number;
        }
        sum
    });
    assert_eq!(sum.await.expect("no panic"), sum_below(count));
    sending.await.expect("no panic");
    Figures::new(count, watch.took())
}

/// As `stream`, with as many consumers as producers. Tokio has no channel for that; `async-channel` is the usual one.
async fn stream_to_many(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let each = count / CONSUMERS;
    let (tx, rx) = async_channel::bounded(CAPACITY);
    let mut producing = JoinSet::new();
    let mut consuming = JoinSet::new();
    for number in 0..CONSUMERS {
        let (tx, rx) = (tx.clone(), rx.clone());
        producing.spawn(async move {
            for number in share(number, each) {
                tx.send(number).await.expect("a receiver");
            }
        });
        consuming.spawn(async move {
            let mut sum = 0;
            while let Ok(number) = rx.recv().await {
                sum += number;
            }
            sum
        });
    }
    drop((tx, rx));
    producing.join_all().await;
    let sum: u64 = consuming.join_all().await.into_iter().sum();
    assert_eq!(sum, sum_below(each * CONSUMERS));
    Figures::new(each * CONSUMERS, watch.took())
}

/// All add to one number under one lock.
async fn turns_at_a_lock(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let each = count / LOCKERS;
    let total = Arc::new(Mutex::new(0));
    let mut all = JoinSet::new();
    for _ in 0..LOCKERS {
        let total = total.clone();
        all.spawn(async move {
            for _ in 0..each {
                *total.lock().await += 1;
            }
        });
    }
    all.join_all().await;
    assert_eq!(*total.lock().await, each * LOCKERS);
    Figures::new(each * LOCKERS, watch.took())
}
