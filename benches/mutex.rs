//! What does it cost to take turns?

mod peers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, in_pool, on_loop, on_may, on_tokio, tokio_pool, tokio_thread};
use switchback::prelude::*;

/// How many want the lock at a time.
const CROWD: u64 = 100;

fn lock_and_unlock(rounds: u64) -> Duration {
    let lock = Mutex::new(0);
    on_loop(|| {
        for _ in 0..rounds {
            *lock.lock()? += 1;
        }
        Ok(())
    })
}

fn free(criterion: &mut Criterion) {
    let runtime = tokio_thread();
    let mut group = criterion.benchmark_group("lock that is free");
    group.bench_function("switchback", |b| b.iter_custom(lock_and_unlock));
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                let lock = tokio::sync::Mutex::new(0);
                for _ in 0..rounds {
                    *lock.lock().await += 1;
                }
            })
        })
    });
    group.bench_function("may", |b| {
        b.iter_custom(|rounds| {
            on_may(move || {
                let lock = may::sync::Mutex::new(0);
                for _ in 0..rounds {
                    *lock.lock().expect(NOTHING_FAILS) += 1;
                }
            })
        })
    });
    group.finish();
}

/// Each of many adds its share to a count.
fn crowd(rounds: u64) -> Result<()> {
    let lock = Mutex::new(0);
    coroutine_scope(|s| {
        for _ in 0..CROWD {
            let lock = &lock;
            s.launch(move |_| {
                for _ in 0..rounds.div_ceil(CROWD) {
                    *lock.lock()? += 1;
                }
                Ok(())
            });
        }
        Ok(())
    })?;
    assert!(lock.into_inner() >= rounds);
    Ok(())
}

async fn tokio_crowd(rounds: u64) {
    let lock = Arc::new(tokio::sync::Mutex::new(0));
    let tasks: Vec<_> = (0..CROWD)
        .map(|_| {
            let lock = lock.clone();
            tokio::spawn(async move {
                for _ in 0..rounds.div_ceil(CROWD) {
                    *lock.lock().await += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect(NOTHING_FAILS);
    }
    assert!(*lock.lock().await >= rounds);
}

fn may_crowd(rounds: u64) {
    let lock = Arc::new(may::sync::Mutex::new(0));
    let coroutines: Vec<_> = (0..CROWD)
        .map(|_| {
            let lock = lock.clone();
            may::go!(move || {
                for _ in 0..rounds.div_ceil(CROWD) {
                    *lock.lock().expect(NOTHING_FAILS) += 1;
                }
            })
        })
        .collect();
    for coroutine in coroutines {
        coroutine.join().expect(NOTHING_FAILS);
    }
    assert!(*lock.lock().expect(NOTHING_FAILS) >= rounds);
}

fn contended(criterion: &mut Criterion) {
    let (thread, pool) = (tokio_thread(), tokio_pool(2));
    let mut group = criterion.benchmark_group("lock that 100 want");
    group.bench_function("switchback", |b| {
        b.iter_custom(|rounds| on_loop(|| crowd(rounds)))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| on_tokio(&thread, tokio_crowd(rounds)))
    });
    group.bench_function("may", |b| {
        b.iter_custom(|rounds| on_may(move || may_crowd(rounds)))
    });
    group.bench_function("switchback, pool", |b| {
        b.iter_custom(|rounds| in_pool(|| crowd(rounds)))
    });
    group.bench_function("tokio, pool", |b| {
        b.iter_custom(|rounds| on_tokio(&pool, tokio_crowd(rounds)))
    });
    group.finish();
}

/// Two who yield while they have the lock, so that it is handed over each time.
fn handed_over(criterion: &mut Criterion) {
    criterion.bench_function("lock that is handed over", |b| {
        b.iter_custom(|rounds| {
            let lock = Mutex::new(0_u64);
            let start = Instant::now();
            run_blocking(|s| {
                for _ in 0..2 {
                    let lock = &lock;
                    s.launch(move |_| {
                        for _ in 0..rounds.div_ceil(2) {
                            let mut count = lock.lock()?;
                            yield_()?;
                            *count += 1;
                        }
                        Ok(())
                    });
                }
                Ok(())
            })
            .expect(NOTHING_FAILS);
            start.elapsed()
        })
    });
}

criterion_group!(benches, free, contended, handed_over);
criterion_main!(benches);
