//! What does it cost to start a coroutine, and to wait for its end?

mod peers;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, in_pool, on_loop, on_may, on_tokio, tokio_pool, tokio_thread};
use switchback::prelude::*;

/// Each is awaited before the next one starts.
fn one_by_one(count: u64) -> Result<()> {
    coroutine_scope(|s| {
        for number in 0..count {
            assert_eq!(s.async_(move |_| Ok(number)).await_()?, number);
        }
        Ok(())
    })
}

/// As `one_by_one`, but each is run by the one who starts it, up to where it first waits.
fn undispatched(count: u64) -> Result<()> {
    coroutine_scope(|s| {
        let start = CoroutineStart::Undispatched;
        for number in 0..count {
            let answer = s.builder().start(start).async_(move |_| Ok(number));
            assert_eq!(answer.await_()?, number);
        }
        Ok(())
    })
}

async fn tokios_one_by_one(count: u64) {
    for number in 0..count {
        let answer = tokio::spawn(async move { number });
        assert_eq!(answer.await.expect(NOTHING_FAILS), number);
    }
}

fn mays_one_by_one(count: u64) {
    for number in 0..count {
        let answer = may::go!(move || number);
        assert_eq!(answer.join().expect(NOTHING_FAILS), number);
    }
}

/// All are started before the first is waited for.
fn together(count: u64) -> Result<()> {
    coroutine_scope(|s| {
        for number in 0..count {
            s.launch(move |_| {
                black_box(number);
            });
        }
        Ok(())
    })
}

async fn tokios_together(count: u64) {
    let spawn = |number| {
        tokio::spawn(async move {
            black_box(number);
        })
    };
    let all: Vec<_> = (0..count).map(spawn).collect();
    for one in all {
        one.await.expect(NOTHING_FAILS);
    }
}

fn mays_together(count: u64) {
    let launch = |number: u64| {
        may::go!(move || {
            black_box(number);
        })
    };
    let all: Vec<_> = (0..count).map(launch).collect();
    for one in all {
        one.join().expect(NOTHING_FAILS);
    }
}

fn on_one_thread(criterion: &mut Criterion) {
    let runtime = tokio_thread();
    let mut group = criterion.benchmark_group("start one and await it, on one thread");
    group.bench_function("switchback", |b| {
        b.iter_custom(|count| on_loop(|| one_by_one(count)))
    });
    group.bench_function("switchback, undispatched", |b| {
        b.iter_custom(|count| on_loop(|| undispatched(count)))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|count| on_tokio(&runtime, tokios_one_by_one(count)))
    });
    group.bench_function("may", |b| {
        b.iter_custom(|count| on_may(move || mays_one_by_one(count)))
    });
    group.finish();

    let mut group = criterion.benchmark_group("start many and join them, each, on one thread");
    group.bench_function("switchback", |b| {
        b.iter_custom(|count| on_loop(|| in_crowds(count, together)))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|count| {
            on_tokio(&runtime, async move {
                for crowd in crowds(count) {
                    tokios_together(crowd).await;
                }
            })
        })
    });
    group.bench_function("may", |b| {
        b.iter_custom(|count| on_may(move || crowds(count).for_each(mays_together)))
    });
    group.finish();
}

fn in_the_pool(criterion: &mut Criterion) {
    let runtime = tokio_pool(2);
    let mut group = criterion.benchmark_group("start one and await it, in the pool");
    group.bench_function("switchback", |b| {
        b.iter_custom(|count| in_pool(|| one_by_one(count)))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|count| on_tokio(&runtime, tokios_one_by_one(count)))
    });
    group.finish();

    let mut group = criterion.benchmark_group("start many and join them, each, in the pool");
    group.bench_function("switchback", |b| {
        b.iter_custom(|count| in_pool(|| in_crowds(count, together)))
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|count| {
            on_tokio(&runtime, async move {
                for crowd in crowds(count) {
                    tokios_together(crowd).await;
                }
            })
        })
    });
    group.finish();
}

/// The sizes of the crowds that so many form: a thousand, and what is left over.
fn crowds(count: u64) -> impl Iterator<Item = u64> + Send {
    const CROWD: u64 = 1000;
    (0..count.div_ceil(CROWD)).map(move |full| CROWD.min(count - full * CROWD))
}

fn in_crowds(count: u64, run: fn(u64) -> Result<()>) -> Result<()> {
    crowds(count).try_for_each(run)
}

criterion_group!(benches, on_one_thread, in_the_pool);
criterion_main!(benches);
