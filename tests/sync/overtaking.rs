//! The order at a lock between threads.

use std::sync::atomic::{AtomicBool, Ordering};
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
fn one_who_runs_overtakes_a_waiter_of_another_thread_sixteen_times_at_most() {
    let mut most = 0;
    // How often it can is a matter of moments: the waiter may come, or have waited too long.
    for _ in 0..500 {
        let lock = Mutex::new(());
        with_a_waiter_elsewhere(&lock, |held, had| {
            most = most.max(overtake(&lock, held, had));
            Ok(())
        });
        assert!(most <= 16, "{most}");
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
