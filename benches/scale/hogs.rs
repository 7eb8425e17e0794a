//! How late coroutines run beside others that compute in slices and yield, one such hog on every worker.
//!
//! A thousand others live beside them: half wait for timers, half for messages of a plain thread, which also launches a new
//! one now and then. Each notes how much later it ran than it could have: after its deadline, after the message was sent,
//! after it was launched.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

use crate::samples::{Samples, short};
use crate::{NOTHING_FAILS, Options, waits};

const OTHERS: usize = 1000;
/// How long a hog computes between two yields.
const SLICES: [Duration; 4] = [
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_micros(1000),
];
/// How often the plain thread sends and launches.
const TICK: Duration = Duration::from_millis(1);
/// How many messages it sends each time, and how many coroutines it launches.
const MESSAGES: usize = 20;
const LAUNCHES: usize = 2;

/// How late each was, in microseconds.
#[derive(Debug, Default)]
struct Lateness {
    timers: Mutex<Samples>,
    messages: Mutex<Samples>,
    launches: Mutex<Samples>,
}

fn note(samples: &Mutex<Samples>, due: Instant) {
    let late = due.elapsed().as_secs_f64() * 1e6;
    samples.lock().expect(NOTHING_FAILS).add(late);
}

/// Computes in slices until `over`. All hogs meet before the first yields, so that each has a worker of its own.
fn hog(
    slice: Duration,
    (met, all): (&AtomicUsize, usize),
    slices: &AtomicUsize,
    over: &AtomicBool,
) -> Result<()> {
    met.fetch_add(1, Ordering::SeqCst);
    while met.load(Ordering::SeqCst) < all {
        std::hint::spin_loop();
    }
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        while start.elapsed() < slice {
            std::hint::spin_loop();
        }
        slices.fetch_add(1, Ordering::Relaxed);
        yield_()?;
    }
    Ok(())
}

fn sleeper(number: usize, lateness: &Lateness, over: &AtomicBool) -> Result<()> {
    let time = Duration::from_micros(2000 + (number as u64 * 37) % 20_000);
    while !over.load(Ordering::Relaxed) {
        let due = Instant::now() + time;
        delay(time)?;
        note(&lateness.timers, due);
    }
    Ok(())
}

fn beside_hogs(
    pool: &Dispatcher,
    workers: usize,
    slice: Duration,
    time: Duration,
) -> Result<(Lateness, f64)> {
    let lateness = Lateness::default();
    let (met, slices, over) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    let mut senders = Vec::with_capacity(OTHERS / 2);
    let start = Instant::now();
    coroutine_scope(|s| {
        for _ in 0..workers {
            let (met, slices, over) = (&met, &slices, &over);
            s.builder()
                .dispatcher(pool.clone())
                .launch(move |_| hog(slice, (met, workers), slices, over));
        }
        while met.load(Ordering::SeqCst) < workers {
            delay(ms(1))?;
        }
        for number in 0..OTHERS / 2 {
            let (lateness, over) = (&lateness, &over);
            s.builder()
                .dispatcher(pool.clone())
                .launch(move |_| sleeper(number, lateness, over));
            let (sender, receiver) = channel::<Instant>(Capacity::unlimited());
            senders.push(sender);
            s.builder().dispatcher(pool.clone()).launch(move |_| {
                for sent in &receiver {
                    note(&lateness.messages, sent?);
                }
                Ok(())
            });
        }
        let mut turn = 0;
        while start.elapsed() < time {
            thread::sleep(TICK);
            for _ in 0..MESSAGES {
                senders[turn % senders.len()]
                    .send(Instant::now())
                    .map_err(|_| Error::msg(NOTHING_FAILS))?;
                turn += 1;
            }
            for _ in 0..LAUNCHES {
                let (lateness, launched) = (&lateness, Instant::now());
                s.builder()
                    .dispatcher(pool.clone())
                    .launch(move |_| note(&lateness.launches, launched));
            }
        }
        over.store(true, Ordering::Relaxed);
        senders.clear();
        Ok(())
    })?;
    let computed = slice.as_secs_f64() * slices.load(Ordering::Relaxed) as f64;
    let share = computed / start.elapsed().as_secs_f64() / workers as f64;
    Ok((lateness, share))
}

pub fn run(options: &Options) {
    let time = if options.quick { ms(100) } else { ms(3000) };
    let workers = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let pool = new_fixed_thread_pool_context(workers, "hogged").expect(NOTHING_FAILS);
    println!(
        "\n{OTHERS} coroutines beside {workers} hogs on {workers} workers: how late they run, in microseconds.\n"
    );
    println!(
        "| slice | the hogs' share | waited for a processor | woken by | times | median | 99 in 100 | 999 in 1000 | worst |"
    );
    println!("|---:|---:|---:|---|---:|---:|---:|---:|---:|");
    for slice in SLICES {
        let waited = waits::for_a_processor();
        let start = Instant::now();
        let (lateness, share) = beside_hogs(&pool, workers, slice, time).expect(NOTHING_FAILS);
        let waited = waits::for_a_processor()
            .saturating_sub(waited)
            .as_secs_f64()
            / start.elapsed().as_secs_f64();
        let kinds = [
            ("a timer", lateness.timers),
            ("a message", lateness.messages),
            ("a launch", lateness.launches),
        ];
        for (kind, samples) in kinds {
            let samples = samples.into_inner().expect(NOTHING_FAILS);
            if samples.is_empty() {
                println!(
                    "| {slice:?} | {:.0} % | {:.0} % | {kind} | 0 |",
                    share * 100.0,
                    waited * 100.0 / workers as f64
                );
                continue;
            }
            println!(
                "| {slice:?} | {:.0} % | {:.0} % | {kind} | {} | {} | {} | {} | {} |",
                share * 100.0,
                waited * 100.0 / workers as f64,
                samples.len(),
                short(samples.median()),
                short(samples.quantile(0.99)),
                short(samples.quantile(0.999)),
                short(samples.quantile(1.0)),
            );
        }
    }
}
