//! Selects that meet each other, and everything else, on many threads.
//!
//! The interleavings hunted: two selects that link at the same time over the same channels, written in opposite orders; a
//! select that is decided while it stands in other lists still; a hand-over against a cancel, a timeout, a close and the end
//! of a job; a loser's node that is passed over. Each element is a token whose fate is counted where it ends.
//!
//! `SWITCHBACK_STRESS_SECONDS` and `SWITCHBACK_STRESS_SEED` make it longer, or repeat it; the seed is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::sync::ChannelBuilder;

use crate::support::{Random, number, settle};

#[test]
fn two_selects_on_one_loop_meet_once_whoever_comes_first() {
    for sender_first in [false, true] {
        for opposite in [false, true] {
            let (to_a, a) = channel(Capacity::rendezvous());
            let (to_b, b) = channel(Capacity::rendezvous());
            run_blocking(|s| {
                let send = || {
                    s.async_(|_| {
                        select(|s| {
                            s.on_send(&to_a, 1, || Ok('a'));
                            s.on_send(&to_b, 2, || Ok('b'));
                        })
                    })
                };
                let receive = || {
                    s.async_(|_| {
                        let order = if opposite { [&b, &a] } else { [&a, &b] };
                        select(|s| {
                            for rx in order {
                                s.on_recv(rx, Ok);
                            }
                        })
                    })
                };
                let (sent, received);
                if sender_first {
                    (sent, received) = (send(), receive());
                } else {
                    received = receive();
                    sent = send();
                }
                let (sent, received) = (sent.await_()?, received.await_()?);
                assert!(matches!((sent, received), ('a', 1) | ('b', 2)));
                // The one who comes later chooses, in its order.
                let chooses = if sender_first && opposite { 'b' } else { 'a' };
                assert_eq!(sent, chooses);
                for (tx, rx) in [(&to_a, &a), (&to_b, &b)] {
                    assert!(tx.try_send(0).is_err() && rx.try_recv().is_err());
                }
                Ok(())
            })
            .unwrap();
        }
    }
}

#[test]
fn a_select_does_not_meet_one_that_is_decided() {
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    run_blocking(|s| {
        let first = s.async_(|_| {
            select(|s| {
                s.on_recv(&a, Ok);
                s.on_recv(&b, Ok);
            })
        });
        settle()?;
        to_a.try_send(1)?;
        // Its node is still in the list of `b`.
        let second = select(|s| {
            s.on_send(&to_b, 2, || Ok("sent"));
            s.on_timeout(Duration::ZERO, || Ok("nobody"));
        })?;
        assert_eq!(second, "nobody");
        assert_eq!(first.await_()?, 1);
        Ok(())
    })
    .unwrap();
}

/// Each of one half sends on `a` or receives from `b`, each of the other half the reverse: every exchange is between two
/// selects, one of each half.
#[test]
fn selects_that_only_meet_selects_pair_off_to_the_last() {
    const ROUNDS: u64 = 400;
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    let sums = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|threads| {
        for place in 0..6 {
            let (to_a, a, to_b, b) = (&to_a, &a, &to_b, &b);
            let [sent, received] = &sums;
            let is_left = place % 2 == 0;
            let body = move || {
                for round in 0..ROUNDS {
                    let (tx, rx) = if is_left { (to_a, b) } else { (to_b, a) };
                    let receive = |n: u64| {
                        received.fetch_add(n, Ordering::Relaxed);
                        Ok(())
                    };
                    let send = || {
                        sent.fetch_add(round, Ordering::Relaxed);
                        Ok(())
                    };
                    if round % 3 == 0 {
                        select(|s| {
                            s.on_recv(rx, receive);
                            s.on_send(tx, round, send);
                        })?;
                    } else {
                        select_unbiased(|s| {
                            s.on_send(tx, round, send);
                            s.on_recv(rx, receive);
                        })?;
                    }
                }
                Ok(())
            };
            threads.spawn(move || {
                match place / 2 {
                    0 => body(),
                    1 => run_blocking(|s| s.async_(|_| body()).await_()),
                    _ => with_context(Dispatchers::default(), |_| body()),
                }
                .unwrap();
            });
        }
    });
    let [sent, received] = sums.map(AtomicU64::into_inner);
    assert_eq!(sent, received);
    assert!(to_a.try_send(0).is_err() && to_b.try_send(0).is_err());
    assert!(a.try_recv().is_err() && b.try_recv().is_err());
}

/// The fates of all tokens of one round.
#[derive(Debug, Default)]
struct Books {
    made: AtomicU64,
    received: AtomicU64,
    given_back: AtomicU64,
    undelivered: AtomicU64,
    alive: AtomicI64,
}

struct Token(Arc<Books>);

