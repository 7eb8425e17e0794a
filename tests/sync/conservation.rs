//! Nothing is lost and nothing is doubled, whatever happens at once.
//!
//! Random senders and receivers on random places, with random capacities; some are cancelled, some run into timeouts, some
//! only try, some leave early, somebody closes or cancels the channel. Each element is a token with a number; its fate is
//! counted where it ends: received, given back, handed to the handler of undelivered elements. The interleavings hunted:
//! hand-over against cancel, at both ends; close against a send or receive that begins to wait; growth of the buffer against
//! everything; the last handle against those who wait. A lock and a semaphore are taken at random on the way, held across
//! suspensions, and must be free at the end.
//!
//! `SWITCHBACK_STRESS_SECONDS` and `SWITCHBACK_STRESS_SEED` make it longer, or repeat it; the seed is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::sync::{ChannelBuilder, TrySendError};

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn micros(&mut self, limit: u64) -> Duration {
        Duration::from_micros(self.below(limit))
    }
}

/// The fates of all tokens of one round.
#[derive(Debug, Default)]
struct Books {
    made: AtomicU64,
    received: AtomicU64,
    given_back: AtomicU64,
    undelivered: AtomicU64,
    alive: AtomicI64,
    inside: AtomicI64,
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
    lock: Mutex<u64>,
    seats: Semaphore,
}

impl Round {
    fn pause(&self, random: &mut Random) -> Result<()> {
        match random.below(8) {
            0 => yield_(),
            1 => delay(random.micros(50)),
            2 => self.lock.with_lock(|count| {
                let before = *count;
                if before % 2 == 0 {
                    yield_()?;
                }
                *count = before + 1;
                Ok(())
            }),
            3 => self.seats.with_permit(|| {
                let now = self.books.inside.fetch_add(1, Ordering::SeqCst);
                assert!(now < 2, "too many inside");
                let waited = yield_();
                self.books.inside.fetch_sub(1, Ordering::SeqCst);
                waited
            }),
            4 => with_timeout_or_none(random.micros(40), |_| self.lock.lock().map(drop)).map(drop),
            _ => Ok(()),
        }
    }

    fn send(&self, mut random: Random, tx: &Sender<Token>) -> Result<()> {
        for _ in 0..random.below(20) {
            let token = Token::new(&self.books);
            if random.below(4) == 0 {
                match tx.try_send(token) {
                    Ok(()) => {}
                    Err(TrySendError::Full(token)) => token.end(|books| &books.given_back),
                    Err(error) => {
                        error.into_value().end(|books| &books.given_back);
                        return Ok(());
                    }
                }
            } else {
                let sent = if random.below(6) == 0 {
                    let mut result = Ok(());
                    let limit = random.micros(60);
                    let mut token = Some(token);
                    let _ = with_timeout_or_none(limit, |_| {
                        if let Some(token) = token.take() {
                            result = tx.send(token);
                        }
                        Ok(())
                    });
                    if let Some(token) = token {
                        token.end(|books| &books.given_back);
                    }
                    result
                } else {
                    tx.send(token)
                };
                if let Err(error) = sent {
                    let (token, error) = error.into_parts();
                    // Without it: cancelled, but the channel has it.
                    if let Some(token) = token {
                        token.end(|books| &books.given_back);
                    }
                    if !error.is_cancelled() {
                        return Ok(());
                    }
                }
            }
            self.pause(&mut random)?;
        }
        if random.below(10) == 0 {
            tx.close();
        }
        Ok(())
    }

    fn receive(&self, mut random: Random, rx: &Receiver<Token>) -> Result<()> {
        loop {
            match random.below(12) {
                0 => {
                    if let Ok(token) = rx.try_recv() {
                        token.end(|books| &books.received);
                    }
                }
                1 => {
                    // A timeout may come between the hand-over and the end of its scope: the token is there all the same.
                    let mut got = None;
                    let _ = with_timeout_or_none(random.micros(60), |_| {
                        got = rx.recv().ok();
                        Ok(())
                    });
                    if let Some(token) = got {
                        token.end(|books| &books.received);
                    }
                }
                2 if random.below(8) == 0 => {
                    rx.cancel();
                }
                3 if random.below(8) == 0 => return Ok(()),
                _ => match rx.recv_catching()? {
                    Ok(token) => token.end(|books| &books.received),
                    Err(_) => return Ok(()),
                },
            }
            if rx.is_closed_for_receive() {
                return Ok(());
            }
            self.pause(&mut random)?;
        }
    }
}

fn capacity(random: &mut Random) -> Capacity {
    let limit = random.below(5) as usize;
    match random.below(6) {
        0 | 1 => Capacity::rendezvous(),
        2 => Capacity::unlimited(),
        3 => Capacity::drop_oldest(limit),
        4 => Capacity::drop_latest(limit),
        _ => Capacity::buffered(limit),
    }
}

fn round(seed: u64) {
    let mut random = Random(seed);
    let books = Arc::new(Books::default());
    let round = Round {
        books: Arc::clone(&books),
        lock: Mutex::new(0),
        seats: Semaphore::new(2),
    };
    let (tx, rx) = ChannelBuilder::new(capacity(&mut random))
        .on_undelivered_element(|token: Token| token.end(|books| &books.undelivered))
        .build();
    let (senders, receivers) = (1 + random.below(4), 1 + random.below(4));
    let places = [random.next(), random.next(), random.next()];
    std::thread::scope(|threads| {
        let round = &round;
        let play = move |random: &mut Random, tx: Sender<Token>, rx: Receiver<Token>| {
            let seed = random.next();
            let mut random = Random(seed);
            supervisor_scope(|s| {
                let mut jobs = Vec::new();
                for _ in 0..senders {
                    let (tx, seed) = (tx.clone(), random.next());
                    jobs.push(s.launch(move |_| round.send(Random(seed), &tx)));
                }
                for _ in 0..receivers {
                    let (rx, seed) = (rx.clone(), random.next());
                    jobs.push(s.launch(move |_| round.receive(Random(seed), &rx)));
                }
                drop((tx, rx));
                for job in &jobs {
                    match random.below(6) {
                        0 => job.cancel(),
                        1 => {
                            delay(random.micros(60))?;
                            job.cancel();
                        }
                        _ => yield_()?,
                    }
                }
                Ok(())
            })
        };
        for place in places {
            let (tx, rx) = (tx.clone(), rx.clone());
            threads.spawn(move || {
                let mut random = Random(place);
                match random.below(4) {
                    0 => run_blocking(|_| play(&mut random, tx, rx)),
                    1 => play(&mut random, tx, rx),
                    // With the other handle in its hands it could wait for itself.
                    2 => {
                        drop(rx);
                        round.send(Random(random.next()), &tx)
                    }
                    _ => {
                        drop(tx);
                        round.receive(Random(random.next()), &rx)
                    }
                }
                .unwrap();
            });
        }
        drop((tx, rx));
    });
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let ended = count(&books.received) + count(&books.given_back) + count(&books.undelivered);
    assert_eq!(count(&books.made), ended, "seed {seed}: {books:?}");
    assert_eq!(books.alive.load(Ordering::Relaxed), 0, "seed {seed}");
    assert!(!round.lock.is_locked(), "seed {seed}");
    assert_eq!(round.seats.available_permits(), 2, "seed {seed}");
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn every_element_ends_once_and_nothing_hangs() {
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
