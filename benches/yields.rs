//! What does it cost to take turns, when two do it and when a thousand do?

mod peers;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, in_pool, on_loop, on_may, on_tokio, tokio_pool, tokio_thread};
use switchback::prelude::*;
use tokio::task::JoinSet;

/// Coroutines share out the turns.
fn ours(coroutines: u64, turns: u64) -> Result<()> {
    coroutine_scope(|s| {
        for _ in 0..coroutines {
            s.launch(move |_| {
                for _ in 0..turns.div_ceil(coroutines) {
                    yield_()?;
                }
                Ok(())
            });
        }
        Ok(())
    })
}

/// The shortest way behind the others that tokio has: to wake oneself. `yield_now` goes by the driver when no other task
/// is ready.
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

/// Tasks share out the turns, which they take by `take_turn`.
async fn tokios<F>(tasks: u64, turns: u64, take_turn: fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        all.spawn(async move {
            for _ in 0..turns.div_ceil(tasks) {
                take_turn().await;
            }
        });
    }
    all.join_all().await;
}

/// Coroutines of may share out the turns.
fn mays(coroutines: u64, turns: u64) {
    let all: Vec<_> = (0..coroutines)
        .map(|_| {
            may::go!(move || {
                for _ in 0..turns.div_ceil(coroutines) {
                    may::coroutine::yield_now();
                }
            })
        })
        .collect();
    for one in all {
        one.join().expect(NOTHING_FAILS);
    }
}

fn yields(criterion: &mut Criterion) {
    type Timed = fn(u64, u64) -> Duration;
    let places: [(_, Timed, _, Option<Timed>); 2] = [
        (
            "on one thread",
            |count, turns| on_loop(|| ours(count, turns)),
            tokio_thread(),
            Some(|count, turns| on_may(move || mays(count, turns))),
        ),
        (
            "in the pool",
            |count, turns| in_pool(|| ours(count, turns)),
            tokio_pool(2),
            None,
        ),
    ];
    for (place, ours, runtime, mays) in places {
        for count in [2, 1000] {
            let mut group = criterion.benchmark_group(format!("yield, {count} {place}"));
            group.bench_function("switchback", |b| b.iter_custom(|turns| ours(count, turns)));
            group.bench_function("tokio, yield_now", |b| {
                b.iter_custom(|turns| {
                    on_tokio(&runtime, tokios(count, turns, tokio::task::yield_now))
                })
            });
            group.bench_function("tokio, waking itself", |b| {
                b.iter_custom(|turns| on_tokio(&runtime, tokios(count, turns, wake_oneself)))
            });
            if let Some(mays) = mays {
                group.bench_function("may", |b| b.iter_custom(|turns| mays(count, turns)));
            }
            group.finish();
        }
    }
}

criterion_group!(benches, yields);
criterion_main!(benches);
