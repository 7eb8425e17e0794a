//! Threads of one's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::{new_fixed_thread_pool_context, new_single_thread_context};

use crate::{Log, thread_name};

/// How many threads of this process have a name that begins so.
fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.starts_with(name))
        .count()
}

fn wait_for_the_end_of(name: &str) {
    let begun = Instant::now();
    while threads_named(name) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{name} does not end"
        );
        std::thread::sleep(ms(1));
    }
}

#[test]
fn a_single_thread_runs_its_coroutines_in_the_order_of_their_launch() {
    let log = Log::default();
    let worker = new_single_thread_context("one-by-one").unwrap();
    run_blocking(|s| {
        for number in 0..20 {
            let log = &log;
            s.builder()
                .dispatcher(worker.dispatcher())
                .launch(move |_| log.say(format!("{number} {}", thread_name())));
        }
        Ok(())
    })
    .unwrap();
    let expected: Vec<String> = (0..20)
        .map(|number| format!("{number} one-by-one"))
        .collect();
    assert_eq!(log.taken(), expected);
}

#[test]
fn a_closed_thread_refuses_and_ends_when_its_coroutines_have() {
    let worker = new_single_thread_context("closed-one").unwrap();
    let scope = CoroutineScope::new(SupervisorJob::new() + worker.dispatcher());
    let lives = scope.async_(|_| {
        delay(ms(30))?;
        Ok(thread_name())
    });
    // Started, so that it lives there.
    while lives.children().is_empty() && !lives.is_completed() && threads_named("closed-one") == 0 {
        std::thread::yield_now();
    }
    worker.close();
    worker.close();
    let refused = scope.async_(|_| Ok(()));
    assert_eq!(
        refused.await_().unwrap_err().to_string(),
        "closed-one takes no more coroutines"
    );
    assert_eq!(lives.await_().unwrap(), "closed-one");
    wait_for_the_end_of("closed-one");
}

#[test]
fn a_closed_pool_ends_whatever_was_on_its_way() {
    for round in 0..30 {
        let name = format!("fixed{round}-");
        let pool = new_fixed_thread_pool_context(3, name.clone()).unwrap();
        let ran = AtomicUsize::new(0);
        let told = Mutex::new(Vec::new());
        run_blocking(|_| {
            supervisor_scope(|s| {
                for number in 0..60 {
                    if number == 40 {
                        pool.close();
                    }
                    let ran = &ran;
                    let job = s.builder().dispatcher(pool.dispatcher()).async_(move |_| {
                        if number % 3 == 0 {
                            delay(ms(1))?;
                        }
                        ran.fetch_add(1, Ordering::AcqRel);
                        Ok(())
                    });
                    told.lock().unwrap().push(job.job());
                }
                Ok(())
            })
        })
        .unwrap();
        let jobs = told.into_inner().unwrap();
        let refused = jobs.iter().filter(|job| job.cause().is_some()).count();
        assert_eq!((ran.into_inner(), refused), (40, 20));
        wait_for_the_end_of(&name);
    }
}

#[test]
fn a_pool_that_is_dropped_is_closed() {
    let pool = new_fixed_thread_pool_context(2, "dropped").unwrap();
    let dispatcher = pool.dispatcher();
    assert_eq!(with_context(&pool, |_| Ok(1)).unwrap(), 1);
    drop(pool);
    assert!(with_context(dispatcher, |_| Ok(1)).is_err());
    wait_for_the_end_of("dropped");
}

#[test]
fn idle_threads_of_a_fixed_pool_take_over_what_waits_behind_a_blocked_one() {
    let pool = new_fixed_thread_pool_context(2, "shared").unwrap();
    let pairs = Pairs::default();
    with_context(&pool, |s| {
        // Launched by a thread of the pool, so all four wait behind one another there. None ends but with another one that
        // runs at the same time: one that is taken over only after the one before it has ended comes too late.
        for _ in 0..4 {
            s.launch(|_| pairs.wait_for_another());
        }
        Ok(())
    })
    .unwrap();
}

/// Threads block here, and go on in pairs.
#[derive(Default)]
struct Pairs(Mutex<usize>, Condvar);

impl Pairs {
    fn wait_for_another(&self) {
        let mut came = self.0.lock().unwrap();
        *came += 1;
        let pair = came.next_multiple_of(2);
        self.1.notify_all();
        let patience = Duration::from_secs(20);
        let alone = |came: &mut usize| *came < pair;
        let (_came, waited) = self.1.wait_timeout_while(came, patience, alone).unwrap();
        assert!(!waited.timed_out(), "one thread waits alone");
    }
}

#[test]
fn with_context_goes_there_and_comes_back() {
    let worker = new_single_thread_context("there").unwrap();
    let (before, there, after) = run_blocking(|_| {
        let before = thread_name();
        let there = with_context(&worker + CoroutineName::new("guest"), |s| {
            let name = s.context().get::<CoroutineName>().unwrap().to_string();
            Ok(format!("{name} on {}", thread_name()))
        })?;
        Ok((before, there, thread_name()))
    })
    .unwrap();
    assert_eq!(before, after);
    assert_eq!(there, "guest on there");
}
