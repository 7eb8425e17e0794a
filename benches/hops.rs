//! What does it cost to go to another thread and to come back with a value? Beside tokio.

mod peers;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, on_tokio, tokio_pool};
use switchback::prelude::*;
use switchback::{CloseableDispatcher, new_single_thread_context};
use tokio::task::spawn_blocking;

/// From one dispatcher to another and back, so many times.
fn ours(from: Dispatcher, to: &Dispatcher, rounds: u64) -> Duration {
    let hops = || {
        let start = Instant::now();
        for number in 0..rounds {
            assert_eq!(with_context(to.clone(), move |_| Ok(number))?, number);
        }
        Ok(start.elapsed())
    };
    with_context(from, |_| hops()).expect(NOTHING_FAILS)
}

fn single(name: &str) -> CloseableDispatcher {
    new_single_thread_context(name).expect(NOTHING_FAILS)
}

fn to_blocking_threads(criterion: &mut Criterion) {
    let runtime = tokio_pool(2);
    let mut group = criterion.benchmark_group("hop to the blocking threads");
    group.bench_function("switchback", |b| {
        b.iter_custom(|rounds| ours(Dispatchers::default(), &Dispatchers::io(), rounds))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                for number in 0..rounds {
                    let answer = spawn_blocking(move || number).await;
                    assert_eq!(answer.expect(NOTHING_FAILS), number);
                }
            })
        })
    });
    group.finish();
}

fn to_another_loop(criterion: &mut Criterion) {
    let (here, there) = (single("here"), single("there"));
    let mut group = criterion.benchmark_group("hop to another loop");
    group.bench_function("switchback", |b| {
        b.iter_custom(|rounds| ours(here.dispatcher(), &there, rounds))
    });
    let (here, there) = (tokio_pool(1), tokio_pool(1));
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            let there = there.handle().clone();
            on_tokio(&here, async move {
                for number in 0..rounds {
                    let answer = there.spawn(async move { number }).await;
                    assert_eq!(answer.expect(NOTHING_FAILS), number);
                }
            })
        })
    });
    group.finish();
}

/// No hop at all: the block is run as a call.
fn to_where_one_is(criterion: &mut Criterion) {
    let here = single("here");
    criterion.bench_function("hop to the same loop", |b| {
        b.iter_custom(|rounds| ours(here.dispatcher(), &here, rounds))
    });
}

criterion_group!(
    benches,
    to_blocking_threads,
    to_another_loop,
    to_where_one_is
);
criterion_main!(benches);
