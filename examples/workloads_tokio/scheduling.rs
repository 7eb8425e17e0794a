//! Taking turns, and starting tasks.

use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

use tokio::task::{JoinSet, yield_now};

use crate::clock::Stopwatch;
use crate::report::Figures;
use crate::workload::{Boxed, Kind, Threads, Workload};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "yield_2",
        count: 2_000_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(yields(2, n, yield_now))),
    },
    Workload {
        name: "yield_1000",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(yields(1000, n, yield_now))),
    },
    Workload {
        name: "yield_mt",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(yields(1000, n, yield_now))),
    },
    Workload {
        name: "yield_2_selfwake",
        count: 2_000_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(yields(2, n, wake_oneself))),
    },
    Workload {
        name: "yield_1000_selfwake",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(yields(1000, n, wake_oneself))),
    },
    Workload {
        name: "yield_mt_selfwake",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(yields(1000, n, wake_oneself))),
    },
    Workload {
        name: "spawn_join_1t",
        count: 200_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(one_at_a_time(n))),
    },
    Workload {
        name: "spawn_join_mt",
        count: 200_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(one_at_a_time(n))),
    },
    Workload {
        name: "spawn_batch",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(batch(n))),
    },
    Workload {
        name: "spawn_batch_1t",
        count: 100_000,
        kind: Kind::Repeated(Threads::One, |n| Box::pin(batch(n))),
    },
    Workload {
        name: "spawn_batch_10k",
        count: 10_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(batch(n))),
    },
    Workload {
        name: "spawn_batch_raw",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(batch_of_handles(n))),
    },
    Workload {
        name: "skynet_10k",
        count: 10_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(skynet(n))),
    },
    Workload {
        name: "skynet_100k",
        count: 100_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(skynet(n))),
    },
    Workload {
        name: "skynet_1m",
        count: 1_000_000,
        kind: Kind::Repeated(Threads::Two, |n| Box::pin(skynet(n))),
    },
];

/// So many tasks share out the yields.
async fn yields<F>(tasks: u64, count: u64, take_turn: fn() -> F) -> Figures
where
    F: Future<Output = ()> + Send + 'static,
{
    let watch = Stopwatch::start();
    let each = count / tasks;
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        all.spawn(async move {
            for _ in 0..each {
                take_turn().await;
            }
        });
    }
    all.join_all().await;
    Figures::new(each * tasks, watch.took())
}

/// The shortest way behind the other tasks.
async fn wake_oneself() {
    let mut woken = false;
    poll_fn(|context| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Spawns a task and waits for its number before it spawns the next.
async fn one_at_a_time(count: u64) -> Figures {
    let watch = Stopwatch::start();
    for number in 0..count {
        let answer = tokio::spawn(async move { number }).await;
        assert_eq!(answer.expect("no panic"), number);
    }
    Figures::new(count, watch.took())
}

async fn batch(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let mut all = JoinSet::new();
    for number in 0..count {
        all.spawn(async move {
            black_box(number);
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("no panic");
    }
    Figures::new(count, watch.took())
}

async fn batch_of_handles(count: u64) -> Figures {
    let watch = Stopwatch::start();
    let spawn = |number| {
        tokio::spawn(async move {
            black_box(number);
        })
    };
    let all: Vec<_> = (0..count).map(spawn).collect();
    for handle in all {
        handle.await.expect("no panic");
    }
    Figures::new(count, watch.took())
}

/// A tree with ten branches at each node, whose leaves are summed up on the way back.
async fn skynet(leaves: u64) -> Figures {
    let watch = Stopwatch::start();
    let sum = tokio::spawn(node(0, leaves)).await.expect("no panic");
    assert_eq!(sum, leaves * leaves.saturating_sub(1) / 2, "the sum");
    Figures::new(leaves, watch.took())
}

fn node(number: u64, size: u64) -> Boxed<u64> {
    Box::pin(async move {
        if size <= 1 {
            return number;
        }
        let part = size / 10;
        let children: [_; 10] =
            std::array::from_fn(|i| tokio::spawn(node(number + i as u64 * part, part)));
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("no panic");
        }
        sum
    })
}
