//! What does a scope cost, empty and with children? Beside tokio's `JoinSet`, the nearest that it has.

mod peers;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, on_may, on_tokio, tokio_thread};
use switchback::prelude::*;
use tokio::task::JoinSet;

const CHILDREN: [u64; 3] = [1, 10, 1000];

/// A scope that so many are launched in, and that waits for them.
fn scope_of(children: u64) -> Result<()> {
    coroutine_scope(|s| {
        for number in 0..children {
            s.launch(move |_| {
                black_box(number);
            });
        }
        Ok(())
    })
}

async fn set_of(children: u64) {
    let mut all = JoinSet::new();
    for number in 0..children {
        all.spawn(async move {
            black_box(number);
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect(NOTHING_FAILS);
    }
}

fn mays(children: u64) {
    may::coroutine::scope(|s| {
        for number in 0..children {
            may::go!(s, move || {
                black_box(number);
            });
        }
    });
}

/// Scopes within scopes, each with nothing in it but the next.
fn nested(depth: u32) -> Result<u32> {
    if depth == 0 {
        return Ok(black_box(0));
    }
    coroutine_scope(|_| Ok(nested(depth - 1)? + 1))
}

fn scopes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scope without children");
    run_blocking(|_| {
        group.bench_function("coroutine_scope", |b| {
            b.iter(|| coroutine_scope(|_| Ok(black_box(1))))
        });
        group.bench_function("supervisor_scope", |b| {
            b.iter(|| supervisor_scope(|_| Ok(black_box(1))))
        });
        group.bench_function("non_cancellable", |b| {
            b.iter(|| non_cancellable(|_| Ok(black_box(1))))
        });
        group.bench_function("five, one in another", |b| b.iter(|| nested(5)));
        Ok(())
    })
    .expect(NOTHING_FAILS);
    group.finish();

    let runtime = tokio_thread();
    for children in CHILDREN {
        let mut group = criterion.benchmark_group(format!("scope of {children}"));
        run_blocking(|_| {
            group.bench_function("switchback", |b| b.iter(|| scope_of(children)));
            Ok(())
        })
        .expect(NOTHING_FAILS);
        group.bench_function("tokio", |b| {
            b.iter_custom(|rounds| {
                on_tokio(&runtime, async move {
                    for _ in 0..rounds {
                        set_of(children).await;
                    }
                })
            })
        });
        group.bench_function("may", |b| {
            b.iter_custom(|rounds| on_may(move || (0..rounds).for_each(|_| mays(children))))
        });
        group.finish();
    }
}

criterion_group!(benches, scopes);
criterion_main!(benches);
