//! Measures what a processor and a kernel take for the acts of a worker.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_deque::{Injector, Worker};

const ROUNDS: u32 = 1_000_000;
const WAKES: u32 = 1_000;

/// Prints each cost beside the one that the simulation takes.
pub fn print() {
    let [waker, awakening] = wake();
    let all = [
        ("POP", crate::kit::costs::POP, pop()),
        (
            "POP_INJECTED",
            crate::kit::costs::POP_INJECTED,
            pop_injected(),
        ),
        ("LOOK", crate::kit::costs::LOOK, look()),
        ("STEAL", crate::kit::costs::STEAL, steal()),
        ("WAKE", crate::kit::costs::WAKE, waker),
        ("AWAKENING", crate::kit::costs::AWAKENING, awakening),
        ("OVERSLEEP", crate::kit::costs::OVERSLEEP, oversleep()),
    ];
    for (name, taken, measured) in all {
        println!("{name:13} {taken:6} ns, here {measured:8.1} ns");
    }
}

fn each(rounds: u32, mut act: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..rounds {
        act();
    }
    began.elapsed().as_nanos() as f64 / f64::from(rounds)
}

/// Waits for another thread to have begun.
fn until(has_begun: impl Fn() -> bool) {
    while !has_begun() {
        std::hint::spin_loop();
    }
}

fn full() -> Worker<u32> {
    let queue = Worker::new_fifo();
    (0..ROUNDS).for_each(|number| queue.push(number));
    queue
}

fn pop() -> f64 {
    let queue = full();
    each(ROUNDS, || {
        black_box(queue.pop());
    })
}

fn pop_injected() -> f64 {
    let injector = Injector::new();
    (0..ROUNDS).for_each(|number| injector.push(number));
    each(ROUNDS, || {
        let _ = black_box(injector.steal());
    })
}

/// The line of a thread that writes it all the time.
fn look() -> f64 {
    let word = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                word.fetch_add(1, Ordering::Relaxed);
                for _ in 0..50 {
                    std::hint::spin_loop();
                }
            }
        });
        until(|| word.load(Ordering::Relaxed) > 1_000);
        let taken = each(ROUNDS, || {
            black_box(word.load(Ordering::Acquire));
        });
        stop.store(true, Ordering::Relaxed);
        taken
    })
}

/// From a queue that its owner fills meanwhile.
fn steal() -> f64 {
    let queue: Worker<u32> = Worker::new_fifo();
    let stealer = queue.stealer();
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        let stop = &stop;
        s.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if queue.len() < 1_000 {
                    queue.push(1);
                } else {
                    std::hint::spin_loop();
                }
            }
        });
        until(|| stealer.len() > 500);
        let taken = each(ROUNDS, || {
            let _ = black_box(stealer.steal());
        });
        stop.store(true, Ordering::Relaxed);
        taken
    })
}

/// What the waker pays, and after what time the sleeper runs.
fn wake() -> [f64; 2] {
    let began = Instant::now();
    let since = || began.elapsed().as_nanos() as u64;
    let (told, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut waker, mut sleeper) = (0, 0);
    thread::scope(|s| {
        let thread = s.spawn(|| {
            for _ in 0..WAKES {
                while told.swap(0, Ordering::AcqRel) == 0 {
                    thread::park();
                }
                ran.store(since(), Ordering::Release);
            }
        });
        for _ in 0..WAKES {
            // Long enough for the other one to be asleep.
            thread::sleep(Duration::from_micros(200));
            let before = since();
            told.store(before, Ordering::Release);
            thread.thread().unpark();
            waker += since() - before;
            let mut after = 0;
            while after == 0 {
                after = ran.swap(0, Ordering::AcqRel);
                std::hint::spin_loop();
            }
            sleeper += after - before;
        }
    });
    [waker, sleeper].map(|all| all as f64 / f64::from(WAKES))
}

fn oversleep() -> f64 {
    let nap = Duration::from_micros(50);
    each(WAKES, || thread::sleep(nap)) - nap.as_nanos() as f64
}
