//! Condition variables and notices.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::{Condvar, Notify};

use crate::support::{Log, settle};

#[test]
fn a_waiter_has_given_the_lock_up_and_has_it_again() {
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    run_blocking(|s| {
        let waiter = s.async_(|_| {
            let mut guard = lock.lock()?;
            changed.wait(&mut guard)?;
            assert!(lock.is_held_here());
            *guard += 1;
            Ok(*guard)
        });
        settle()?;
        let mut guard = lock.try_lock().expect("the waiter has given it up");
        *guard = 10;
        changed.notify_one();
        settle()?;
        assert!(!waiter.is_completed(), "it needs the lock");
        drop(guard);
        assert_eq!(waiter.await_()?, 11);
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn notices_go_to_those_who_wait_in_the_order_of_their_coming() {
    let (log, lock, changed) = (Log::default(), Mutex::new(()), Condvar::new());
    run_blocking(|s| {
        for n in 1..=4 {
            let (log, lock, changed) = (&log, &lock, &changed);
            s.launch(move |_| {
                let mut guard = lock.lock()?;
                changed.wait(&mut guard)?;
                log.put(n);
                Ok(())
            });
        }
        settle()?;
        changed.notify_one();
        settle()?;
        log.expect(&["1"]);
        changed.notify_all();
        settle()?;
        log.expect(&["2", "3", "4"]);
        changed.notify_one();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_notice_that_finds_nobody_is_lost_to_a_condvar() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    run_blocking(|_| {
        changed.notify_one();
        changed.notify_all();
        let waited = with_timeout_or_none(ms(3), |_| changed.wait(&mut lock.lock()?))?;
        assert!(waited.is_none());
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_waiter_has_the_lock_when_it_gets_its_error() {
    let (log, lock, changed) = (Log::default(), Mutex::new(0), Condvar::new());
    run_blocking(|s| {
        let waiter = s.launch(|_| {
            let mut guard = lock.lock()?;
            let result = changed.wait(&mut guard);
            assert!(lock.is_held_here());
            *guard += 1;
            log.put(result.as_ref().is_err_and(Error::is_cancelled));
            result
        });
        settle()?;
        let guard = lock.lock()?;
        waiter.cancel();
        settle()?;
        log.expect(&[]);
        assert!(!waiter.is_completed(), "it waits for the lock");
        drop(guard);
        waiter.join()?;
        log.expect(&["true"]);
        assert_eq!(*lock.lock()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_coroutine_that_is_cancelled_already_keeps_the_lock_and_does_not_wait() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    run_blocking(|s| {
        s.launch(|s| {
            let mut guard = lock.lock()?;
            s.cancel();
            assert!(changed.wait(&mut guard).unwrap_err().is_cancelled());
            assert!(changed.wait_while(&mut guard, |()| false).is_err());
            assert!(lock.is_held_here());
            Ok(())
        });
        Ok(())
    })
    .unwrap();
    assert!(!lock.is_locked());
}

#[test]
fn a_notice_given_to_a_waiter_that_is_cancelled_goes_on_to_the_next() {
    let (log, lock, changed) = (Log::default(), Mutex::new(()), Condvar::new());
    run_blocking(|s| {
        let waiter = |name: &'static str| {
            let (log, lock, changed) = (&log, &lock, &changed);
            s.launch(move |_| {
                let mut guard = lock.lock()?;
                let result = changed.wait(&mut guard);
                log.put(format!("{name} {}", result.is_ok()));
                result
            })
        };
        let [a, _b] = ["a", "b"].map(waiter);
        settle()?;
        changed.notify_one();
        a.cancel();
        Ok(())
    })
    .unwrap();
    log.expect(&["a false", "b true"]);
}

#[test]
fn a_condition_that_panics_gives_the_lock_up() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.lock().unwrap();
        changed.wait_while(&mut guard, |()| panic!("inside"))
    }));
    assert!(panicked.is_err());
    assert!(!lock.is_locked());
}

#[test]
fn a_wait_in_a_handler_is_refused_with_the_lock_held() {
    let shared = std::sync::Arc::new((Mutex::new(()), Condvar::new(), Log::default()));
    run_blocking(|s| {
        let job = s.launch(|_| ());
        let told = shared.clone();
        job.invoke_on_completion(move |_| {
            let (lock, changed, log) = &*told;
            let mut guard = lock.lock().unwrap();
            log.put(changed.wait(&mut guard).is_err() && lock.is_locked());
        });
        job.join()
    })
    .unwrap();
    shared.2.expect(&["true"]);
    assert!(!shared.0.is_locked());
}

/// Tokens are put and taken by all kinds of places at once; nobody waits for ever.
#[test]
fn producers_and_consumers_of_all_places_meet_at_a_condvar() {
    const EACH: usize = 200;
    let (stock, changed) = (Mutex::new(0_usize), Condvar::new());
    let taken = AtomicUsize::new(0);
    let put = || {
        for _ in 0..EACH {
            *stock.lock().unwrap() += 1;
            changed.notify_one();
        }
    };
    let take = || {
        for _ in 0..EACH {
            let mut guard = stock.lock().unwrap();
            changed.wait_while(&mut guard, |stock| *stock == 0).unwrap();
            *guard -= 1;
            taken.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(put);
        threads.spawn(take);
        for _ in 0..2 {
            threads.spawn(|| {
                run_blocking(|s| {
                    s.launch(|_| take());
                    s.launch(|_| put());
                    Ok(())
                })
                .unwrap();
            });
        }
        with_context(Dispatchers::default(), |s| {
            for _ in 0..3 {
                s.launch(|_| put());
                s.launch(|_| take());
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(taken.into_inner(), 6 * EACH);
    assert_eq!(stock.into_inner(), 0);
}

#[test]
fn one_permit_is_kept_and_no_second() {
    let notify = Notify::new();
    run_blocking(|_| {
        notify.notify_one();
        notify.notify_one();
        assert_eq!(format!("{notify:?}"), "Notify { has_permit: true }");
        notify.notified()?;
        assert!(with_timeout_or_none(ms(3), |_| notify.notified())?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn notify_waiters_wakes_all_who_are_there_and_keeps_nothing() {
    let (log, notify) = (Log::default(), Notify::new());
    run_blocking(|s| {
        notify.notify_waiters();
        for n in 1..=3 {
            let (log, notify) = (&log, &notify);
            s.launch(move |_| {
                notify.notified()?;
                log.put(n);
                Ok(())
            });
        }
        settle()?;
        log.expect(&[]);
        notify.notify_waiters();
        settle()?;
        log.expect(&["1", "2", "3"]);
        assert!(with_timeout_or_none(ms(3), |_| notify.notified())?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn notify_one_wakes_who_has_waited_longest() {
    let (log, notify) = (Log::default(), Notify::new());
    run_blocking(|s| {
        for n in 1..=3 {
            let (log, notify) = (&log, &notify);
            s.launch(move |_| {
                notify.notified()?;
                log.put(n);
                Ok(())
            });
        }
        settle()?;
        for expected in ["1", "2", "3"] {
            notify.notify_one();
            settle()?;
            log.expect(&[expected]);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_permit_given_to_one_who_is_cancelled_goes_on_or_is_kept() {
    for next in [false, true] {
        let (log, notify) = (Log::default(), Notify::new());
        run_blocking(|s| {
            let first = s.launch(|_| notify.notified());
            settle()?;
            if next {
                s.launch(|_| {
                    notify.notified()?;
                    log.put("next");
                    Ok(())
                });
                settle()?;
            }
            notify.notify_one();
            first.cancel_and_join()?;
            settle()?;
            if next {
                log.expect(&["next"]);
            } else {
                notify.notified()?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(format!("{notify:?}"), "Notify { has_permit: false }");
    }
}

#[test]
fn a_waiter_that_was_cancelled_before_the_notice_takes_none() {
    let notify = Notify::new();
    run_blocking(|s| {
        let waiter = s.launch(|_| notify.notified());
        settle()?;
        waiter.cancel();
        notify.notify_one();
        waiter.join()?;
        notify.notified()
    })
    .unwrap();
}

#[test]
fn threads_and_coroutines_notify_each_other() {
    const ROUNDS: usize = 500;
    let (ping, pong) = (Notify::new(), Notify::new());
    let count = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..ROUNDS {
                ping.notified().unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                pong.notify_one();
            }
        });
        with_context(Dispatchers::default(), |s| {
            s.launch(|_| {
                for _ in 0..ROUNDS {
                    ping.notify_one();
                    pong.notified()?;
                }
                Ok(())
            });
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(count.into_inner(), ROUNDS);
}
