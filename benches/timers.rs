//! What does a timer cost that does not fire, and what one that does? Beside tokio's, and may's for what fires: it has no timeout.

mod peers;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, on_may, on_tokio, tokio_thread};
use switchback::prelude::*;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

/// Longer than any bench takes.
const LIMIT: Duration = Duration::from_secs(3600);
/// As many sleep at once.
const SLEEPERS: u64 = 1000;

fn not_needed(criterion: &mut Criterion) {
    let runtime = tokio_thread();

    let mut group = criterion.benchmark_group("timeout of what ends at once");
    run_blocking(|_| {
        group.bench_function("switchback", |b| {
            b.iter(|| with_timeout(LIMIT, |_| Ok(black_box(1))))
        });
        Ok(())
    })
    .expect(NOTHING_FAILS);
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                for _ in 0..rounds {
                    let answer = timeout(LIMIT, async { black_box(1) }).await;
                    assert!(answer.is_ok());
                }
            })
        })
    });
    group.finish();

    let mut group = criterion.benchmark_group("timeout of what yields once");
    run_blocking(|_| {
        group.bench_function("switchback", |b| {
            b.iter(|| with_timeout(LIMIT, |_| yield_()))
        });
        Ok(())
    })
    .expect(NOTHING_FAILS);
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                for _ in 0..rounds {
                    assert!(timeout(LIMIT, yield_now()).await.is_ok());
                }
            })
        })
    });
    group.finish();
}

/// A crowd that sleeps for a millisecond: the time above that is what its timers take.
fn fired(criterion: &mut Criterion) {
    let runtime = tokio_thread();
    let mut group = criterion.benchmark_group("a thousand sleep for 1 ms");
    run_blocking(|_| {
        group.bench_function("switchback", |b| {
            b.iter(|| {
                coroutine_scope(|s| {
                    for _ in 0..SLEEPERS {
                        s.launch(|_| delay(ms(1)));
                    }
                    Ok(())
                })
            })
        });
        Ok(())
    })
    .expect(NOTHING_FAILS);
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                for _ in 0..rounds {
                    let mut all = JoinSet::new();
                    for _ in 0..SLEEPERS {
                        all.spawn(sleep(ms(1)));
                    }
                    all.join_all().await;
                }
            })
        })
    });
    group.bench_function("may", |b| {
        b.iter_custom(|rounds| {
            on_may(move || {
                for _ in 0..rounds {
                    may::coroutine::scope(|s| {
                        for _ in 0..SLEEPERS {
                            may::go!(s, || may::coroutine::sleep(ms(1)));
                        }
                    });
                }
            })
        })
    });
    group.finish();
}

criterion_group!(benches, not_needed, fired);
criterion_main!(benches);
