//! A scope whose body neither launches nor waits has no job that others could find; whoever looks must not notice.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::testing::run_test;
use switchback::time::interval;
use switchback::{current_job, ensure_active, is_active, suspend_coroutine};

/// Runs the body as a coroutine of a loop, whose job may be cancelled without anything else being touched.
fn in_a_coroutine<T: Send + 'static>(body: impl FnOnce(&Job) -> Result<T> + Send) -> Result<T> {
    run_blocking(|_| {
        supervisor_scope(|s| {
            let deferred = s.async_(|c| body(&c.job()));
            deferred.await_()
        })
    })
}

/// Busy until the time is over, without the thread's loop having a turn.
fn compute_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn a_cancellation_from_above_is_seen_in_every_scope_at_once_and_stays() {
    let result = in_a_coroutine(|job| {
        let inner = coroutine_scope(|outer| {
            let innermost = coroutine_scope(|inner| {
                assert!(is_active());
                job.cancel();
                assert!(!is_active());
                assert!(!is_active());
                assert!(ensure_active().unwrap_err().is_cancelled());
                assert!(yield_().unwrap_err().is_cancelled());
                assert!(!inner.is_active());
                Ok(1)
            });
            // The value is lost: the scope was cancelled, as any other is.
            assert!(innermost.unwrap_err().is_cancelled());
            assert!(!outer.is_active());
            Ok(2)
        });
        assert!(inner.unwrap_err().is_cancelled());
        Ok(3)
    });
    // Of another coroutine's cancellation the awaiter makes a failure.
    assert!(!result.unwrap_err().is_panic());
}

#[test]
fn a_value_is_lost_if_the_cancellation_came_before_the_end_of_the_body() {
    let result = in_a_coroutine(|job| {
        let scope = coroutine_scope(|_| {
            job.cancel();
            Ok(1)
        });
        assert!(scope.unwrap_err().is_cancelled());
        Ok(())
    });
    // Of another coroutine's cancellation the awaiter makes a failure.
    assert!(!result.unwrap_err().is_panic());
}

#[test]
fn a_cancellation_by_another_thread_is_seen_while_the_body_runs() {
    let result = in_a_coroutine(|job| {
        let job = job.clone();
        with_timeout(Duration::from_secs(100), |_| {
            let canceller = std::thread::spawn(move || job.cancel());
            canceller.join().unwrap();
            assert!(!is_active());
            Ok(())
        })
    });
    // Of another coroutine's cancellation the awaiter makes a failure.
    assert!(!result.unwrap_err().is_panic());
}

#[test]
fn the_cancellation_of_all_children_reaches_a_scope_that_nobody_has_found() {
    for by_another_thread in [false, true] {
        in_a_coroutine(move |job| {
            let scope = coroutine_scope(|_| {
                coroutine_scope(|_| {
                    if by_another_thread {
                        std::thread::scope(|threads| {
                            threads.spawn(|| job.cancel_children());
                        });
                    } else {
                        job.cancel_children_with("enough");
                    }
                    let cancelled = ensure_active().unwrap_err();
                    assert!(cancelled.is_cancelled());
                    assert_eq!(cancelled.to_string().contains("enough"), !by_another_thread);
                    assert!(yield_().is_err());
                    Ok(())
                })
            });
            assert!(scope.unwrap_err().is_cancelled());
            // Not the coroutine itself, and not what comes after.
            assert!(is_active());
            coroutine_scope(|_| ensure_active())
        })
        .unwrap();
    }
}

