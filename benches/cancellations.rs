//! What does it cost to be cancelled? Beside tokio, which drops a future where we return from calls, and may, which
//! unwinds.

mod peers;

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, tokio_thread};
use switchback::prelude::*;
use tokio::task::{JoinSet, yield_now};

/// How many are cancelled at once.
const CROWD: u64 = 1000;

/// What has a destructor that does something.
#[derive(Debug)]
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        black_box(self);
    }
}

/// Waits so many calls deep, with a destructor in each.
#[inline(never)]
fn wait_below(depth: u32) -> Result<()> {
    let _cleanup = Cleanup;
    if depth > 1 {
        wait_below(depth - 1)
    } else {
        await_cancellation()
    }
}

/// As `wait_below(5)`: an async function cannot call itself without an allocation, so the five are written out.
async fn wait_five_deep() {
    async fn one() {
        let _cleanup = Cleanup;
        std::future::pending().await
    }
    async fn two() {
        let _cleanup = Cleanup;
        one().await;
    }
    async fn three() {
        let _cleanup = Cleanup;
        two().await;
    }
    async fn four() {
        let _cleanup = Cleanup;
        three().await;
    }
    let _cleanup = Cleanup;
    four().await;
}

/// So many times a crowd of ours is parked, cancelled and waited for; only the latter two are timed.
fn ours(rounds: u64, depth: u32) -> Duration {
    run_blocking(|s| {
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let crowd = s.launch(move |s| {
                for _ in 0..CROWD {
                    s.launch(move |_| wait_below(depth));
                }
            });
            // Twice: the crowd is launched by a coroutine that is itself launched here.
            yield_()?;
            yield_()?;
            let start = Instant::now();
            crowd.cancel_and_join()?;
            took += start.elapsed();
        }
        Ok(took)
    })
    .expect(NOTHING_FAILS)
}

fn tokios(rounds: u64) -> Duration {
    tokio_thread().block_on(async {
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let mut crowd = JoinSet::new();
            for _ in 0..CROWD {
                crowd.spawn(wait_five_deep());
            }
            yield_now().await;
            let start = Instant::now();
            crowd.abort_all();
            while let Some(ended) = crowd.join_next().await {
                assert!(ended.is_err_and(|error| error.is_cancelled()));
            }
            took += start.elapsed();
        }
        took
    })
}

/// As `wait_below`, in a coroutine of may's.
#[inline(never)]
fn park_below(depth: u32) {
    let _cleanup = Cleanup;
    if depth > 1 {
        park_below(depth - 1);
    } else {
        loop {
            may::coroutine::park();
        }
    }
}

fn mays(rounds: u64) -> Duration {
    may::config().set_workers(1);
    let rounds = may::go!(move || {
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let crowd: Vec<_> = (0..CROWD).map(|_| may::go!(|| park_below(5))).collect();
            may::coroutine::yield_now();
            let start = Instant::now();
            for one in &crowd {
                // SAFETY: what is unwound there holds nothing but `Cleanup`, which a panic cannot leave broken.
                unsafe { one.coroutine().cancel() };
            }
            for one in crowd {
                one.join().expect_err("it waits for ever");
            }
            took += start.elapsed();
        }
        took
    });
    rounds.join().expect(NOTHING_FAILS)
}

fn cancelling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cancel a thousand");
    group.bench_function("switchback, five calls deep", |b| {
        b.iter_custom(|rounds| ours(rounds, 5))
    });
    group.bench_function("switchback, fifty calls deep", |b| {
        b.iter_custom(|rounds| ours(rounds, 50))
    });
    group.bench_function("tokio, five calls deep", |b| b.iter_custom(tokios));
    group.bench_function("may, five calls deep", |b| b.iter_custom(mays));
    group.finish();
}

/// A call that is refused, and the way of such a refusal through a library that knows only `io::Error`.
fn refusing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a suspending call of what is cancelled");
    let ended = run_blocking(|s| {
        s.cancel();
        group.bench_function("yield_", |b| b.iter(yield_));
        group.bench_function("delay", |b| b.iter(|| delay(ms(1))));
        group.bench_function("coroutine_scope", |b| {
            b.iter(|| coroutine_scope(|_| Ok(black_box(1))))
        });
        group.bench_function("yield_, as an io::Error and back", |b| {
            b.iter(|| {
                let error = yield_().expect_err("cancelled");
                Error::from(io::Error::from(error))
            })
        });
        Ok(())
    });
    assert!(ended.is_err_and(|error| error.is_cancelled()));
    group.finish();
}

criterion_group!(benches, cancelling, refusing);
criterion_main!(benches);
