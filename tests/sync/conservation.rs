//! Nothing is lost and nothing is doubled, whatever happens at once.
//!
//! Random senders and receivers on random places, with random capacities; some are cancelled, some run into timeouts, some
//! only try, some leave early, some panic, somebody closes or cancels the channel. The fate of each element is counted
//! where it ends: received, given back, handed to the handler of undelivered elements, lost with the frame of one who
//! panicked. The interleavings hunted: hand-over against cancel, at both ends; close against a send or receive that begins
//! to wait; growth of the buffer against everything; the last handle against those who wait. A lock and a semaphore are
//! taken at random on the way, held across suspensions and panics, and must be free at the end.
//!
//! `SWITCHBACK_STRESS_SECONDS`, or `SWITCHBACK_STRESS_MESSAGES`, make it longer; `SWITCHBACK_STRESS_SEED` repeats it. The
//! seeds are printed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchback::Panicked;
use switchback::prelude::*;
use switchback::sync::{ChannelBuilder, TrySendError};

use crate::support::{Random, number};

/// The fates of all tokens of one round.
#[derive(Debug, Default)]
struct Books {
    made: AtomicU64,
    received: AtomicU64,
    given_back: AtomicU64,
    undelivered: AtomicU64,
    /// In the hands of one who panicked.
    wrecked: AtomicU64,
    accidents: AtomicU64,
    alive: AtomicI64,
    inside: AtomicI64,
}

/// The payload of the panics that this test makes.
const ACCIDENT: &str = "an accident";

impl Books {
    /// Panics now and then. Not by `panic!`, which would tell of each.
    fn risk(&self, random: &mut Random, one_in: u64) {
        if random.below(one_in) == 0 {
            self.accidents.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new(ACCIDENT));
        }
    }
}

/// On a plain thread an accident ends the body, as it ends a coroutine elsewhere.
fn survive(body: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        assert_eq!(panic.downcast_ref(), Some(&ACCIDENT), "not one of ours");
        Ok(())
    })
}

struct Token(Arc<Books>);

/// A token on the way from one hand to the next, for as long as somebody may panic.
struct InHand<'a>(Option<Token>, &'a AtomicU64);

