//! The lock with readers and writers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::{OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard};

use crate::support::{Log, settle};

#[test]
fn readers_are_inside_together_and_a_writer_is_alone() {
    let lock = RwLock::new(1);
    run_blocking(|s| {
        let (a, b) = (lock.read()?, lock.read()?);
        assert_eq!((*a, *b), (1, 1));
        assert!(lock.try_write().is_none());
        let writer = s.launch(|_| {
            *lock.write()? += 1;
            Ok(())
        });
        settle()?;
        drop(a);
        settle()?;
        assert!(writer.is_active());
        drop(b);
        writer.join()?;
        assert_eq!(*lock.read()?, 2);
        let writes = lock.write()?;
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(writes);
        Ok(())
    })
    .unwrap();
}

/// Launches one for each letter, `r` or `w`, and tells in which order they come in and go out.
fn run_line(line: &str, log: &Log) {
    let lock = RwLock::new(());
    run_blocking(|s| {
        let held = lock.write()?;
        for (n, kind) in line.chars().enumerate() {
            let lock = &lock;
            s.launch(move |_| {
                let (_reads, _writes);
                match kind {
                    'r' => _reads = lock.read()?,
                    _ => _writes = lock.write()?,
                }
                log.put(format!("{kind}{n} in"));
                delay(ms(1))?;
                log.put(format!("{kind}{n} out"));
                Ok(())
            });
        }
        settle()?;
        drop(held);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_line_is_admitted_in_order_and_readers_side_by_side_together() {
    let log = Log::default();
    run_line("rrwrw", &log);
    log.expect(&[
        "r0 in", "r1 in", "r0 out", "r1 out", "w2 in", "w2 out", "r3 in", "r3 out", "w4 in",
        "w4 out",
    ]);
}

#[test]
fn a_reader_that_comes_while_a_writer_waits_waits_behind_it() {
    let (log, lock) = (Log::default(), RwLock::new(()));
    run_blocking(|s| {
        let reads = lock.read()?;
        s.launch(|_| {
            let _writes = lock.write()?;
            log.put("writer");
            Ok(())
        });
        settle()?;
        assert!(lock.try_read().is_none(), "a try does not overtake either");
        s.launch(|_| {
            let _reads = lock.read()?;
            log.put("reader");
            Ok(())
        });
        settle()?;
        log.expect(&[]);
        drop(reads);
        Ok(())
    })
    .unwrap();
    log.expect(&["writer", "reader"]);
}

#[test]
fn readers_behind_a_writer_that_is_cancelled_come_in_at_once() {
    let (log, lock) = (Log::default(), RwLock::new(()));
    run_blocking(|s| {
        let reads = lock.read()?;
        let writer = s.launch(|_| {
            let result = lock.write();
            log.put(format!("writer {}", result.is_ok()));
            result.map(drop)
        });
        for _ in 0..2 {
            s.launch(|_| {
                let _reads = lock.read()?;
                log.put("reader");
                Ok(())
            });
        }
        settle()?;
        writer.cancel_and_join()?;
        settle()?;
        log.expect(&["writer false", "reader", "reader"]);
        drop(reads);
        assert!(lock.try_write().is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_writer_that_has_not_left_holds_up_no_try() {
    let lock = RwLock::new(());
    run_blocking(|s| {
        let reads = lock.read()?;
        let writer = s.launch(|_| lock.write().map(drop));
        settle()?;
        writer.cancel();
        assert!(lock.try_read().is_some());
        drop(reads);
        assert!(lock.try_write().is_some());
        writer.join()
    })
    .unwrap();
}

#[test]
fn a_turn_handed_to_one_who_is_cancelled_goes_on() {
    for kind in ["read", "write"] {
        let (log, lock) = (Log::default(), RwLock::new(()));
        run_blocking(|s| {
            let held = lock.write()?;
            let first = s.launch(|_| {
                let result = match kind {
                    "read" => lock.read().map(drop),
                    _ => lock.write().map(drop),
                };
                log.put(format!("first {}", result.is_ok()));
                result
            });
            s.launch(|_| {
                let _writes = lock.write()?;
                log.put("second");
                Ok(())
            });
            settle()?;
            drop(held);
            first.cancel();
            Ok(())
        })
        .unwrap();
        log.expect(&["first false", "second"]);
        assert!(lock.try_write().is_some());
    }
}

#[test]
fn a_cancelled_coroutine_gets_nothing_even_if_it_is_free() {
    let lock = RwLock::new(());
    run_blocking(|s| {
        s.launch(|s| {
            s.cancel();
            assert!(lock.read().unwrap_err().is_cancelled());
            assert!(lock.write().unwrap_err().is_cancelled());
            assert!(lock.try_read().is_some() && lock.try_write().is_some());
        });
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_writer_that_would_wait_for_itself_is_told() {
    let lock = RwLock::new(());
    let check = || -> Result<()> {
        let held = lock.write()?;
        for error in [
            lock.read().map(drop).unwrap_err(),
            lock.write().map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains("wait for ever"), "{error}");
        }
        drop(held);
        Ok(())
    };
    check().unwrap();
    run_blocking(|s| s.launch(|_| check()).join()).unwrap();
}

#[test]
fn a_reader_that_would_wait_for_itself_is_told_both_places() {
    let lock = RwLock::new(());
    run_blocking(|s| {
        let (first, held) = (line!(), lock.read()?);
        let (second, write) = (line!(), lock.write().map(drop));
        let message = write.unwrap_err().to_string();
        for line in [first, second] {
            assert!(message.contains(&format!("rwlock.rs:{line}:")), "{message}");
        }
        // As long as nobody waits, one may read once more.
        drop(lock.read()?);
        let writer = s.launch(|_| lock.write().map(drop));
        settle()?;
        let again = lock.read().map(drop).unwrap_err().to_string();
        assert!(again.contains(&format!("rwlock.rs:{first}:")), "{again}");
        // Another one just waits.
        let reader = s.launch(|_| lock.read().map(drop));
        settle()?;
        assert!(reader.is_active() && writer.is_active());
        drop(held);
        Ok(())
    })
    .unwrap();
    assert!(lock.try_write().is_some());
}

#[test]
fn four_who_read_are_known_each_by_its_own_place() {
    let lock = RwLock::new(());
    run_blocking(|s| {
        for _ in 0..4 {
            s.launch(|_| {
                let held = lock.read()?;
                settle()?;
                assert!(lock.write().is_err(), "all four read now");
                settle()?;
                drop(held);
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    // Their places are free again.
    let held = lock.read().unwrap();
    assert!(lock.write().is_err());
    drop(held);
}

#[test]
fn owned_guards_outlive_the_frame_and_go_to_other_threads() {
    let lock = Arc::new(RwLock::new(1));
    let mut write = lock.write_owned().unwrap();
    let read = run_blocking(|_| {
        let guard = GlobalScope.async_(move |_| {
            *write += 1;
            Ok(OwnedRwLockWriteGuard::downgrade(write))
        });
        guard.await_()
    })
    .unwrap();
    assert_eq!(*read, 2);
    assert!(lock.try_write().is_none() && lock.try_write_owned().is_none());
    let second = lock.read_owned().unwrap();
    drop(read);
    assert!(lock.try_write().is_none());
    std::thread::spawn(move || drop(second)).join().unwrap();
    let alone = lock.try_write_owned().unwrap();
    assert_eq!(Arc::strong_count(&lock), 2);
    drop(alone);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 2);
}

#[test]
fn a_writer_that_reads_from_now_on_lets_the_readers_at_the_front_in() {
    let (log, lock) = (Log::default(), RwLock::new(1));
    run_blocking(|s| {
        let mut writes = lock.write()?;
        s.launch(|_| {
            log.put(format!("reads {}", *lock.read()?));
            Ok(())
        });
        s.launch(|_| {
            *lock.write()? = 3;
            log.put("writes");
            Ok(())
        });
        settle()?;
        *writes = 2;
        let reads = RwLockWriteGuard::downgrade(writes);
        settle()?;
        log.expect(&["reads 2"]);
        assert_eq!(*reads, 2);
        drop(reads);
        Ok(())
    })
    .unwrap();
    log.expect(&["writes"]);
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn a_panic_gives_the_lock_up_and_does_not_poison() {
    let lock = RwLock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut held = lock.write().unwrap();
        *held = 2;
        panic!("inside");
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.read().unwrap(), 2);
}

#[test]
fn readers_and_writers_of_all_places_exclude_each_other() {
    const EACH: usize = 300;
    let lock = RwLock::new(0_usize);
    let (readers, writers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |seed: usize| {
        for n in 0..EACH {
            if (n + seed).is_multiple_of(3) {
                let mut value = lock.write().unwrap();
                assert_eq!(writers.fetch_add(1, Ordering::Relaxed), 0);
                assert_eq!(readers.load(Ordering::Relaxed), 0);
                let before = *value;
                if n % 20 == 0 {
                    yield_().unwrap();
                }
                *value = before + 1;
                writers.fetch_sub(1, Ordering::Relaxed);
            } else {
                let _value = lock.read().unwrap();
                readers.fetch_add(1, Ordering::Relaxed);
                assert_eq!(writers.load(Ordering::Relaxed), 0);
                if n % 20 == 0 {
                    yield_().unwrap();
                }
                readers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|threads| {
        for seed in 0..2 {
            let work = &work;
            threads.spawn(move || work(seed));
            threads.spawn(move || {
                run_blocking(|s| {
                    for seed in 0..3 {
                        s.launch(move |_| work(seed));
                    }
                    Ok(())
                })
                .unwrap();
            });
        }
        with_context(Dispatchers::default(), |s| {
            for seed in 0..6 {
                let work = &work;
                s.launch(move |_| work(seed));
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(lock.into_inner(), (2 + 6 + 6) * EACH / 3);
}

/// Waiters that are cancelled at any moment, by another thread.
#[test]
fn cancellations_at_any_moment_leave_the_lock_free() {
    for round in 0..100_u64 {
        let lock = RwLock::new(());
        with_context(Dispatchers::default(), |s| {
            let jobs: Vec<_> = (0..6)
                .map(|n| {
                    let lock = &lock;
                    s.launch(move |_| {
                        for turn in 0..20 {
                            if (n + turn) % 2 == 0 {
                                let _held = lock.read()?;
                                yield_()?;
                            } else {
                                let _held = lock.write()?;
                                yield_()?;
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            for (n, job) in jobs.iter().enumerate() {
                if (round >> n) & 1 == 0 {
                    yield_()?;
                    job.cancel();
                }
            }
            Ok(())
        })
        .unwrap();
        assert!(lock.try_write().is_some(), "round {round}");
    }
}

#[test]
fn values_without_a_size_and_debug_are_served() {
    let lock: Box<RwLock<[i32]>> = Box::new(RwLock::new([1, 2]));
    lock.try_write().unwrap()[0] = 7;
    assert_eq!(format!("{lock:?}"), "RwLock { value: [7, 2] }");
    let held = lock.try_write().unwrap();
    let shown = format!("{lock:?}");
    assert!(
        shown.contains("written_at") && shown.contains("rwlock.rs"),
        "{shown}"
    );
    drop(held);
    assert_eq!(*RwLock::<u8>::default().try_read().unwrap(), 0);
    assert_eq!(RwLock::from(3).get_mut(), &mut 3);
}
