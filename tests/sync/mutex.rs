//! The lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::Mutex;

use crate::support::{Log, settle, until};

#[test]
fn waiters_get_the_lock_in_the_order_of_their_coming() {
    let (log, lock) = (Log::default(), Mutex::new(()));
    run_blocking(|s| {
        let held = lock.lock()?;
        for n in 1..=4 {
            let (lock, log) = (&lock, &log);
            s.launch(move |_| {
                let _held = lock.lock()?;
                log.put(format!("{n} in"));
                delay(ms(1))?;
                log.put(format!("{n} out"));
                Ok(())
            });
        }
        settle()?;
        drop(held);
        Ok(())
    })
    .unwrap();
    log.expect(&[
        "1 in", "1 out", "2 in", "2 out", "3 in", "3 out", "4 in", "4 out",
    ]);
}

#[test]
fn a_lock_that_is_given_up_is_never_free_while_somebody_waits() {
    let lock = Mutex::new(0);
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.launch(|_| {
            *lock.lock()? += 1;
            Ok(())
        });
        settle()?;
        drop(held);
        // The waiter has not run yet, and has the lock all the same.
        assert!(lock.is_locked());
        assert!(lock.try_lock().is_none());
        assert!(!lock.is_held_here());
        waiter.join()?;
        assert!(!lock.is_locked());
        assert_eq!(*lock.lock()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_waiter_that_is_cancelled_leaves_the_line() {
    let (log, lock) = (Log::default(), Mutex::new(()));
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = |name: &'static str| {
            let (lock, log) = (&lock, &log);
            s.launch(move |_| {
                let result = lock.lock();
                log.put(format!("{name} {}", result.is_ok()));
                result.map(drop)
            })
        };
        let [a, b, c] = ["a", "b", "c"].map(waiter);
        settle()?;
        b.cancel_and_join()?;
        log.expect(&["b false"]);
        a.cancel_and_join()?;
        log.expect(&["a false"]);
        drop(held);
        c.join()?;
        log.expect(&["c true"]);
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lock_handed_to_a_cancelled_waiter_goes_on_to_the_next() {
    let (log, lock) = (Log::default(), Mutex::new(()));
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = |name: &'static str| {
            let (lock, log) = (&lock, &log);
            s.launch(move |_| {
                let result = lock.lock();
                match &result {
                    Ok(_) => log.put(format!("{name} has it")),
                    Err(error) => log.put(format!("{name}: {error}")),
                }
                result.map(drop)
            })
        };
        let a = waiter("a");
        let b = waiter("b");
        settle()?;
        // Handed over, and cancelled before it runs.
        drop(held);
        a.cancel();
        a.join()?;
        b.join()?;
        log.expect(&["a: cancelled", "b has it"]);
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_last_waiter_cancelled_after_hand_over_frees_the_lock() {
    let lock = Mutex::new(());
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.launch(|_| lock.lock().map(drop));
        settle()?;
        drop(held);
        waiter.cancel_and_join()?;
        assert!(waiter.is_cancelled());
        assert!(lock.try_lock().is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_coroutine_gets_no_lock_even_if_it_is_free() {
    let lock = Mutex::new(());
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.cancel();
            assert!(lock.lock().unwrap_err().is_cancelled());
            let result = lock.with_lock(|_| -> Result<()> { panic!("must not run") });
            assert!(result.unwrap_err().is_cancelled());
            // The forms that do not wait do not check.
            assert!(lock.try_lock().is_some());
            non_cancellable(|_| lock.lock().map(drop))
        });
        job.join()?;
        assert!(job.is_cancelled());
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_inside_non_cancellable_is_not_cut_short() {
    let (log, lock) = (Log::default(), Mutex::new(()));
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.launch(|_| {
            non_cancellable(|_| {
                let _held = lock.lock()?;
                log.put("in");
                Ok(())
            })
        });
        settle()?;
        waiter.cancel();
        settle()?;
        log.expect(&[]);
        drop(held);
        waiter.join()?;
        log.expect(&["in"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_timeout_ends_the_wait() {
    let lock = Mutex::new(());
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.async_(|_| with_timeout_or_none(ms(5), |_| lock.lock().map(drop)));
        assert!(waiter.await_()?.is_none());
        assert!(lock.is_locked());
        drop(held);
        assert!(lock.try_lock().is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_would_wait_for_himself_is_told_both_places() {
    let lock = Mutex::new(());
    let check = || -> Result<()> {
        let (first, held) = (line!(), lock.lock()?);
        let (second, again) = (line!(), lock.lock());
        let message = again.unwrap_err().to_string();
        for line in [first, second] {
            assert!(
                message.contains(&format!("mutex.rs:{line}:")),
                "{message} lacks {line}"
            );
        }
        assert!(lock.is_held_here());
        drop(held);
        assert!(lock.try_lock().is_some());
        Ok(())
    };
    // On a plain thread, in the body of a loop, in a coroutine.
    check().unwrap();
    run_blocking(|s| {
        check()?;
        s.launch(|_| check()).join()
    })
    .unwrap();
    with_context(Dispatchers::default(), |_| check()).unwrap();
}

#[test]
fn another_coroutine_of_the_same_thread_is_no_holder() {
    let lock = Mutex::new(());
    run_blocking(|s| {
        let held = lock.lock()?;
        let other = s.async_(|_| Ok((lock.is_held_here(), lock.try_lock().is_some())));
        assert_eq!(other.await_()?, (false, false));
        assert!(lock.is_held_here());
        drop(held);
        assert!(!lock.is_held_here());
        Ok(())
    })
    .unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Value,
    Failure,
    Panic,
    Cancelled,
}

#[test]
fn with_lock_gives_the_lock_up_however_its_body_ends() {
    for ending in [
        Ending::Value,
        Ending::Failure,
        Ending::Panic,
        Ending::Cancelled,
    ] {
        let lock = Mutex::new(0);
        let result = run_blocking(|s| {
            let job = s.builder();
            let body = || {
                lock.with_lock(|value| {
                    *value += 1;
                    assert!(lock.is_locked());
                    match ending {
                        Ending::Value => Ok(*value),
                        Ending::Failure => Err(Error::msg("inside")),
                        Ending::Panic => panic!("inside"),
                        Ending::Cancelled => await_cancellation(),
                    }
                })
            };
            let value = job.async_(move |_| body());
            settle()?;
            if matches!(ending, Ending::Cancelled) {
                value.cancel();
            }
            value.await_()
        });
        assert_eq!(
            result.is_ok(),
            matches!(ending, Ending::Value),
            "{ending:?}"
        );
        assert!(!lock.is_locked(), "{ending:?}");
        assert_eq!(lock.into_inner(), 1, "{ending:?}");
    }
}

#[test]
fn a_panic_does_not_poison() {
    let lock = Mutex::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut held = lock.lock().unwrap();
        *held = 2;
        panic!("inside");
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.lock().unwrap(), 2);
}

/// Who takes part in a hand-over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Thread,
    Loop,
    Worker,
}

const PLACES: [Place; 3] = [Place::Thread, Place::Loop, Place::Worker];

/// Runs a body at a place of its own, and waits for it.
fn at(place: Place, body: impl FnOnce() + Send) {
    match place {
        Place::Thread => body(),
        Place::Loop => run_blocking(|s| {
            s.launch(|_| body());
            Ok(())
        })
        .unwrap(),
        Place::Worker => with_context(Dispatchers::default(), |_| {
            body();
            Ok(())
        })
        .unwrap(),
    }
}

#[test]
fn the_lock_goes_from_every_kind_of_place_to_every_other() {
    for holder in PLACES {
        for waiter in PLACES {
            let lock = Mutex::new(Vec::new());
            let (is_held, waits) = (AtomicBool::new(false), AtomicBool::new(false));
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    at(holder, || {
                        let mut held = lock.lock().unwrap();
                        is_held.store(true, Ordering::Release);
                        until(|| waits.load(Ordering::Acquire));
                        // Either it waits by now or it comes while the lock is held: both must end well.
                        held.push("holder");
                    });
                });
                threads.spawn(|| {
                    at(waiter, || {
                        until(|| is_held.load(Ordering::Acquire));
                        waits.store(true, Ordering::Release);
                        lock.lock().unwrap().push("waiter");
                    });
                });
            });
            assert_eq!(
                lock.into_inner(),
                ["holder", "waiter"],
                "{holder:?} to {waiter:?}"
            );
        }
    }
}

#[test]
fn a_counter_is_right_with_coroutines_and_threads_at_once() {
    const EACH: usize = 500;
    let count = Mutex::new(0_usize);
    let inside = AtomicUsize::new(0);
    let add = || {
        for n in 0..EACH {
            let mut held = count.lock().unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two inside");
            let before = *held;
            if n % 50 == 0 {
                yield_().unwrap();
            }
            *held = before + 1;
            inside.fetch_sub(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(add);
            threads.spawn(|| {
                run_blocking(|s| {
                    for _ in 0..3 {
                        s.launch(|_| add());
                    }
                    Ok(())
                })
                .unwrap();
            });
        }
        with_context(Dispatchers::default(), |s| {
            for _ in 0..8 {
                s.launch(|_| add());
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(count.into_inner(), EACH * (2 + 6 + 8));
}

#[test]
fn in_a_handler_of_the_runtime_only_a_free_lock_is_had() {
    let lock = std::sync::Arc::new(Mutex::new(()));
    let log = std::sync::Arc::new(Log::default());
    run_blocking(|s| {
        let try_both = |when: &'static str| {
            let (lock, log) = (lock.clone(), log.clone());
            let job = s.launch(|_| ());
            job.invoke_on_completion(move |_| {
                log.put(format!("{when} {}", lock.lock().is_ok()));
            });
            job.join()
        };
        try_both("free")?;
        let held = lock.lock()?;
        try_both("held")?;
        drop(held);
        Ok(())
    })
    .unwrap();
    log.expect(&["free true", "held false"]);
    assert!(!lock.is_locked());
}

/// Locks in its destructor.
struct Locks<'a>(&'a Mutex<Vec<&'static str>>, &'static str);

impl Drop for Locks<'_> {
    fn drop(&mut self) {
        if let Ok(mut held) = self.0.lock() {
            held.push(self.1);
        }
    }
}

#[test]
fn while_a_coroutine_panics_a_held_lock_is_refused_and_a_free_one_had() {
    let lock = Mutex::new(Vec::new());
    let result = run_blocking(|s| {
        let _ = supervisor_scope(|s| {
            let free = s.async_(|_| -> Result<()> {
                let _locks = Locks(&lock, "free");
                panic!("on purpose");
            });
            assert!(free.await_().unwrap_err().is_panic());
            let held = lock.lock()?;
            let refused = s.async_(|_| -> Result<()> {
                let _locks = Locks(&lock, "held");
                panic!("on purpose");
            });
            assert!(refused.await_().unwrap_err().is_panic());
            drop(held);
            Ok(())
        });
        assert!(s.is_active());
        Ok(())
    });
    result.unwrap();
    assert_eq!(lock.into_inner(), ["free"]);
}

#[test]
fn a_plain_thread_waits_for_a_lock_even_while_it_panics() {
    let lock = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        let mut held = lock.lock().unwrap();
        let thread = threads.spawn(|| {
            let _locks = Locks(&lock, "thread");
            panic!("on purpose");
        });
        // It is in its destructor or on the way there.
        std::thread::yield_now();
        held.push("holder");
        drop(held);
        assert!(thread.join().is_err());
    });
    assert_eq!(lock.into_inner(), ["holder", "thread"]);
}

#[test]
fn values_without_a_size_and_debug_are_served() {
    let lock: Box<Mutex<[i32]>> = Box::new(Mutex::new([1, 2, 3]));
    lock.try_lock().unwrap()[0] = 7;
    assert_eq!(format!("{lock:?}"), "Mutex { value: [7, 2, 3] }");
    let held = lock.try_lock().unwrap();
    assert_eq!(format!("{held:?}"), "[7, 2, 3]");
    let shown = format!("{lock:?}");
    assert!(
        shown.contains("locked_at") && shown.contains("mutex.rs"),
        "{shown}"
    );
    drop(held);
    assert_eq!(Mutex::from(3).get_mut(), &mut 3);
    assert_eq!(*Mutex::<u8>::default().try_lock().unwrap(), 0);
}