impl Token {
    fn new(books: &Arc<Books>) -> Self {
        books.made.fetch_add(1, Ordering::Relaxed);
        books.alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(books))
    }

    fn end(self, count: impl Fn(&Books) -> &AtomicU64) {
        count(&self.0).fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What all of a round share.
struct Round {
    books: Arc<Books>,
    channels: Vec<(Sender<Token>, Receiver<Token>)>,
    locks: [Mutex<u64>; 2],
    seats: Semaphore,
    job: Job,
}

/// One clause of a select, chosen at random.
#[derive(Clone, Copy, Debug)]
enum Want {
    Send(usize),
    Receive(usize),
    Lock(usize),
    Seat,
    Join,
    Time(Duration),
}

impl Round {
    fn wants(&self, random: &mut Random) -> Vec<Want> {
        let count = self.channels.len() as u64;
        let mut wants: Vec<_> = (0..1 + random.below(4))
            .map(|_| match random.below(12) {
                0..=3 => Want::Send(random.below(count) as usize),
                4..=8 => Want::Receive(random.below(count) as usize),
                9 => Want::Lock(random.below(2) as usize),
                10 => Want::Seat,
                _ => Want::Join,
            })
            .collect();
        // So that the round ends.
        wants.push(Want::Time(random.micros(400)));
        wants
    }

    fn select_once(&self, random: &mut Random) -> Result<()> {
        let wants = self.wants(random);
        let is_fair = random.below(2) == 0;
        let is_slow = random.below(3) == 0;
        let mut values: Vec<_> = wants
            .iter()
            .map(|want| matches!(want, Want::Send(_)).then(|| Token::new(&self.books)))
            .collect();
        let clauses = wants.iter().zip(&mut values);
        let pause = move || if is_slow { yield_() } else { Ok(()) };
        macro_rules! write_down {
            ($s:ident) => {
                for (want, value) in clauses {
                    match *want {
                        Want::Send(at) => $s.on_send_from(&self.channels[at].0, value, || Ok(())),
                        Want::Receive(at) => {
                            $s.on_recv_catching(&self.channels[at].1, |received| {
                                if let Ok(token) = received {
                                    token.end(|books| &books.received);
                                }
                                Ok(())
                            })
                        }
                        Want::Lock(at) => $s.on_lock(&self.locks[at], move |mut count| {
                            let before = *count;
                            let paused = pause();
                            *count = before + 1;
                            paused
                        }),
                        Want::Seat => $s.on_permit(&self.seats, move |_permit| pause()),
                        Want::Join => $s.on_join(&self.job, || Ok(())),
                        Want::Time(time) => $s.on_timeout(time, || Ok(())),
                    }
                }
            };
        }
        let result = if is_fair {
            select_unbiased(|s| write_down!(s))
        } else {
            select(|s| write_down!(s))
        };
        for token in values.into_iter().flatten() {
            token.end(|books| &books.given_back);
        }
        result
    }

    fn play(&self, mut random: Random) {
        for _ in 0..10 + random.below(30) {
            let limit = random.micros(100);
            // A cancellation and the end of a channel are no matter: nothing may be lost by them.
            let _ = match random.below(5) {
                0 => with_timeout_or_none(limit, |_| self.select_once(&mut random)).map(drop),
                1 => non_cancellable(|_| self.select_once(&mut random)),
                _ => self.select_once(&mut random),
            };
        }
    }
}

fn round(seed: u64) {
    let mut random = Random(seed);
    let books = Arc::new(Books::default());
    let capacities = [
        Capacity::rendezvous(),
        Capacity::buffered(1),
        Capacity::unlimited(),
        Capacity::drop_oldest(1),
    ];
    let channels = (0..2 + random.below(2))
        .map(|_| {
            let pick = random.below(6).min(3) as usize;
            let capacity = capacities[3 - pick];
            ChannelBuilder::new(capacity)
                .on_undelivered_element(|token: Token| token.end(|books| &books.undelivered))
                .build()
        })
        .collect();
    let job = Job::by_hand();
    let round = Round {
        books: Arc::clone(&books),
        channels,
        locks: [Mutex::new(0), Mutex::new(0)],
        seats: Semaphore::new(1),
        job: Job::clone(&job),
    };
    let seeds = [random.next(), random.next(), random.next(), random.next()];
    std::thread::scope(|threads| {
        let round = &round;
        for seed in seeds {
            threads.spawn(move || {
                let mut random = Random(seed);
                let many = |random: &mut Random| {
                    supervisor_scope(|s| {
                        let jobs: Vec<_> = (0..3)
                            .map(|_| {
                                let seed = random.next();
                                let builder = match random.below(3) {
                                    0 => s.builder().dispatcher(Dispatchers::unconfined()),
                                    _ => s.builder(),
                                };
                                builder.launch(move |_| round.play(Random(seed)))
                            })
                            .collect();
                        for job in &jobs {
                            delay(random.micros(300))?;
                            if random.below(2) == 0 {
                                job.cancel();
                            }
                        }
                        Ok(())
                    })
                };
                match random.below(3) {
                    0 => run_blocking(|_| many(&mut random)).unwrap(),
                    1 => many(&mut random).unwrap(),
                    _ => round.play(Random(random.next())),
                }
            });
        }
        threads.spawn(|| {
            delay(random.micros(2000)).unwrap();
            job.complete();
            for (tx, rx) in &round.channels {
                match random.below(4) {
                    0 => {
                        tx.close();
                    }
                    1 => rx.cancel(),
                    _ => {}
                }
            }
        });
    });
    assert!(
        round.locks.iter().all(|lock| !lock.is_locked()),
        "seed {seed}"
    );
    assert_eq!(round.seats.available_permits(), 1, "seed {seed}");
    for (tx, rx) in &round.channels {
        // Nobody waits at either end any more.
        while let Ok(token) = rx.try_recv() {
            token.end(|books| &books.received);
        }
        if let Err(error) = tx.try_send(Token::new(&books)) {
            error.into_value().end(|books| &books.given_back);
        }
    }
    drop(round);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let ended = count(&books.received) + count(&books.given_back) + count(&books.undelivered);
    assert_eq!(count(&books.made), ended, "seed {seed}: {books:?}");
    assert_eq!(books.alive.load(Ordering::Relaxed), 0, "seed {seed}");
}

#[test]
fn every_element_ends_once_whatever_selects_do() {
    let time = Duration::from_secs(number("SWITCHBACK_STRESS_SECONDS", 4));
    let first = number("SWITCHBACK_STRESS_SEED", 1);
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < time {
        round(seed);
        seed += 1;
    }
    println!("seeds {first} to {seed}");
    assert!(seed > first);
}