impl InHand<'_> {
    fn pass_on(mut self) -> Option<Token> {
        self.0.take()
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

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

/// What the exception handler was told.
type Failures = std::sync::Mutex<Vec<Error>>;

/// What all of a round share.
struct Round {
    books: Arc<Books>,
    lock: Mutex<u64>,
    seats: Semaphore,
    scale: Scale,
}

/// How long a round is, and how quiet.
#[derive(Clone, Copy)]
struct Scale {
    /// A sender sends fewer elements than this.
    most: u64,
    /// What happens beside sending and receiving happens once in so many times.
    calm: u64,
}

/// Where a beginning often meets an end.
const SHORT: Scale = Scale { most: 20, calm: 1 };
const LONG: Scale = Scale {
    most: 20_000,
    calm: 200,
};

impl Round {
    fn pause(&self, random: &mut Random) -> Result<()> {
        if random.below(self.scale.calm) > 0 {
            return Ok(());
        }
        match random.below(8) {
            0 => yield_(),
            1 => delay(random.micros(50)),
            2 => self.lock.with_lock(|count| {
                let before = *count;
                if before % 2 == 0 {
                    yield_()?;
                }
                self.books.risk(random, 100);
                *count = before + 1;
                Ok(())
            }),
            3 => self.seats.with_permit(|| {
                let now = self.books.inside.fetch_add(1, Ordering::SeqCst);
                assert!(now < 2, "too many inside");
                let waited = yield_();
                self.books.inside.fetch_sub(1, Ordering::SeqCst);
                self.books.risk(random, 100);
                waited
            }),
            4 => with_timeout_or_none(random.micros(40), |_| self.lock.lock().map(drop)).map(drop),
            _ => Ok(()),
        }
    }

    fn send(&self, mut random: Random, tx: &Sender<Token>) -> Result<()> {
        for _ in 0..random.below(self.scale.most) {
            let token = InHand(Some(Token::new(&self.books)), &self.books.wrecked);
            self.books.risk(&mut random, 100 * self.scale.calm);
            let Some(token) = token.pass_on() else {
                continue;
            };
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
                let sent = if random.below(6 * self.scale.calm) == 0 {
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
                    // By the timeout, or altogether.
                    ensure_active()?;
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
            match random.below(12 * self.scale.calm) {
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

/// Plays one round.
fn round(seed: u64, scale: Scale) -> Arc<Books> {
    let mut random = Random(seed);
    let books = Arc::new(Books::default());
    let failures = Arc::new(Failures::default());
    let told = Arc::clone(&failures);
    let handler =
        CoroutineExceptionHandler::new(move |_, error| told.lock().unwrap().push(error.clone()));
    let round = Round {
        books: Arc::clone(&books),
        lock: Mutex::new(0),
        seats: Semaphore::new(2),
        scale,
    };
    let (tx, rx) = ChannelBuilder::new(capacity(&mut random))
        .on_undelivered_element(|token: Token| token.end(|books| &books.undelivered))
        .build();
    let (senders, receivers) = (1 + random.below(4), 1 + random.below(4));
    let places = [random.next(), random.next(), random.next()];
    std::thread::scope(|threads| {
        let (round, handler) = (&round, &handler);
        let play = move |random: &mut Random, tx: Sender<Token>, rx: Receiver<Token>| {
            let seed = random.next();
            let mut random = Random(seed);
            supervisor_scope(|s| {
                let mut jobs = Vec::new();
                for _ in 0..senders {
                    let (tx, seed) = (tx.clone(), random.next());
                    let builder = s.builder().context(handler.clone());
                    jobs.push(builder.launch(move |_| round.send(Random(seed), &tx)));
                }
                for _ in 0..receivers {
                    let (rx, seed) = (rx.clone(), random.next());
                    let builder = s.builder().context(handler.clone());
                    jobs.push(builder.launch(move |_| round.receive(Random(seed), &rx)));
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
                        survive(|| round.send(Random(random.next()), &tx))
                    }
                    _ => {
                        drop(tx);
                        survive(|| round.receive(Random(random.next()), &rx))
                    }
                }
                .unwrap();
            });
        }
        drop((tx, rx));
    });
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let fates = [
        &books.received,
        &books.given_back,
        &books.undelivered,
        &books.wrecked,
    ];
    let ended: u64 = fates.into_iter().map(count).sum();
    assert_eq!(count(&books.made), ended, "seed {seed}: {books:?}");
    assert_eq!(books.alive.load(Ordering::Relaxed), 0, "seed {seed}");
    assert!(!round.lock.is_locked(), "seed {seed}");
    assert_eq!(round.seats.available_permits(), 2, "seed {seed}");
    for failure in &*failures.lock().unwrap() {
        let panic = failure.downcast_ref::<Panicked>();
        let message = panic.and_then(Panicked::message);
        assert_eq!(message, Some(ACCIDENT), "seed {seed}: {failure:?}");
    }
    books
}

#[test]
fn every_element_ends_once_and_nothing_hangs() {
    // By number if there is one, else by time.
    let messages = number("SWITCHBACK_STRESS_MESSAGES", 0);
    let time = Duration::from_secs(number("SWITCHBACK_STRESS_SECONDS", 4));
    let first = number("SWITCHBACK_STRESS_SEED", 1);
    let (start, mut seed) = (Instant::now(), first);
    let [mut made, mut received, mut accidents] = [0; 3];
    while made < messages || messages == 0 && start.elapsed() < time {
        let scale = if seed % 16 == 0 { LONG } else { SHORT };
        let books = round(seed, scale);
        made += books.made.load(Ordering::Relaxed);
        received += books.received.load(Ordering::Relaxed);
        accidents += books.accidents.load(Ordering::Relaxed);
        seed += 1;
    }
    println!(
        "seeds {first} to {seed}: {made} elements, {received} received, {accidents} panics, {:?}",
        start.elapsed()
    );
    assert!(made > 0 && received > 0 && accidents > 0);
}
