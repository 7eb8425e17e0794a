//! Views with a limit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

use crate::{Log, thread_name};

/// Counts those that run at the same time.
#[derive(Default)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Count {
    /// One that runs, and keeps its thread until so many have run at the same time, now or before.
    fn run_until(&self, wanted: usize) {
        self.most.fetch_max(
            self.now.fetch_add(1, Ordering::AcqRel) + 1,
            Ordering::AcqRel,
        );
        let begun = Instant::now();
        while self.most.load(Ordering::Acquire) < wanted {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "never {wanted} at a time"
            );
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(ms(1));
        self.now.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The most that ran at the same time, of so many coroutines on a dispatcher that should let `wanted` do so.
fn most_at_once(dispatcher: &Dispatcher, coroutines: usize, wanted: usize) -> usize {
    let count = Count::default();
    with_context(dispatcher.clone(), |s| {
        for _ in 0..coroutines {
            s.launch(|_| {
                count.run_until(wanted);
                delay(ms(1))?;
                count.run_until(wanted);
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    count.most.into_inner()
}

#[test]
fn no_more_run_at_a_time_than_the_view_allows_before_and_after_a_suspension() {
    for limit in [1, 3] {
        let view = Dispatchers::io().limited_parallelism(limit);
        assert_eq!(most_at_once(&view, 20, limit), limit);
    }
    let pool = new_fixed_thread_pool_context(4, "limited").unwrap();
    assert_eq!(most_at_once(&pool.limited_parallelism(2), 20, 2), 2);
}

#[test]
fn views_count_for_themselves_and_a_view_of_a_view_is_bound_by_both() {
    let outer = Dispatchers::io().limited_parallelism(3);
    let inner = outer.limited_parallelism(2);
    assert_eq!(most_at_once(&inner, 12, 2), 2);
    assert_eq!(outer.limited_parallelism(3), outer);
    assert_eq!(outer.limited_parallelism(100), outer);

    let count = Count::default();
    run_blocking(|s| {
        for view in [&outer, &outer, &inner] {
            for _ in 0..8 {
                s.builder()
                    .dispatcher(view.clone())
                    .launch(|_| count.run_until(3));
            }
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(count.most.into_inner(), 3);
}

#[test]
fn views_of_io_go_beyond_its_limit() {
    let view = Dispatchers::io().limited_parallelism(80);
    assert_eq!(most_at_once(&view, 160, 80), 80);
}

#[test]
fn a_view_of_one_interleaves_at_suspensions_in_the_order_of_arrival() {
    let log = Log::default();
    let view = Dispatchers::default().limited_parallelism(1);
    with_context(view, |s| {
        for name in ["a", "b", "c"] {
            let log = &log;
            s.launch(move |_| {
                for round in 0..3 {
                    log.say(format!("{name}{round}"));
                    yield_()?;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(
        log.taken(),
        ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]
    );
}

#[test]
fn the_coroutines_of_a_view_of_one_live_on_one_thread_at_a_time() {
    let view = Dispatchers::default().limited_parallelism(1);
    let threads = Log::default();
    with_context(view, |s| {
        for _ in 0..50 {
            s.launch(|_| {
                threads.say(thread_name());
                yield_()
            });
        }
        Ok(())
    })
    .unwrap();
    let mut names = threads.taken();
    names.dedup();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn what_a_view_of_one_shares_needs_no_lock() {
    let view = Dispatchers::default().limited_parallelism(1);
    let counter = AtomicUsize::new(0);
    with_context(view, |s| {
        for _ in 0..100 {
            s.launch(|_| {
                for _ in 0..100 {
                    // Not one read-modify-write: an increment would be lost if two ran at a time.
                    let seen = counter.load(Ordering::Relaxed);
                    std::hint::spin_loop();
                    counter.store(seen + 1, Ordering::Relaxed);
                    yield_()?;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(counter.into_inner(), 10_000);
}

#[test]
fn coroutines_that_are_cancelled_before_they_start_give_their_slot_back() {
    let view = Dispatchers::io().limited_parallelism(1);
    run_blocking(|_| {
        let scope = CoroutineScope::new(SupervisorJob::new() + view.clone());
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let busy = scope.launch(move |_| assert!(left.recv().is_err()));
        let many: Vec<Job> = (0..50).map(|_| scope.launch(|_| ())).collect();
        many.iter().for_each(Job::cancel);
        drop(leave);
        join_all(&many)?;
        busy.join()?;
        assert_eq!(scope.async_(|_| Ok(1)).await_()?, 1);
        Ok(())
    })
    .unwrap();
}

/// One that nobody has started is sent to its view when it is cancelled, since its closure is dropped there.
#[test]
fn a_lazy_coroutine_that_is_cancelled_gives_its_slot_back() {
    for pool in [Dispatchers::default(), Dispatchers::io()] {
        let view = pool.limited_parallelism(1);
        run_blocking(|_| {
            let scope = CoroutineScope::new(SupervisorJob::new() + view);
            for _ in 0..3 {
                let lazy = scope.builder().start(CoroutineStart::Lazy);
                lazy.launch(|_| ()).cancel_and_join()?;
            }
            let after = scope.launch(|_| ());
            let joined = with_timeout_or_none(ms(10_000), |_| after.join())?;
            assert!(joined.is_some(), "the view is full");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
#[should_panic(expected = "a view on which nothing may run")]
fn a_view_of_none_is_refused() {
    let _ = Dispatchers::default().limited_parallelism(0);
}
