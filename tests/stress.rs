//! Random trees of everything, on all dispatchers at once.
//!
//! Each tree launches, awaits, cancels, fails, panics, times out, shields, hops and joins at random. Every level keeps a
//! canary in its frame that its children borrow, and overwrites it when its scope has returned: a child that ran on would
//! see it. The interleavings hunted: cancel against completion, foreign resume against cancel, timeout against the end of
//! the body, the last child against the frame that waits, a sleeping thread against what is sent to it.
//!
//! `SWITCHBACK_STRESS_SECONDS` and `SWITCHBACK_STRESS_SEED` make it longer, or repeat it; the seed is printed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchback::CoroutineStart;
use switchback::prelude::*;

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

static ALIVE: AtomicI64 = AtomicI64::new(0);
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Counts the frames that have not been left.
struct Live;

impl Live {
    fn new() -> Self {
        STARTED.fetch_add(1, Ordering::Relaxed);
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

const INTACT: u64 = 0xCAFE;

fn check(canary: &AtomicU64) {
    assert_eq!(
        canary.load(Ordering::Relaxed),
        INTACT,
        "a child outlived its scope"
    );
}

fn tree(mut random: Random, depth: u32, outer: &AtomicU64) -> Result<u64> {
    let _live = Live::new();
    check(outer);
    let canary = AtomicU64::new(INTACT);
    let result = match random.below(12) {
        0..=3 => coroutine_scope(|s| work(s, &mut random, depth, &canary)),
        4..=5 => supervisor_scope(|s| work(s, &mut random, depth, &canary)),
        6 => with_timeout(random.micros(300), |s| work(s, &mut random, depth, &canary)),
        7 => with_timeout_or_none(random.micros(3000), |s| {
            work(s, &mut random, depth, &canary)
        })
        .map(|value| value.unwrap_or(0)),
        8 => non_cancellable(|s| work(s, &mut random, depth, &canary)),
        9 => {
            let seed = random.next();
            let canary = &canary;
            let there = if seed & 1 == 0 {
                Dispatchers::default()
            } else {
                Dispatchers::io()
            };
            with_context(there, move |s| work(s, &mut Random(seed), depth, canary))
        }
        10 => {
            let body = AssertUnwindSafe(|| {
                coroutine_scope(|s| {
                    let sum = work(s, &mut random, depth, &canary)?;
                    if random.below(4) == 0 {
                        resume_unwind(Box::new("the body"));
                    }
                    Ok(sum)
                })
            });
            catch_unwind(body).unwrap_or(Ok(2))
        }
        _ => run_blocking(|s| work(s, &mut random, depth, &canary)),
    };
    canary.store(0xDEAD, Ordering::Relaxed);
    result
}

fn work<'s>(
    s: &'s Scope<'s, '_>,
    random: &mut Random,
    depth: u32,
    canary: &'s AtomicU64,
) -> Result<u64> {
    let (mut jobs, mut values, mut lazies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..if depth == 0 { 0 } else { random.below(6) } {
        let seed = random.next();
        match random.below(4) {
            0 => jobs.push(s.launch(move |_| tree(Random(seed), depth - 1, canary).map(drop))),
            2 => {
                let lazy = s.builder().start(CoroutineStart::Lazy);
                let job = lazy.launch(move |_| tree(Random(seed), depth - 1, canary).map(drop));
                lazies.push(job);
            }
            1 => values.push(s.async_(move |_| tree(Random(seed), depth - 1, canary))),
            _ => jobs.push(s.launch(move |inner| {
                let _live = Live::new();
                if seed & 7 == 0 {
                    resume_unwind(Box::new(7));
                }
                inner.launch(move |_| check(canary));
                tree(Random(seed), depth - 1, canary).map(drop)
            })),
        }
        match random.below(10) {
            0 => yield_()?,
            1 => delay(random.micros(100))?,
            2 => jobs.iter().for_each(Job::cancel),
            3 => {
                suspend_cancellable_coroutine(|k| {
                    if seed & 31 == 0 {
                        std::thread::spawn(move || k.resume(1));
                    } else {
                        k.resume(2);
                    }
                })?;
            }
            _ => {}
        }
    }
    // One that is neither started nor cancelled would be waited for in vain.
    for job in lazies {
        match random.below(3) {
            0 => job.cancel(),
            1 => job.join()?,
            _ => drop(job.start()),
        }
    }
    match random.below(14) {
        0 => return Err(Error::msg("a failure")),
        1 => s.cancel(),
        2 => {
            for job in &jobs {
                job.join()?;
            }
        }
        3 => return Err(Error::cancelled()),
        _ => {}
    }
    let mut sum = 1;
    for value in values {
        match random.below(6) {
            0..=3 => sum += value.await_().unwrap_or(0),
            4 => sum += value.await_()?,
            _ => drop(value),
        }
    }
    if random.below(4) == 0 {
        delay(random.micros(200))?;
    }
    Ok(sum)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn no_child_outlives_its_scope_and_nothing_hangs() {
    switchback::set_message_hook(|_| ());
    let time = Duration::from_secs(number("SWITCHBACK_STRESS_SECONDS", 4));
    let first = number("SWITCHBACK_STRESS_SEED", 1);
    let (start, mut seed) = (Instant::now(), first);
    while start.elapsed() < time {
        let canary = AtomicU64::new(INTACT);
        let canary = &canary;
        let ended = catch_unwind(AssertUnwindSafe(|| match seed % 3 {
            0 => run_blocking(|_| tree(Random(seed), 5, canary)),
            1 => tree(Random(seed), 5, canary),
            _ => with_context(Dispatchers::default(), move |_| {
                tree(Random(seed), 5, canary)
            }),
        }));
        assert!(ended.is_ok(), "a panic came out of seed {seed}");
        assert_eq!(
            ALIVE.load(Ordering::SeqCst),
            0,
            "a frame was left behind by seed {seed}"
        );
        seed += 1;
    }
    println!(
        "{} coroutines, seeds {first} to {seed}",
        STARTED.load(Ordering::Relaxed)
    );
    assert!(STARTED.load(Ordering::Relaxed) > 1000);
}
