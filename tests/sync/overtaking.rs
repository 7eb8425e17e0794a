//! The order at a lock between threads.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::sync::{Mutex, MutexGuard};

use crate::support::{Log, settle, until};

/// What one who waits is passed for at most.
const PATIENCE: Duration = Duration::from_millis(1);

/// Whether a coroutine of this job stands in the line of a lock.
fn waits(job: &Job) -> bool {
    job.dump().contains(", lock at ")
}

/// Runs a coroutine that waits for the lock on a worker of Default, and `work` meanwhile with the lock held. Afterwards
/// the waiter must have had it.
fn with_a_waiter_elsewhere<'a>(
    lock: &'a Mutex<()>,
    work: impl FnOnce(MutexGuard<'a, ()>, &AtomicBool) -> Result<()>,
) {
    let had = AtomicBool::new(false);
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.builder().dispatcher(Dispatchers::default()).launch(|_| {
            let _held = lock.lock()?;
            had.store(true, Ordering::Relaxed);
            Ok(())
        });
        until(|| waits(&waiter));
        work(held, &had)
    })
    .unwrap();
    assert!(had.into_inner());
    assert!(!lock.is_locked());
}

/// Gives the lock up and takes it again until that is refused, or the waiter has had it. How often it went ahead.
fn overtake<'a>(lock: &'a Mutex<()>, held: MutexGuard<'a, ()>, had: &AtomicBool) -> u32 {
    let mut next = Some(held);
    let mut passes = 0;
    while let Some(held) = next {
        drop(held);
        next = lock.try_lock().filter(|_| !had.load(Ordering::Relaxed));
        passes += u32::from(next.is_some());
    }
    passes
}

#[test]
fn one_who_runs_overtakes_a_waiter_of_another_thread_until_it_comes() {
    let mut most = 0;
    // How often it can is a matter of moments: the waiter may come, or have waited too long.
    for _ in 0..500 {
        let lock = Mutex::new(());
        with_a_waiter_elsewhere(&lock, |held, had| {
            most = most.max(overtake(&lock, held, had));
            Ok(())
        });
    }
    assert!(most > 0, "nobody was ever overtaken");
}

#[test]
fn one_who_has_waited_for_a_millisecond_is_not_overtaken() {
    let lock = Mutex::new(());
    with_a_waiter_elsewhere(&lock, |held, had| {
        let start = Instant::now();
        until(|| start.elapsed() > 2 * PATIENCE);
        assert_eq!(overtake(&lock, held, had), 0);
        Ok(())
    });
}

#[test]
fn waiters_of_one_other_thread_get_the_lock_in_the_order_of_their_coming() {
    for _ in 0..50 {
        let (log, lock, is_held) = (Log::default(), Mutex::new(()), AtomicBool::new(false));
        std::thread::scope(|threads| {
            let held = lock.lock().unwrap();
            threads.spawn(|| {
                run_blocking(|s| {
                    for n in 1..=3 {
                        let (log, lock) = (&log, &lock);
                        s.launch(move |_| {
                            let _held = lock.lock()?;
                            log.put(n);
                            yield_()
                        });
                    }
                    settle()?;
                    is_held.store(true, Ordering::Release);
                    // One who runs on the thread of those who wait overtakes none of them.
                    while !s.job().children().is_empty() {
                        if lock.try_lock().is_some() {
                            log.put("try");
                            break;
                        }
                        yield_()?;
                    }
                    Ok(())
                })
                .unwrap();
            });
            until(|| is_held.load(Ordering::Acquire));
            drop(held);
            // This thread may.
            drop(lock.try_lock());
        });
        let told = log.take();
        assert_eq!(told[..3], ["1", "2", "3"], "{told:?}");
    }
}

#[test]
fn one_who_was_summoned_and_cancelled_leaves_the_lock_to_the_next() {
    for _ in 0..200 {
        let lock = Mutex::new(());
        with_context(Dispatchers::default(), |s| {
            let held = lock.try_lock();
            let waiters = [(); 3].map(|()| s.launch(|_| lock.lock().map(drop)));
            until(|| waiters.iter().all(waits));
            drop(held);
            waiters[0].cancel();
            // It may go ahead of those of the other worker.
            drop(lock.try_lock());
            waiters[1].cancel();
            Ok(())
        })
        .unwrap();
        assert!(lock.try_lock().is_some());
    }
}

/// A thread whose coroutines 1, 2 and 3 wait for the lock one after another, each when it is told to, and then go on when the
/// last one has had it.
fn waiters<'a>(
    name: &'static str,
    lock: &'a Mutex<()>,
    log: &'a Log,
    waiting: &'a AtomicU32,
    numbers: [u32; 3],
    hold: impl Fn() + Copy + Send + 'a,
) -> impl FnOnce() + Send + 'a {
    move || {
        run_blocking(|s| {
            for (n, number) in (1..).zip(numbers) {
                let (log, lock) = (log, lock);
                while waiting.load(Ordering::Acquire) != number {
                    yield_()?;
                }
                let waiter = s.launch(move |_| {
                    let _held = lock.lock()?;
                    log.put(format!("{name}{n}"));
                    hold();
                    Ok(())
                });
                settle()?;
                assert!(waits(&waiter));
                waiting.fetch_add(1, Ordering::AcqRel);
            }
            Ok(())
        })
        .unwrap();
    }
}

