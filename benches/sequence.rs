//! What does an element of a sequence cost, beside one of an iterator that is written by hand?

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use switchback::prelude::*;

/// What is computed: the Fibonacci numbers, as far as they fit.
struct ByHand(u64, u64);

impl Iterator for ByHand {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let next = self.0;
        (self.0, self.1) = (self.1, self.0.wrapping_add(self.1));
        Some(black_box(next))
    }
}

fn elements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("element");
    group.bench_function("by hand", |b| {
        let mut numbers = ByHand(0, 1);
        b.iter(|| numbers.next());
    });
    group.bench_function("sequence", |b| {
        let mut numbers = iterator(|y| {
            let (mut a, mut b) = (0_u64, 1_u64);
            loop {
                y.yield_(black_box(a))?;
                (a, b) = (b, a.wrapping_add(b));
            }
        });
        b.iter(|| numbers.next());
    });
    group.bench_function("sequence in a sequence", |b| {
        let inner = sequence(|y| y.yield_all(0_u64..));
        let mut outer = iterator(move |y| y.yield_all(&inner));
        b.iter(|| outer.next());
    });
    group.finish();
}

fn beginnings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from begin to end");
    let three = sequence(|y| y.yield_all(0..3_u64));
    group.bench_function("three elements, no runtime on the thread", |b| {
        b.iter(|| three.iter().sum::<u64>());
    });
    group.bench_function("three elements, in a coroutine", |b| {
        run_blocking(|_| {
            b.iter(|| three.iter().sum::<u64>());
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.finish();
}

criterion_group!(benches, elements, beginnings);
criterion_main!(benches);
