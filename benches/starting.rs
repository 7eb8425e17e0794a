//! What does it cost to start a coroutine, a scope, a timeout, and to end it?

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use switchback::prelude::*;

fn starting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    group.bench_function("async and await, on a loop", |b| {
        run_blocking(|s| {
            b.iter(|| s.async_(|_| Ok(black_box(1))).await_());
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.bench_function("a thousand launches and a join, on a loop", |b| {
        run_blocking(|_| {
            b.iter(|| {
                coroutine_scope(|s| {
                    for number in 0..1000 {
                        s.launch(move |_| {
                            black_box(number);
                        });
                    }
                    Ok(())
                })
            });
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.bench_function("an empty scope", |b| {
        run_blocking(|_| {
            b.iter(|| coroutine_scope(|_| Ok(black_box(1))));
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.bench_function("a timeout that is not needed", |b| {
        run_blocking(|_| {
            b.iter(|| with_timeout(ms(10_000), |_| Ok(black_box(1))));
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.bench_function("there and back to IO", |b| {
        run_blocking(|_| {
            b.iter(|| with_context(Dispatchers::io(), |_| Ok(black_box(1))));
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.finish();
}

criterion_group!(benches, starting);
criterion_main!(benches);
