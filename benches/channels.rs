//! What does it cost to pass an element to another coroutine?

mod peers;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, on_may, on_tokio, tokio_pool, tokio_thread};
use switchback::prelude::*;

/// Runs two coroutines to their end, on one loop or on a dispatcher.
fn both(
    there: Option<Dispatcher>,
    one: impl FnOnce() -> Result<()> + Send,
    other: impl FnOnce() -> Result<()> + Send,
) -> Duration {
    fn launch<'s, 'env>(
        s: &'s Scope<'s, 'env>,
        one: impl FnOnce() -> Result<()> + Send + 'env,
        other: impl FnOnce() -> Result<()> + Send + 'env,
    ) {
        s.launch(|_| one());
        s.launch(|_| other());
    }
    let start = Instant::now();
    match there {
        None => run_blocking(|s| {
            launch(s, one, other);
            Ok(())
        }),
        Some(there) => with_context(there, |s| {
            launch(s, one, other);
            Ok(())
        }),
    }
    .expect("nothing here fails");
    start.elapsed()
}

/// Two send a number back and forth.
fn ping_pong(there: Option<Dispatcher>, capacity: Capacity, rounds: u64) -> Duration {
    let (ping_tx, ping) = channel(capacity);
    let (pong_tx, pong) = channel(capacity);
    let answer = move || {
        for number in ping {
            pong_tx.send(number? + 1)?;
        }
        Ok(())
    };
    let ask = move || {
        for number in 0..rounds {
            ping_tx.send(number)?;
            assert_eq!(pong.recv()?, number + 1);
        }
        Ok(())
    };
    both(there, answer, ask)
}

/// One sends, one sums up, through a buffer.
fn stream(there: Option<Dispatcher>, count: u64) -> Duration {
    let (tx, rx) = channel(Capacity::buffered(100));
    let send = move || {
        for number in 0..count {
            tx.send(number)?;
        }
        Ok(())
    };
    let sum = move || {
        let sum = rx.into_iter().sum::<Result<u64>>()?;
        assert_eq!(sum, count * (count.max(1) - 1) / 2);
        Ok(())
    };
    both(there, send, sum)
}

/// As [`ping_pong`], but the one who asks selects: over the answers, and over a channel on which nothing comes.
fn ping_pong_selecting(there: Option<Dispatcher>, rounds: u64) -> Duration {
    let (ping_tx, ping) = channel(Capacity::rendezvous());
    let (pong_tx, pong) = channel(Capacity::rendezvous());
    let (_silent, never) = channel::<u64>(Capacity::rendezvous());
    let answer = move || {
        for number in ping {
            pong_tx.send(number? + 1)?;
        }
        Ok(())
    };
    let ask = move || {
        for number in 0..rounds {
            ping_tx.send(number)?;
            let answer = select(|s| {
                s.on_recv(&never, Ok);
                s.on_recv(&pong, Ok);
            })?;
            assert_eq!(answer, number + 1);
        }
        Ok(())
    };
    both(there, answer, ask)
}

fn selects(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select of two");
    group.bench_function("ready", |b| {
        let (tx, rx) = channel(Capacity::buffered(1));
        let (_silent, never) = channel::<u64>(Capacity::rendezvous());
        run_blocking(|_| {
            b.iter(|| {
                tx.send(1_u64).expect("there is room");
                select(|s| {
                    s.on_recv(&never, Ok);
                    s.on_recv(&rx, Ok);
                })
            });
            Ok(())
        })
        .expect("nothing here fails");
    });
    group.bench_function("ping-pong, rendezvous", |b| {
        b.iter_custom(|rounds| ping_pong_selecting(None, rounds))
    });
    group.finish();
}

async fn tokio_ping_pong(rounds: u64) {
    let (ping_tx, mut ping) = tokio::sync::mpsc::channel(1);
    let (pong_tx, mut pong) = tokio::sync::mpsc::channel(1);
    let answer = tokio::spawn(async move {
        while let Some(number) = ping.recv().await {
            if pong_tx.send(number + 1).await.is_err() {
                break;
            }
        }
    });
    for number in 0..rounds {
        ping_tx.send(number).await.expect(NOTHING_FAILS);
        assert_eq!(pong.recv().await, Some(number + 1));
    }
    drop(ping_tx);
    answer.await.expect(NOTHING_FAILS);
}

async fn tokio_stream(count: u64) {
    let (tx, mut rx) = tokio::sync::mpsc::channel(100);
    let send = tokio::spawn(async move {
        for number in 0..count {
            tx.send(number).await.expect(NOTHING_FAILS);
        }
    });
    let mut sum = 0;
    while let Some(number) = rx.recv().await {
        sum += number;
    }
    assert_eq!(sum, count * (count.max(1) - 1) / 2);
    send.await.expect(NOTHING_FAILS);
}

fn may_ping_pong(rounds: u64) {
    let (ping_tx, ping) = may::sync::mpsc::channel();
    let (pong_tx, pong) = may::sync::mpsc::channel();
    let answer = may::go!(move || {
        for number in ping {
            pong_tx.send(number + 1).expect(NOTHING_FAILS);
        }
    });
    for number in 0..rounds {
        ping_tx.send(number).expect(NOTHING_FAILS);
        assert_eq!(pong.recv().expect(NOTHING_FAILS), number + 1);
    }
    drop(ping_tx);
    answer.join().expect(NOTHING_FAILS);
}

fn channels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("channel");
    let default = || Some(Dispatchers::default());
    let (thread, pool) = (tokio_thread(), tokio_pool(2));
    group.bench_function("ping-pong, tokio", |b| {
        b.iter_custom(|rounds| on_tokio(&thread, tokio_ping_pong(rounds)))
    });
    group.bench_function("ping-pong, may (unbounded)", |b| {
        b.iter_custom(|rounds| on_may(move || may_ping_pong(rounds)))
    });
    group.bench_function("ping-pong in the pool, tokio", |b| {
        b.iter_custom(|rounds| on_tokio(&pool, tokio_ping_pong(rounds)))
    });
    group.bench_function("stream, tokio", |b| {
        b.iter_custom(|count| on_tokio(&thread, tokio_stream(count)))
    });
    group.bench_function("stream in the pool, tokio", |b| {
        b.iter_custom(|count| on_tokio(&pool, tokio_stream(count)))
    });
    group.bench_function("ping-pong, rendezvous", |b| {
        b.iter_custom(|rounds| ping_pong(None, Capacity::rendezvous(), rounds))
    });
    group.bench_function("ping-pong, one slot", |b| {
        b.iter_custom(|rounds| ping_pong(None, Capacity::buffered(1), rounds))
    });
    group.bench_function("ping-pong, default dispatcher", |b| {
        b.iter_custom(|rounds| ping_pong(default(), Capacity::rendezvous(), rounds))
    });
    group.bench_function("stream", |b| b.iter_custom(|count| stream(None, count)));
    group.bench_function("stream, default dispatcher", |b| {
        b.iter_custom(|count| stream(default(), count))
    });
    group.finish();
}

criterion_group!(benches, channels, selects);
criterion_main!(benches);
