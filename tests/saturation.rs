//! What has not started starts at last, though every worker of its pool has always something else to do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

/// When a wait is given up: far later than anything that is waited for.
const IN_VAIN: Duration = Duration::from_secs(20);

fn spin_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// False if it was waited for in vain.
fn spin_until(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > IN_VAIN {
            return false;
        }
        std::hint::spin_loop();
    }
    true
}

/// Launches itself again before it ends, so that a worker that has some of these never runs dry.
fn launch_for_ever(scope: &CoroutineScope, over: &'static AtomicBool) {
    let next = scope.clone();
    scope.launch(move |_| {
        spin_for(Duration::from_micros(5));
        if !over.load(Ordering::Relaxed) {
            launch_for_ever(&next, over);
        }
    });
}

#[test]
fn what_other_threads_launch_starts_on_workers_that_have_always_launched_more_themselves() {
    // Few, so that the oldest start first, and so many that the newest do.
    for width in [2, 8, 200] {
        static OVER: AtomicBool = AtomicBool::new(false);
        OVER.store(false, Ordering::Relaxed);
        let pool = new_fixed_thread_pool_context(2, "endless").unwrap();
        let scope = CoroutineScope::new(pool.dispatcher());
        for _ in 0..width {
            launch_for_ever(&scope, &OVER);
        }
        spin_for(Duration::from_millis(5));
        let started = std::sync::Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let started = started.clone();
            scope.launch(move |_| {
                started.fetch_add(1, Ordering::Relaxed);
            });
        }
        let have_started = spin_until(|| started.load(Ordering::Relaxed) == 100);
        OVER.store(true, Ordering::Relaxed);
        assert!(have_started, "{width}: {started:?} of 100");
    }
}

/// Has one worker launch without end, the others run that, and one more coroutine compute until `children` of it have started.
fn starve(workers: usize, children: usize) {
    let pool = new_fixed_thread_pool_context(workers, "flooded").unwrap();
    let (over, flooded) = (AtomicBool::new(false), AtomicUsize::new(0));
    let started = AtomicUsize::new(0);
    run_blocking(|s| {
        let on_pool = || s.builder().dispatcher(pool.dispatcher());
        let (over, flooded, started) = (&over, &flooded, &started);
        on_pool().launch(move |s| {
            while !over.load(Ordering::Relaxed) {
                s.launch(|_| {
                    flooded.fetch_add(1, Ordering::Relaxed);
                    spin_for(Duration::from_micros(20));
                });
                // Slower than one worker starts these, but for those that are busy.
                spin_for(Duration::from_micros(4));
            }
        });
        while flooded.load(Ordering::Relaxed) < 100 {
            delay(ms(1))?;
        }
        on_pool().launch(move |s| {
            for _ in 0..children {
                s.launch(|_| {
                    started.fetch_add(1, Ordering::Relaxed);
                });
            }
            let have_started = spin_until(|| started.load(Ordering::Relaxed) == children);
            over.store(true, Ordering::Relaxed);
            assert!(
                have_started,
                "{started:?} of {children} with {workers} workers"
            );
        });
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_waits_behind_one_that_computes_is_taken_by_workers_that_have_enough_to_do() {
    for workers in [3, 4] {
        // So little that it is left to its worker for a while, and so much that half of it is taken.
        for children in [1, 10] {
            starve(workers, children);
        }
    }
}