#[test]
fn a_body_may_lend_its_scope_to_a_thread_that_launches_in_it() {
    in_a_coroutine(|_| {
        let ended = AtomicBool::new(false);
        coroutine_scope(|_| {
            coroutine_scope(|s| {
                std::thread::scope(|threads| {
                    threads.spawn(|| {
                        s.launch(|_| {
                            delay(ms(5))?;
                            ended.store(true, Ordering::Relaxed);
                            Ok(())
                        });
                    });
                });
                // A scope of its own below one that another thread has made known.
                coroutine_scope(|_| Ok(()))
            })?;
            assert!(ended.load(Ordering::Relaxed), "R2");
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn a_body_may_lend_its_scope_to_a_thread_that_cancels_it() {
    for waits in [false, true] {
        in_a_coroutine(move |_| {
            let scope = with_timeout(Duration::from_secs(100), |s| {
                std::thread::scope(|threads| {
                    threads.spawn(|| s.cancel());
                });
                assert!(!is_active());
                if waits {
                    assert!(delay(ms(30_000)).is_err());
                }
                Ok(())
            });
            assert!(scope.unwrap_err().is_cancelled());
            ensure_active()
        })
        .unwrap();
    }
}

#[test]
fn a_body_finds_the_scopes_it_is_in() {
    in_a_coroutine(|job| {
        assert!(job.children().is_empty());
        coroutine_scope(|_| {
            supervisor_scope(|inner| {
                let dump = job.dump();
                assert_eq!(dump.lines().count(), 3, "{dump}");
                assert!(dump.contains("\n  scope #"), "{dump}");
                assert!(dump.contains("\n    supervisor_scope #"), "{dump}");
                assert_eq!(current_job().unwrap(), inner.job());
                assert_eq!(inner.job().parent(), job.children().first().cloned());
                Ok(())
            })
        })?;
        assert!(job.children().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_current_job_of_a_body_is_its_scope_and_never_one_further_out() {
    in_a_coroutine(|job| {
        coroutine_scope(|s| {
            let current = current_job().unwrap();
            assert_eq!(current, s.job());
            assert_eq!(current.parent().as_ref(), Some(job));
            Ok(())
        })?;
        assert_eq!(current_job().as_ref(), Some(job));
        Ok(())
    })
    .unwrap();
}

#[test]
fn while_a_body_waits_others_find_all_scopes_it_is_in_and_a_cancellation_wakes_it() {
    run_blocking(|s| {
        let job = s.launch(|_| {
            coroutine_scope(|_| {
                with_timeout(Duration::from_secs(100), |_| {
                    supervisor_scope(|_| delay(ms(30_000)))
                })
            })
        });
        yield_()?;
        let dump = job.dump();
        assert_eq!(dump.lines().count(), 4, "{dump}");
        // The one in the middle, so that only what is in it ends.
        let middle = job.children()[0].children()[0].clone();
        middle.cancel();
        job.join()?;
        assert!(job.is_completed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_limit_counts_from_the_call_and_not_from_the_first_wait() {
    in_a_coroutine(|_| {
        for (limit, busy) in [(ms(350), ms(370)), (ms(450), ms(470))] {
            let start = Instant::now();
            let late = with_timeout(limit, |_| {
                compute_for(busy);
                delay(ms(30_000))
            });
            assert!(late.unwrap_err().is_timeout());
            assert!(start.elapsed() < busy + limit, "the limit was counted anew");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_limit_around_a_virtual_clock_goes_by_the_systems() {
    coroutine_scope(|_| {
        with_timeout(Duration::from_secs(50), |_| {
            run_test(|_| delay(Duration::from_secs(1000)))?;
            delay(ms(1))
        })
    })
    .unwrap();
}

#[test]
fn a_limit_is_never_over_early() {
    in_a_coroutine(|_| {
        for limit in [ms(1), ms(7), ms(399), ms(401), ms(450)] {
            let start = Instant::now();
            let late = with_timeout(limit, |_| delay(ms(30_000)));
            assert!(late.unwrap_err().is_timeout());
            assert!(start.elapsed() >= limit);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_body_that_does_not_wait_is_not_cut_short() {
    in_a_coroutine(|_| {
        let value = with_timeout(ms(2), |_| {
            compute_for(ms(10));
            ensure_active()?;
            Ok(7)
        });
        assert_eq!(value.unwrap(), 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_limit_ends_a_body_that_only_yields_whoever_made_its_scope_known() {
    for made_known in [false, true] {
        in_a_coroutine(move |_| {
            let late = with_timeout(ms(5), |s| -> Result<()> {
                if made_known {
                    std::thread::scope(|threads| {
                        threads.spawn(|| s.is_active());
                    });
                }
                loop {
                    coroutine_scope(|_| yield_())?;
                }
            });
            assert!(late.unwrap_err().is_timeout());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn of_two_equal_limits_the_outer_one_is_over() {
    in_a_coroutine(|_| {
        for limit in [ms(3), ms(450)] {
            let inner_value = Cell::new(None);
            let outer = with_timeout_or_none(limit, |_| {
                inner_value.set(with_timeout_or_none(limit, |_| delay(ms(30_000))).ok());
                yield_()
            });
            assert_eq!(outer.unwrap(), None);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_goes_on_and_leaves_the_scopes_around_as_they_were() {
    in_a_coroutine(|job| {
        coroutine_scope(|s| {
            let panic = catch_unwind(AssertUnwindSafe(|| {
                coroutine_scope(|_| -> Result<()> {
                    let _ = coroutine_scope(|_| Ok(()));
                    panic!("on purpose")
                })
            }));
            assert_eq!(
                *panic.unwrap_err().downcast::<&str>().unwrap(),
                "on purpose"
            );
            ensure_active()?;
            assert!(s.job().children().is_empty());
            s.launch(|_| yield_());
            Ok(())
        })?;
        assert!(job.children().is_empty());
        yield_()
    })
    .unwrap();
}

#[test]
fn an_error_is_given_back_and_fails_the_scope_alone() {
    in_a_coroutine(|_| {
        let failed = coroutine_scope(|_| -> Result<()> { Err(Error::msg("no")) });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        coroutine_scope(|_| ensure_active())
    })
    .unwrap();
}

#[test]
fn a_job_that_was_asked_for_outlives_its_scope_and_is_never_another() {
    in_a_coroutine(|_| {
        let mut kept: Vec<Job> = Vec::new();
        for _ in 0..50 {
            kept.push(coroutine_scope(|s| Ok(s.job()))?);
            kept.push(coroutine_scope(|_| Ok(current_job().unwrap()))?);
        }
        for _ in 0..1000 {
            with_timeout(ms(1000), |_| Ok(()))?;
            coroutine_scope(|_| yield_())?;
        }
        for (index, job) in kept.iter().enumerate() {
            assert!(job.is_completed() && !job.is_cancelled());
            assert!(
                kept[..index]
                    .iter()
                    .all(|other| other != job && other.id() != job.id())
            );
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn scopes_may_be_left_in_the_middle_of_a_hundred_others() {
    fn nested(depth: u32) -> Result<u32> {
        coroutine_scope(|s| {
            if depth == 0 {
                return Ok(0);
            }
            let below = with_timeout(Duration::from_secs(100), |_| nested(depth - 1))?;
            match depth % 3 {
                0 => yield_()?,
                1 => drop(s.launch(|_| yield_())),
                _ => {}
            }
            Ok(below + 1)
        })
    }
    in_a_coroutine(|job| {
        assert_eq!(nested(50)?, 50);
        assert!(job.children().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_children_of_a_job_are_in_the_order_in_which_they_came_though_one_was_not_known() {
    run_blocking(|s| {
        coroutine_scope(|_| {
            let later = s.launch(|_| yield_());
            let own = current_job().expect("we are in a scope");
            assert_eq!(s.job().children(), [own, later]);
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn what_runs_in_place_finds_the_scope_in_which_it_was_resumed_and_comes_after_it() {
    in_a_coroutine(|_| {
        let slot = Mutex::new(None);
        coroutine_scope(|s| {
            let (around, slot) = (s.job(), &slot);
            s.builder()
                .dispatcher(Dispatchers::unconfined())
                .launch(move |_| {
                    suspend_coroutine(|continuation| {
                        *slot.lock().unwrap() = Some(continuation);
                    })?;
                    let before = around.children();
                    let later = s.launch(|_| yield_());
                    let after = around.children();
                    assert_eq!(before.len(), 2);
                    assert_eq!(after[..2], before);
                    assert_eq!(after[2], later);
                    Ok(())
                });
            while slot.lock().unwrap().is_none() {
                yield_()?;
            }
            coroutine_scope(|_| {
                let continuation = slot.lock().unwrap().take();
                continuation.expect("it waits").resume(());
                Ok(())
            })
        })
    })
    .unwrap();
}

#[test]
fn a_limit_is_over_before_a_wait_of_the_same_length_in_it() {
    let waited = AtomicUsize::new(0);
    run_blocking(|s| {
        for after in 0..400 {
            let waited = &waited;
            s.launch(move |_| {
                let limit = ms(450);
                delay(after * Duration::from_micros(137))?;
                let late = match after % 3 {
                    0 => with_timeout(limit, |_| delay(limit)),
                    1 => with_timeout(limit, |_| select(|s| s.on_timeout(limit, || Ok(())))),
                    _ => with_timeout(limit, |_| interval(limit).first_after(limit).tick()),
                };
                waited.fetch_add(usize::from(late.is_ok()), Ordering::Relaxed);
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(waited.load(Ordering::Relaxed), 0);
}
