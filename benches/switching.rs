//! What does it cost to let another coroutine run?

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use switchback::prelude::*;

/// `coroutines` coroutines on one loop share out `rounds` yields.
fn yields(coroutines: u64, rounds: u64) -> Duration {
    let start = Instant::now();
    run_blocking(|s| {
        for _ in 0..coroutines {
            s.launch(move |_| {
                for _ in 0..rounds.div_ceil(coroutines) {
                    yield_()?;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .expect("nothing here fails");
    start.elapsed()
}

fn switching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("yield");
    for coroutines in [2, 1000] {
        group.bench_function(coroutines.to_string(), |b| {
            b.iter_custom(|rounds| yields(coroutines, rounds))
        });
    }
    group.finish();
    criterion.bench_function("resume in place", |b| {
        run_blocking(|_| {
            b.iter(|| suspend_coroutine(|k| k.resume(black_box(1))));
            Ok(())
        })
        .expect("nothing here fails");
    });
}

criterion_group!(benches, switching);
criterion_main!(benches);