/// Who had the lock, where a1, b1, a2, b2, a3 and b3 have come in this order, and each holds it as `hold` says.
fn order_of_six(hold: impl Fn() + Copy + Send) -> Vec<String> {
    let (log, lock, waiting) = (Log::default(), Mutex::new(()), AtomicU32::new(0));
    std::thread::scope(|threads| {
        let held = lock.lock().unwrap();
        threads.spawn(waiters("a", &lock, &log, &waiting, [0, 2, 4], hold));
        threads.spawn(waiters("b", &lock, &log, &waiting, [1, 3, 5], hold));
        until(|| waiting.load(Ordering::Acquire) == 6);
        drop(held);
    });
    log.take()
}

#[test]
fn the_lock_goes_round_on_one_thread_before_it_goes_to_the_next() {
    // A moment in which a thread does not run may be too long for it.
    let expected = ["a1", "a2", "a3", "b1", "b2", "b3"];
    until(|| order_of_six(|| ()) == expected);
}

#[test]
fn where_each_holds_it_for_long_the_threads_take_turns() {
    let hold = || {
        let start = Instant::now();
        until(|| start.elapsed() > 2 * PATIENCE);
    };
    let order = order_of_six(hold);
    assert_eq!(order, ["a1", "b1", "a2", "b2", "a3", "b3"]);
}

#[test]
fn one_who_was_set_aside_and_is_cancelled_leaves() {
    let (log, lock, waiting) = (Log::default(), Mutex::new(()), AtomicU32::new(0));
    std::thread::scope(|threads| {
        let held = lock.lock().unwrap();
        threads.spawn(waiters("a", &lock, &log, &waiting, [0, 1, 2], || ()));
        until(|| waiting.load(Ordering::Acquire) == 3);
        threads.spawn(|| {
            let outcome = with_timeout_or_none(ms(1), |_| lock.lock().map(drop));
            assert!(outcome.unwrap().is_none());
            waiting.store(4, Ordering::Release);
        });
        until(|| waiting.load(Ordering::Acquire) == 4);
        drop(held);
    });
    assert_eq!(log.take(), ["a1", "a2", "a3"]);
    assert!(lock.try_lock().is_some());
}

/// Coroutines of one thread, which both wait for a lock that another thread has; the first gets it then, and runs `first` with
/// it, and after it the second runs `second`.
fn two_of_one_thread(
    first: impl FnOnce(&Mutex<()>, MutexGuard<'_, ()>) -> Result<()> + Send,
    second: impl FnOnce() -> Result<()> + Send,
) {
    let (lock, do_wait) = (Mutex::new(()), AtomicBool::new(false));
    let (first, second) = (
        std::cell::Cell::new(Some(first)),
        std::cell::Cell::new(Some(second)),
    );
    std::thread::scope(|threads| {
        let held = lock.lock().unwrap();
        let (lock, do_wait) = (&lock, &do_wait);
        threads.spawn(move || {
            run_blocking(|s| {
                s.launch_local(|_| {
                    let guard = lock.lock()?;
                    first.take().expect("once")(lock, guard)
                });
                s.launch_local(|_| {
                    let _guard = lock.lock()?;
                    second.take().expect("once")()
                });
                settle()?;
                do_wait.store(true, Ordering::Release);
                Ok(())
            })
            .unwrap();
        });
        until(|| do_wait.load(Ordering::Acquire));
        drop(held);
    });
    assert!(lock.try_lock().is_some());
}

#[test]
fn one_who_holds_it_briefly_keeps_it_until_it_suspends() {
    // A moment in which the thread does not run may be too long for it.
    until(|| {
        let (log, passes) = (Log::default(), AtomicU32::new(0));
        two_of_one_thread(
            |lock, held| {
                drop(held);
                for _ in 0..3 {
                    passes.fetch_add(u32::from(lock.try_lock().is_some()), Ordering::Relaxed);
                }
                log.put("first");
                yield_()?;
                log.put("first again");
                Ok(())
            },
            || {
                log.put("second");
                Ok(())
            },
        );
        log.expect(&["first", "second", "first again"]);
        passes.into_inner() == 3
    });
}

#[test]
fn one_who_takes_it_again_and_again_leaves_it_to_the_next_after_a_millisecond() {
    let had = AtomicBool::new(false);
    two_of_one_thread(
        |lock, held| {
            drop(held);
            let start = Instant::now();
            while !had.load(Ordering::Relaxed) {
                drop(lock.lock()?);
                assert!(start.elapsed() < Duration::from_secs(30));
            }
            Ok(())
        },
        || {
            had.store(true, Ordering::Relaxed);
            Ok(())
        },
    );
}

#[test]
fn one_who_was_suspended_while_it_held_it_hands_it_over() {
    two_of_one_thread(
        |lock, held| {
            yield_()?;
            drop(held);
            assert!(lock.is_locked());
            assert!(lock.try_lock().is_none());
            Ok(())
        },
        || Ok(()),
    );
}

#[test]
fn where_one_thread_alone_uses_it_nobody_overtakes_whoever_has_used_it_before() {
    let lock = Mutex::new(());
    std::thread::scope(|threads| threads.spawn(|| drop(lock.lock())).join()).unwrap();
    run_blocking(|s| {
        let held = lock.lock()?;
        for _ in 0..2 {
            s.launch(|_| {
                drop(lock.lock()?);
                let others = s.job().children().len();
                assert_eq!(lock.try_lock().is_some(), others == 1, "{others}");
                Ok(())
            });
        }
        settle()?;
        drop(held);
        Ok(())
    })
    .unwrap();
}
