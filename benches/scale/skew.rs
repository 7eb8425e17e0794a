//! Bursts in which one in a hundred coroutines works a hundred times as long as the others, launched by one worker.
//!
//! Two figures for each burst: how long it took, over what it would take if all workers shared its work evenly; and the
//! longest time during which a worker did nothing while another had coroutines that had not started. Both come from what
//! each coroutine notes: when it was launched, when it started and ended, and in which thread.
//!
//! A burst in which other programs kept our threads from running says nothing about us, and is told apart. Who idles sleeps
//! for some microseconds before it takes what another one does not get round to; how exactly this machine ends such sleeps is
//! told below.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

use crate::samples::{Samples, short};
use crate::{NOTHING_FAILS, Options, waits};

/// How many coroutines a burst has.
const BURST: usize = 2000;
/// One in so many works longer, so many times.
const SKEW: usize = 100;
/// How long a short one works, about.
const SHORT: Duration = Duration::from_micros(5);
/// What is launched takes so long to be taken up by an idle worker, at most.
const LIMIT: Duration = Duration::from_micros(100);
/// A burst counts as disturbed when our threads have waited so long for a processor.
const DISTURBED: Duration = Duration::from_micros(20);

/// Where the long ones stand among the others.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// One every hundred.
    Evenly,
    First,
    Last,
    Anywhere,
}

const ORDERS: [Order; 4] = [Order::Evenly, Order::First, Order::Last, Order::Anywhere];

/// What one coroutine has noted.
#[derive(Clone, Copy, Debug)]
struct Note {
    launched: Instant,
    started: Instant,
    ended: Instant,
    thread: ThreadId,
}

/// What a burst was like.
#[derive(Debug)]
struct Burst {
    over_ideal: f64,
    /// The longest time for which a worker was idle while another had work that had not started.
    idle: Duration,
    disturbed: bool,
}

