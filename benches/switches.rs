//! What does it cost to leave a coroutine and to come back to it?

mod peers;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, on_may, on_tokio, tokio_thread};
use switchback::prelude::*;
use tokio::sync::Notify;

/// A coroutine alone on its loop yields, and finds nobody else.
fn yields(rounds: u64) -> Duration {
    let start = Instant::now();
    run_blocking(|s| {
        s.launch(move |_| {
            for _ in 0..rounds {
                yield_()?;
            }
            Ok(())
        });
        Ok(())
    })
    .expect(NOTHING_FAILS);
    start.elapsed()
}

fn alone(criterion: &mut Criterion) {
    let runtime = tokio_thread();
    let mut group = criterion.benchmark_group("yield, alone");
    group.bench_function("switchback", |b| b.iter_custom(yields));
    group.bench_function("tokio", |b| {
        b.iter_custom(|rounds| {
            on_tokio(&runtime, async move {
                for _ in 0..rounds {
                    tokio::task::yield_now().await;
                }
            })
        })
    });
    group.bench_function("may", |b| {
        b.iter_custom(|rounds| {
            on_may(move || {
                for _ in 0..rounds {
                    may::coroutine::yield_now();
                }
            })
        })
    });
    group.finish();
}

/// One waits, another resumes it and yields: two switches each round.
fn resumed(rounds: u64) -> Duration {
    let waiting = StdMutex::new(None);
    let start = Instant::now();
    run_blocking(|s| {
        s.launch(|_| {
            for number in 0..rounds {
                let answer = suspend_coroutine(|k| *waiting.lock().expect(NOTHING_FAILS) = Some(k));
                assert_eq!(answer?, number);
            }
            Ok(())
        });
        for number in 0..rounds {
            // The first time it lets the other start, and then it lets it run on.
            yield_()?;
            let continuation = waiting.lock().expect(NOTHING_FAILS).take();
            continuation.expect("it waits").resume(number);
        }
        Ok(())
    })
    .expect(NOTHING_FAILS);
    start.elapsed()
}

async fn notified(rounds: u64) {
    let (waits, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let other = tokio::spawn({
        let (waits, goes_on) = (waits.clone(), goes_on.clone());
        async move {
            for _ in 0..rounds {
                waits.notify_one();
                goes_on.notified().await;
            }
        }
    });
    for _ in 0..rounds {
        waits.notified().await;
        goes_on.notify_one();
    }
    other.await.expect(NOTHING_FAILS);
}

fn unparked(rounds: u64) {
    let main = may::coroutine::current();
    let other = may::go!(move || {
        for _ in 0..rounds {
            main.unpark();
            may::coroutine::park();
        }
    });
    for _ in 0..rounds {
        may::coroutine::park();
        other.coroutine().unpark();
    }
    other.join().expect(NOTHING_FAILS);
}

fn by_another(criterion: &mut Criterion) {
    let runtime = tokio_thread();
    let mut group = criterion.benchmark_group("wait for another, who waits too");
    group.bench_function("switchback, suspend_coroutine", |b| b.iter_custom(resumed));
    group.bench_function("tokio, Notify", |b| {
        b.iter_custom(|rounds| on_tokio(&runtime, notified(rounds)))
    });
    group.bench_function("may, park", |b| {
        b.iter_custom(|rounds| on_may(move || unparked(rounds)))
    });
    group.finish();
}

/// No switch at all: the value is there before the coroutine has left.
fn in_place(criterion: &mut Criterion) {
    criterion.bench_function("resume in place", |b| {
        run_blocking(|_| {
            b.iter(|| suspend_coroutine(|k| k.resume(black_box(1))));
            Ok(())
        })
        .expect(NOTHING_FAILS);
    });
}

criterion_group!(benches, alone, by_another, in_place);
criterion_main!(benches);
