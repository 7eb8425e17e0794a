//! Barriers, and values that are made once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::{Barrier, OnceCell};

use crate::support::{Log, settle};

#[test]
fn all_go_on_when_the_last_has_come_and_it_leads() {
    let (log, barrier) = (Log::default(), Barrier::new(3));
    run_blocking(|s| {
        for round in 0..2 {
            for n in 1..=3 {
                let (log, barrier) = (&log, &barrier);
                s.launch(move |_| {
                    let result = barrier.wait()?;
                    log.put(format!("{round} {n} {}", result.is_leader()));
                    Ok(())
                });
            }
            settle()?;
        }
        Ok(())
    })
    .unwrap();
    log.expect(&[
        "0 3 true",
        "0 1 false",
        "0 2 false",
        "1 3 true",
        "1 1 false",
        "1 2 false",
    ]);
}

#[test]
fn with_one_or_none_nobody_waits() {
    for needed in [0, 1] {
        let barrier = Barrier::new(needed);
        for _ in 0..3 {
            assert!(barrier.wait().unwrap().is_leader());
        }
    }
}

#[test]
fn who_is_cancelled_has_not_arrived() {
    for has_left in [false, true] {
        let (log, barrier) = (Log::default(), Barrier::new(2));
        run_blocking(|s| {
            let cancelled = s.launch(|_| barrier.wait().map(drop));
            settle()?;
            cancelled.cancel();
            if has_left {
                cancelled.join()?;
            }
            let waiting = s.builder().start(CoroutineStart::Undispatched).launch(|_| {
                log.put(barrier.wait()?.is_leader());
                Ok(())
            });
            settle()?;
            log.expect(&[]);
            assert!(format!("{barrier:?}").contains("arrived: 1"), "{barrier:?}");
            assert!(barrier.wait()?.is_leader());
            waiting.join()?;
            log.expect(&["false"]);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn who_is_cancelled_after_the_last_has_come_gets_its_error_and_the_next_round_is_whole() {
    let barrier = Barrier::new(2);
    run_blocking(|s| {
        let waiting = s.async_(|_| Ok(barrier.wait().is_err()));
        settle()?;
        assert!(barrier.wait()?.is_leader());
        waiting.cancel();
        waiting.join()?;
        assert!(format!("{barrier:?}").contains("arrived: 0"), "{barrier:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn threads_and_coroutines_meet_round_after_round_with_one_leader_each() {
    const ROUNDS: usize = 100;
    let barrier = Barrier::new(5);
    let (leaders, steps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let go = || {
        for round in 0..ROUNDS {
            assert!(steps.fetch_add(1, Ordering::Relaxed) >= round * 5);
            if barrier.wait().unwrap().is_leader() {
                leaders.fetch_add(1, Ordering::Relaxed);
            }
            assert!(steps.load(Ordering::Relaxed) >= (round + 1) * 5);
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(go);
        threads.spawn(|| {
            run_blocking(|s| {
                s.launch(|_| go());
                s.launch(|_| go());
                Ok(())
            })
            .unwrap();
        });
        with_context(Dispatchers::default(), |s| {
            s.launch(|_| go());
            s.launch(|_| go());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(leaders.into_inner(), ROUNDS);
}

#[test]
fn the_value_is_made_once_and_all_see_it() {
    let (made, cell) = (AtomicUsize::new(0), OnceCell::new());
    let ask = || {
        let value = cell.get_or_try_init(|| {
            made.fetch_add(1, Ordering::Relaxed);
            delay(ms(2))?;
            Ok(7)
        });
        assert_eq!(value.unwrap(), &7);
    };
    std::thread::scope(|threads| {
        threads.spawn(ask);
        threads.spawn(|| {
            run_blocking(|s| {
                for _ in 0..3 {
                    s.launch(|_| ask());
                }
                Ok(())
            })
            .unwrap();
        });
        with_context(Dispatchers::default(), |s| {
            for _ in 0..8 {
                s.launch(|_| ask());
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(made.into_inner(), 1);
    assert_eq!(cell.get(), Some(&7));
    assert_eq!(format!("{cell:?}"), "OnceCell(7)");
    assert_eq!(cell.set(8), Err(8));
    assert_eq!(cell.into_inner(), Some(7));
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Failure,
    Panic,
    Cancelled,
    CancelledAfterHandOver,
}

#[test]
fn an_initialiser_that_ends_without_a_value_passes_the_turn_on() {
    for ending in [
        Ending::Failure,
        Ending::Panic,
        Ending::Cancelled,
        Ending::CancelledAfterHandOver,
    ] {
        let (log, cell) = (Log::default(), OnceCell::new());
        run_blocking(|_| {
            supervisor_scope(|s| {
                let (log, cell) = (&log, &cell);
                let first = s.async_(move |_| {
                    cell.get_or_try_init(|| {
                        log.put("first");
                        match ending {
                            Ending::Failure | Ending::CancelledAfterHandOver => {
                                yield_()?;
                                yield_()?;
                                Err(Error::msg("failed"))
                            }
                            Ending::Panic => {
                                yield_()?;
                                panic!("on purpose")
                            }
                            Ending::Cancelled => await_cancellation(),
                        }
                    })
                    .copied()
                });
                let second = s.async_(move |_| {
                    cell.get_or_try_init(|| {
                        log.put("second");
                        Ok(2)
                    })
                    .copied()
                });
                let third = s.async_(move |_| {
                    cell.get_or_try_init(|| {
                        log.put("third");
                        Ok(3)
                    })
                    .copied()
                });
                yield_()?;
                match ending {
                    Ending::Cancelled => first.cancel(),
                    Ending::CancelledAfterHandOver => {
                        // The first ends between two turns of ours, and has handed the turn to the second by then.
                        first.job().invoke_on_completion({
                            let second = second.job();
                            move |_| second.cancel()
                        });
                    }
                    Ending::Failure | Ending::Panic => {}
                }
                assert!(first.await_().is_err());
                let third = third.await_()?;
                match ending {
                    Ending::CancelledAfterHandOver => {
                        assert_eq!(third, 3);
                        assert!(second.await_().is_err());
                        log.expect(&["first", "third"]);
                    }
                    _ => {
                        assert_eq!((second.await_()?, third), (2, 2));
                        log.expect(&["first", "second"]);
                    }
                }
                Ok(())
            })
        })
        .unwrap();
    }
}

#[test]
fn a_waiter_that_is_cancelled_leaves_the_maker_alone() {
    let cell = OnceCell::new();
    run_blocking(|s| {
        let maker = s.async_(|_| {
            cell.get_or_try_init(|| {
                delay(ms(3))?;
                Ok(1)
            })
            .copied()
        });
        let waiter = s.launch(|_| cell.get_or_init(|| 2).map(drop));
        settle()?;
        assert_eq!(cell.set(3), Err(3), "somebody is making it");
        waiter.cancel_and_join()?;
        assert_eq!(maker.await_()?, 1);
        assert_eq!(cell.get_or_init(|| 4)?, &1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_failed_initialiser_alone_leaves_the_cell_empty() {
    let cell = OnceCell::new();
    assert!(cell.get_or_try_init(|| Err(Error::msg("no"))).is_err());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cell.get_or_init(|| panic!("no")).map(|_| ())
    }));
    assert!(panicked.is_err());
    assert_eq!(format!("{cell:?}"), "OnceCell(..)");
    assert_eq!(cell.get_or_init(|| 1).unwrap(), &1);
}

#[test]
fn an_initialiser_that_asks_for_its_own_value_is_told() {
    let cell = OnceCell::<i32>::new();
    let result = cell.get_or_try_init(|| cell.get_or_init(|| 1).copied());
    assert!(result.unwrap_err().to_string().contains("wait for ever"));
    assert!(cell.get().is_none());
}

#[test]
fn a_cancelled_coroutine_is_refused_even_what_is_made() {
    let cell = OnceCell::from(1);
    run_blocking(|s| {
        s.launch(|s| {
            s.cancel();
            assert!(cell.get_or_init(|| 2).unwrap_err().is_cancelled());
            assert_eq!(cell.get(), Some(&1));
        });
        Ok(())
    })
    .unwrap();
}