/// Keeps the processor busy for so many rounds.
fn work(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// How many rounds take as long as a short one works.
fn calibrate() -> u64 {
    const ROUNDS: u64 = 1_000_000;
    let fastest = (0..20).map(|_| {
        let start = Instant::now();
        work(ROUNDS);
        start.elapsed()
    });
    let fastest = fastest.min().unwrap_or_default();
    (ROUNDS as f64 * SHORT.as_secs_f64() / fastest.as_secs_f64()) as u64
}

fn is_long(order: Order, index: usize) -> bool {
    match order {
        Order::Evenly => index % SKEW == SKEW / 2,
        Order::First => index < BURST / SKEW,
        Order::Last => index >= BURST - BURST / SKEW,
        // Scattered, and the same in each burst.
        Order::Anywhere => (index * 7919 + 13) % BURST < BURST / SKEW,
    }
}

fn burst(pool: &Dispatcher, workers: usize, order: Order, short: u64) -> Result<Burst> {
    with_context(pool.clone(), |_| {
        let notes: Mutex<Vec<Note>> = Mutex::new(Vec::with_capacity(BURST));
        let waited = waits::for_a_processor();
        let start = Instant::now();
        let launched = coroutine_scope(|s| {
            for index in 0..BURST {
                let rounds = if is_long(order, index) {
                    short * SKEW as u64
                } else {
                    short
                };
                let (notes, launched) = (&notes, Instant::now());
                s.launch(move |_| {
                    let started = Instant::now();
                    work(rounds);
                    let (ended, thread) = (Instant::now(), thread::current().id());
                    let note = Note {
                        launched,
                        started,
                        ended,
                        thread,
                    };
                    notes.lock().expect(NOTHING_FAILS).push(note);
                });
            }
            Ok(Instant::now())
        })?;
        let took = start.elapsed();
        let waited = waits::for_a_processor().saturating_sub(waited);
        let notes = notes.into_inner().expect(NOTHING_FAILS);
        let busy: Duration = notes.iter().map(|note| note.ended - note.started).sum();
        let ideal = (busy + (launched - start)) / workers as u32;
        // Who launches is busy as well.
        let launcher = (thread::current().id(), start, launched);
        Ok(Burst {
            over_ideal: took.as_secs_f64() / ideal.as_secs_f64(),
            idle: longest_idleness(&notes, launcher, workers),
            disturbed: waited > DISTURBED,
        })
    })
}

/// The longest time for which one thread did nothing while a coroutine waited that had not started.
fn longest_idleness(
    notes: &[Note],
    launcher: (ThreadId, Instant, Instant),
    workers: usize,
) -> Duration {
    let (first_launch, launches_end) = (launcher.1, launcher.2);
    // All are launched before the last one starts, so from the first launch to the last start something waits, but for
    // moments in which each launch is taken up at once.
    let waiting_until = notes
        .iter()
        .map(|note| note.started)
        .max()
        .unwrap_or(launches_end);
    let mut threads: Vec<ThreadId> = notes.iter().map(|note| note.thread).collect();
    threads.sort_by_key(|thread| format!("{thread:?}"));
    threads.dedup();
    if threads.len() < workers {
        return waiting_until - first_launch;
    }
    let idle = threads.into_iter().map(|thread| {
        let mut busy: Vec<(Instant, Instant)> = notes
            .iter()
            .filter(|note| note.thread == thread)
            .map(|note| (note.started, note.ended))
            .collect();
        if thread == launcher.0 {
            busy.push((first_launch, launches_end));
        }
        busy.sort_unstable();
        let mut free_since = first_launch;
        let mut longest = Duration::ZERO;
        for (from, to) in busy {
            longest = longest.max(waiting_for(notes, free_since, from.min(waiting_until)));
            free_since = free_since.max(to);
        }
        longest.max(waiting_for(notes, free_since, waiting_until))
    });
    idle.max().unwrap_or_default()
}

/// For how long, without a break, a coroutine waited to start in this time.
fn waiting_for(notes: &[Note], from: Instant, to: Instant) -> Duration {
    if to <= from + LIMIT {
        return to.saturating_duration_since(from);
    }
    let mut waits: Vec<(Instant, Instant)> = notes
        .iter()
        .map(|note| (note.launched.max(from), note.started.min(to)))
        .filter(|(launched, started)| launched < started)
        .collect();
    waits.sort_unstable();
    let mut longest = Duration::ZERO;
    let mut current: Option<(Instant, Instant)> = None;
    for (launched, started) in waits {
        let (since, until) = match current {
            Some((since, until)) if launched <= until => (since, until.max(started)),
            _ => (launched, started),
        };
        longest = longest.max(until - since);
        current = Some((since, until));
    }
    longest
}

fn tell(workers: usize, order: Order, bursts: &[Burst], disturbed: bool) {
    let these = || bursts.iter().filter(|burst| burst.disturbed == disturbed);
    let (mut over, mut idle) = (Samples::default(), Samples::default());
    for burst in these() {
        over.add(burst.over_ideal);
        idle.add(burst.idle.as_secs_f64() * 1e6);
    }
    if over.is_empty() {
        return;
    }
    let within = these().filter(|burst| burst.idle <= LIMIT).count();
    println!(
        "| {workers} | {order:?} | {} | {} | {} | {} | {} | {} | {} | {within} |",
        if disturbed { "yes" } else { "no" },
        over.len(),
        short(over.median()),
        short(over.quantile(0.9)),
        short(over.quantile(1.0)),
        short(idle.median()),
        short(idle.quantile(1.0)),
    );
}

/// How late the machine ends sleeps of a worker, where another thread computes.
fn oversleeping(pool: &Dispatcher, naps: usize) -> Result<Samples> {
    const NAP: Duration = Duration::from_micros(20);
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let late = with_context(pool.clone(), |_| {
            let mut late = Samples::default();
            for _ in 0..naps {
                let start = Instant::now();
                // Of the worker, not of the coroutine.
                thread::sleep(NAP);
                late.add((start.elapsed() - NAP).as_secs_f64() * 1e6);
                let start = Instant::now();
                while start.elapsed() < LIMIT {
                    std::hint::spin_loop();
                }
            }
            Ok(late)
        });
        over.store(true, Ordering::Relaxed);
        late
    })
}

pub fn run(options: &Options) {
    let rounds = calibrate();
    let bursts = if options.quick { 3 } else { 100 };
    let cores = thread::available_parallelism().map_or(2, |cores| cores.get());
    println!(
        "\nBursts of {BURST}, one in {SKEW} works {SKEW} times as long as the others' {SHORT:?}.\n"
    );
    println!(
        "| workers | the long ones | disturbed | bursts | over ideal: median | 9 in 10 | worst | idle beside work, us: median | worst | within {LIMIT:?} |"
    );
    println!("|---:|---|---|---:|---:|---:|---:|---:|---:|---:|");
    let counts = [2, cores];
    for workers in counts.into_iter().take(if cores > 2 { 2 } else { 1 }) {
        let pool = new_fixed_thread_pool_context(workers, "skewed").expect(NOTHING_FAILS);
        for order in ORDERS {
            let all: Result<Vec<Burst>> = (0..bursts)
                .map(|_| burst(&pool, workers, order, rounds))
                .collect();
            let all = all.expect(NOTHING_FAILS);
            tell(workers, order, &all, false);
            tell(workers, order, &all, true);
        }
        let naps = if options.quick { 10 } else { 10_000 };
        let late = oversleeping(&pool, naps).expect(NOTHING_FAILS);
        println!(
            "\nOf {naps} sleeps of the machine beside a thread that computes, one in 1000 ended {} us late and more, one in 100 \
             {} us, half of them {} us; the worst {} us.",
            short(late.quantile(0.999)),
            short(late.quantile(0.99)),
            short(late.median()),
            short(late.quantile(1.0)),
        );
    }
}
