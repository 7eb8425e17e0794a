//! Selects, one at a time: which clause wins, what it gives, and what the others keep.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use switchback::prelude::*;
use switchback::sync::{ChannelBuilder, ClosedForReceive, ClosedForSend};
use switchback::testing::{current_time, run_test};

use crate::support::{Log, settle};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn of_several_that_are_ready_the_first_written_wins_whatever_it_is() {
    let (tx, rx) = channel(Capacity::buffered(1));
    let (lock, seats) = (Mutex::new(()), Semaphore::new(1));
    let done = CompletableDeferred::new();
    done.complete(7);
    let job = done.job();
    tx.send(1).unwrap();
    let (full, to_receive) = (tx.clone(), rx.clone());
    for first in 0..7 {
        let won = run_blocking(|_| {
            let winner = select(|s| {
                for at in (0..7).map(|n| (n + first) % 7) {
                    match at {
                        0 => s.on_recv(&to_receive, move |_| Ok(at)),
                        1 => s.on_timeout(Duration::ZERO, move || Ok(at)),
                        2 => s.on_lock(&lock, move |_| Ok(at)),
                        3 => s.on_permit(&seats, move |_| Ok(at)),
                        4 => s.on_await(&done, move |_| Ok(at)),
                        5 => s.on_join(&job, move || Ok(at)),
                        _ => s.on_recv_catching(&to_receive, move |_| Ok(at)),
                    }
                }
                s.on_send(&full, 2, || Ok(99));
            })?;
            Ok(winner)
        });
        assert_eq!(won.unwrap(), first);
        let _ = tx.try_send(1);
    }
    assert!(!lock.is_locked());
    assert_eq!(seats.available_permits(), 1);
}

#[test]
fn what_comes_first_wins_and_the_losers_take_nothing() {
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    run_blocking(|s| {
        let selecting = s.async_(|_| {
            select(|s| {
                s.on_recv(&a, |n| Ok(("a", n)));
                s.on_recv(&b, |n| Ok(("b", n)));
            })
        });
        settle()?;
        to_b.try_send(1)?;
        // Decided, though it has not run yet: nothing more goes in, at either.
        assert!(to_a.try_send(2).unwrap_err().is_full());
        assert!(to_b.try_send(3).unwrap_err().is_full());
        assert_eq!(selecting.await_()?, ("b", 1));
        assert!(to_a.try_send(2).unwrap_err().is_full());
        assert!(to_b.try_send(3).unwrap_err().is_full());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_value_that_was_not_sent_is_dropped_or_stands_in_its_slot_again() {
    let (to_a, a) = channel::<Arc<i32>>(Capacity::rendezvous());
    let (to_b, _b) = channel(Capacity::rendezvous());
    let value = Arc::new(1);
    let (mut first, mut second) = (Some(Arc::clone(&value)), Some(Arc::clone(&value)));
    run_blocking(|s| {
        s.launch(|_| {
            assert_eq!(*a.recv()?, 1);
            Ok(())
        });
        let sent = select(|s| {
            s.on_send(&to_b, Arc::clone(&value), || Ok("b"));
            s.on_send_from(&to_b, &mut second, || Ok("b"));
            s.on_send_from(&to_a, &mut first, || Ok("a"));
        })?;
        assert_eq!((sent, first.is_none(), second.is_some()), ("a", true, true));
        settle()?;
        assert_eq!(Arc::strong_count(&value), 2, "the others are gone");
        // Nothing came of it: it is there again.
        select(|s| {
            s.on_send_from(&to_b, &mut second, || Ok(()));
            s.on_timeout(ms(1), || Ok(()));
        })?;
        assert!(second.is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_end_of_a_channel_wins_with_its_cause() {
    let (closed, rx) = channel::<i32>(Capacity::rendezvous());
    closed.close_with(Error::msg("maintenance"));
    let (plain, end) = channel::<i32>(Capacity::rendezvous());
    plain.close();
    let error = select(|s| s.on_recv(&rx, Ok)).unwrap_err();
    assert_eq!(error.to_string(), "maintenance");
    let error = select(|s| s.on_send(&closed, 1, || Ok(()))).unwrap_err();
    assert_eq!(error.to_string(), "maintenance");
    let error = select(|s| s.on_recv(&end, Ok)).unwrap_err();
    assert!(error.is::<ClosedForReceive>());
    let mut value = Some(1);
    let error = select(|s| s.on_send_from(&plain, &mut value, || Ok(()))).unwrap_err();
    assert!(error.is::<ClosedForSend>() && value == Some(1));
    let told = select(|s| {
        s.on_recv_catching(&rx, |received| Ok(received.unwrap_err().to_string()));
    });
    assert!(told.unwrap().contains("maintenance"));
}

#[test]
fn a_select_over_channels_of_every_kind_sends_as_a_send_does() {
    let log = Arc::new(Log::default());
    let lost = Arc::clone(&log);
    let (tx, rx) = ChannelBuilder::new(Capacity::conflated())
        .on_undelivered_element(move |n: i32| lost.put(format!("lost {n}")))
        .build();
    for n in [1, 2] {
        select(|s| s.on_send(&tx, n, || Ok(()))).unwrap();
    }
    log.expect(&["lost 1"]);
    assert_eq!(rx.try_recv().unwrap(), 2);
    // The buffer grows on the way.
    let (tx, rx) = channel(Capacity::unlimited());
    for n in 0..100 {
        select(|s| s.on_send(&tx, n, || Ok(()))).unwrap();
    }
    tx.close();
    assert!(rx.iter().map(Result::unwrap).eq(0..100));
}

#[test]
fn one_who_selects_stands_in_line_like_the_others() {
    let (tx, rx) = channel(Capacity::rendezvous());
    let (_never, silent) = channel::<i32>(Capacity::rendezvous());
    let (log, rx, silent) = (&Log::default(), &rx, &silent);
    run_blocking(|s| {
        let plain = |name: &'static str| {
            move |_: &Scope<'_, '_>| {
                log.put(format!("{name} {}", rx.recv()?));
                Ok(())
            }
        };
        s.launch(plain("first"));
        s.launch(|_| {
            let got = select(|s| {
                s.on_recv(silent, Ok);
                s.on_recv(rx, Ok);
            })?;
            log.put(format!("select {got}"));
            Ok(())
        });
        s.launch(plain("last"));
        settle()?;
        for n in 1..=3 {
            tx.send(n)?;
        }
        settle()?;
        log.expect(&["first 1", "select 2", "last 3"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_same_channel_may_stand_in_several_clauses_and_never_meets_itself() {
    let (tx, rx) = channel(Capacity::rendezvous());
    let mut value = Some(1);
    run_blocking(|s| {
        let both = select(|s| {
            s.on_send_from(&tx, &mut value, || Ok("sent"));
            s.on_recv(&rx, |_| Ok("received"));
            s.on_recv(&rx, |_| Ok("received"));
            s.on_timeout(ms(2), || Ok("neither"));
        })?;
        assert_eq!((both, value), ("neither", Some(1)));
        let (sender, twice) = (tx.clone(), rx.clone());
        let job = s.async_(move |_| {
            select(|s| {
                s.on_recv(&twice, |n| Ok((1, n)));
                s.on_recv(&twice, |n| Ok((2, n)));
            })
        });
        settle()?;
        sender.send(5)?;
        assert!(sender.try_send(6).unwrap_err().is_full());
        assert_eq!(job.await_()?, (1, 5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_awaited_value_is_moved_out_once_and_only_by_the_winner() {
    run_blocking(|s| {
        let mut fast = s.async_(|_| Ok(String::from("fast")));
        let mut slow = s.async_(|_| {
            delay(ms(5))?;
            Ok(String::from("slow"))
        });
        let first = select(|s| {
            s.on_await(&mut slow, Ok);
            s.on_await(&mut fast, Ok);
        })?;
        assert_eq!(first, "fast");
        // It completed, but its value has gone.
        assert!(fast.get_completed().unwrap().is_err());
        assert!(select(|s| s.on_await(&mut fast, Ok)).is_err());
        assert!(fast.await_ref().is_err());
        assert!(fast.await_().unwrap_err().to_string().contains("select"));
        assert_eq!(slow.await_ref()?, "slow");
        assert_eq!(slow.await_()?, "slow");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_awaited_value_that_nobody_takes_is_dropped_once() {
    let value = Arc::new(());
    run_blocking(|s| {
        let mut taken = s.async_(|_| Ok(Arc::clone(&value)));
        let mut left = s.async_(|_| Ok(Arc::clone(&value)));
        settle()?;
        assert_eq!(Arc::strong_count(&value), 3);
        let got = select(|s| {
            s.on_await(&mut taken, Ok);
            s.on_await(&mut left, Ok);
        })?;
        drop(taken);
        assert_eq!(Arc::strong_count(&value), 3);
        drop(got);
        assert_eq!(Arc::strong_count(&value), 2);
        drop(left);
        assert_eq!(Arc::strong_count(&value), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_awaited_failure_wins_and_is_told() {
    let failed = run_blocking(|_| {
        supervisor_scope(|s| {
            let mut bad = s.async_::<_, i32>(|_| {
                yield_()?;
                Err(Error::msg("bad"))
            });
            let never = CompletableDeferred::<i32>::new();
            let got = select(|s| {
                s.on_await(&never, Ok);
                s.on_await(&mut bad, Ok);
            });
            assert_eq!(got.unwrap_err().to_string(), "bad");
            // Somebody else's cancellation is an ordinary error.
            let mut cancelled = s.async_::<_, i32>(|_| await_cancellation());
            cancelled.cancel();
            let got = select(|s| s.on_await(&mut cancelled, Ok));
            assert!(!got.unwrap_err().is_cancelled());
            Ok(())
        })
    });
    failed.unwrap();
}

#[test]
fn an_awaited_failure_is_told_even_if_it_has_cancelled_the_one_who_selects() {
    let failed = run_blocking(|_| {
        let never = CompletableDeferred::<i32>::new();
        let told = Cell::new(false);
        let result = coroutine_scope(|s| {
            let mut bad = s.async_::<_, i32>(|_| {
                yield_()?;
                Err(Error::msg("bad"))
            });
            let got = select(|s| {
                s.on_await(&mut bad, Ok);
                s.on_await(&never, Ok);
            });
            told.set(got.as_ref().is_err_and(|error| error.to_string() == "bad"));
            got
        });
        assert!(told.get());
        result
    });
    assert_eq!(failed.unwrap_err().to_string(), "bad");
}

#[test]
fn a_lazy_coroutine_is_started_by_a_select_that_waits_for_it() {
    run_blocking(|s| {
        let mut lazy = s.builder().start(CoroutineStart::Lazy).async_(|_| Ok(3));
        let job = s.builder().start(CoroutineStart::Lazy).launch(|_| ());
        assert_eq!(select(|s| s.on_await(&mut lazy, Ok))?, 3);
        select(|s| s.on_join(&job, || Ok(())))?;
        assert!(job.is_completed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_time_is_counted_from_the_select_and_is_given_up_with_it() {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(move |_| {
            delay(ms(30))?;
            tx.send(1)?;
            await_cancellation()
        });
        let first = select(|s| {
            s.on_recv(&rx, |_| Ok("element"));
            s.on_timeout(ms(50), || Ok("late"));
            s.on_timeout(LONG, || Ok("never"));
        })?;
        assert_eq!((first, current_time()), ("element", ms(30)));
        let second = select(|s| {
            s.on_timeout(ms(70), || Ok("later"));
            s.on_timeout(ms(50), || Ok("late"));
            s.on_recv(&rx, |_| Ok("element"));
        })?;
        assert_eq!((second, current_time()), ("late", ms(80)));
        s.job().cancel_children();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lock_or_a_permit_comes_with_the_handler_and_goes_with_its_guard() {
    let (left, right) = (Mutex::new(10), Mutex::new(20));
    let seats = Semaphore::new(1);
    let taken = seats.try_acquire();
    run_blocking(|s| {
        let held = (left.lock()?, right.lock()?);
        let got = s.async_(|_| {
            select(|s| {
                s.on_permit(&seats, |_permit| Ok(0));
                s.on_lock(&left, |guard| Ok(*guard));
                s.on_lock(&right, |mut guard| {
                    *guard += 1;
                    yield_()?;
                    Ok(*guard)
                });
            })
        });
        settle()?;
        drop(held.1);
        assert!(right.is_locked(), "handed over");
        assert_eq!(got.await_()?, 21);
        assert!(!right.is_locked() && left.is_locked());
        drop(held.0);
        assert!(!left.is_locked());
        drop(taken);
        assert_eq!(seats.available_permits(), 1);
        // The guard may be taken along.
        let guard = select(|s| s.on_lock(&left, Ok))?;
        assert!(left.is_locked());
        drop(guard);
        assert!(!left.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lock_that_one_holds_oneself_is_an_error() {
    let lock = Mutex::new(());
    run_blocking(|_| {
        let _held = lock.lock()?;
        let error = select(|s| {
            s.on_lock(&lock, |_| Ok(()));
            s.on_timeout(LONG, || Ok(()));
        })
        .unwrap_err();
        assert_eq!(error.to_string().matches("select.rs").count(), 2, "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_select_without_clauses_is_an_error_that_names_its_place() {
    let error = select::<()>(|_| ()).unwrap_err();
    assert!(error.to_string().contains("select.rs"), "{error}");
    let (tx, _rx) = channel::<i32>(Capacity::rendezvous());
    let mut empty = None;
    let error = select(|s| s.on_send_from(&tx, &mut empty, || Ok(()))).unwrap_err();
    assert!(error.to_string().contains("no clauses"), "{error}");
    assert!(select_unbiased::<()>(|_| ()).is_err());
}

#[test]
fn clauses_that_were_exchanged_for_another_coroutines_are_refused() {
    let zero = Duration::ZERO;
    let mut inner = Ok(0);
    let outer = select(|outer| {
        outer.on_timeout(zero, || Ok(1));
        // The same coroutine: nothing is wrong with that.
        let nested = select(|nested| {
            nested.on_timeout(zero, || Ok(2));
            std::mem::swap(outer, nested);
        });
        assert_eq!(nested.unwrap(), 1);
        run_blocking(|s| {
            s.launch_local(|_| {
                inner = select(|other| {
                    other.on_timeout(zero, || Ok(3));
                    std::mem::swap(outer, other);
                });
            });
            Ok(())
        })
        .unwrap();
    });
    for refused in [inner, outer] {
        assert!(refused.unwrap_err().to_string().contains("exchanged"));
    }
}

#[test]
fn the_handler_runs_behind_the_select_and_may_do_anything() {
    let (tx, rx) = channel(Capacity::buffered(8));
    let (ack, acks) = channel(Capacity::rendezvous());
    run_blocking(|s| {
        for n in 1..=4 {
            tx.send(n)?;
        }
        s.launch(|_| {
            for ack in &acks {
                assert!(ack? > 0);
            }
            Ok(())
        });
        // It suspends, selects itself (over the same channel), and fails.
        let sum = select(|s| {
            s.on_recv(&rx, |first| {
                ack.send(first)?;
                delay(ms(1))?;
                let second =
                    select(|s| s.on_recv(&rx, |n| select(|s| s.on_recv(&rx, |m| Ok(n * m)))))?;
                Ok(first + second)
            });
        })?;
        assert_eq!(sum, 1 + 2 * 3);
        let failed: Result<()> = select(|s| s.on_recv(&rx, |n| Err(Error::msg(format!("no {n}")))));
        assert_eq!(failed.unwrap_err().to_string(), "no 4");
        drop(ack);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_select_may_stand_in_the_making_of_another() {
    let (tx, rx) = channel(Capacity::buffered(2));
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let got = select(|outer| {
        let n = select(|inner| inner.on_recv(&rx, Ok)).unwrap();
        outer.on_recv(&rx, move |m| Ok((n, m)));
    });
    assert_eq!(got.unwrap(), (1, 2));
}

#[test]
fn a_handler_that_panics_leaves_nothing_behind() {
    let (tx, rx) = channel(Capacity::buffered(2));
    let (_silent, never) = channel::<i32>(Capacity::rendezvous());
    let lock = Mutex::new(());
    run_blocking(|_| {
        tx.send(1)?;
        let failed = supervisor_scope(|s| {
            let job = s.async_(|_| {
                select(|s| {
                    s.on_recv(&never, |_| Ok(()));
                    s.on_recv(&rx, |n| panic!("handler {n}"));
                    s.on_lock(&lock, |_| Ok(()));
                })
            });
            Ok(job.await_())
        })?;
        assert!(failed.unwrap_err().is_panic());
        assert!(!lock.is_locked() && rx.is_empty());
        // The guard that it was given is released on the way.
        let failed = supervisor_scope(|s| {
            let job =
                s.async_(|_| select(|s| s.on_lock(&lock, |_| -> Result<()> { panic!("held") })));
            Ok(job.await_())
        })?;
        assert!(failed.unwrap_err().is_panic());
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_while_clauses_are_written_gives_values_back() {
    let (tx, rx) = channel(Capacity::buffered(1));
    let mut value = Some(5);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        select(|s| {
            s.on_send_from(&tx, &mut value, || Ok(()));
            panic!("while writing");
        })
    }));
    assert!(panic.is_err());
    assert_eq!(value, Some(5));
    assert!(rx.is_empty());
}

/// Panics when it goes.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[test]
fn a_loser_that_panics_as_it_goes_gives_up_what_the_winner_holds() {
    let log = Arc::new(Log::default());
    let lost = Arc::clone(&log);
    let (tx, rx) = ChannelBuilder::new(Capacity::buffered(1))
        .on_undelivered_element(move |n: i32| lost.put(format!("lost {n}")))
        .build();
    let (lock, seats) = (Mutex::new(()), Semaphore::new(1));
    tx.send(1).unwrap();
    for winner in 0..3 {
        let bomb = Bomb;
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            select::<()>(|s| {
                match winner {
                    0 => s.on_recv(&rx, |_| panic!("must not run")),
                    1 => s.on_lock(&lock, |_| panic!("must not run")),
                    _ => s.on_permit(&seats, |_| panic!("must not run")),
                }
                s.on_timeout(LONG, move || {
                    let _bomb = bomb;
                    Ok(())
                });
            })
        }));
        let payload = panic.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"bomb"));
    }
    log.expect(&["lost 1"]);
    assert!(!lock.is_locked());
    assert_eq!(seats.available_permits(), 1);
}

#[test]
fn an_unbiased_select_starves_nobody() {
    const TURNS: usize = 3000;
    let ready = [0, 1, 2].map(|_| channel(Capacity::unlimited()));
    let mut counts = [0; 3];
    for _ in 0..TURNS {
        for (tx, rx) in &ready {
            if rx.is_empty() {
                tx.send(()).unwrap();
            }
        }
        let won = select_unbiased(|s| {
            for (at, (_, rx)) in ready.iter().enumerate() {
                s.on_recv(rx, move |()| Ok(at));
            }
        });
        counts[won.unwrap()] += 1;
    }
    assert_eq!(counts.iter().sum::<usize>(), TURNS);
    // A third each; ten standard deviations are 260.
    assert!(
        counts.iter().all(|count| (740..1260).contains(count)),
        "{counts:?}"
    );
    // A biased one takes the first as long as there is anything.
    let (_, rx) = &ready[0];
    ready[0].0.send(()).unwrap();
    while !rx.is_empty() {
        let won = select(|s| {
            for (at, (_, rx)) in ready.iter().enumerate() {
                s.on_recv(rx, move |()| Ok(at));
            }
        });
        assert_eq!(won.unwrap(), 0);
    }
}

#[test]
fn an_unbiased_select_that_waits_takes_what_comes() {
    let (tx, rx) = channel(Capacity::rendezvous());
    let (_silent, never) = channel::<i32>(Capacity::rendezvous());
    run_blocking(|s| {
        s.launch(move |_| {
            for n in 0..20 {
                tx.send(n)?;
                yield_()?;
            }
            Ok(())
        });
        for n in 0..20 {
            let got = select_unbiased(|s| {
                s.on_recv(&never, Ok);
                s.on_recv(&rx, Ok);
                s.on_recv(&never, Ok);
            })?;
            assert_eq!(got, n);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_plain_thread_waits_as_a_coroutine_does() {
    let (tx, rx) = channel(Capacity::rendezvous());
    let lock = Mutex::new(1);
    let held = lock.try_lock().unwrap();
    std::thread::scope(|threads| {
        let waiter = threads.spawn(|| {
            select(|s| {
                s.on_lock(&lock, |guard| Ok(*guard));
                s.on_recv(&rx, Ok);
            })
        });
        tx.send(2).unwrap();
        assert_eq!(waiter.join().unwrap().unwrap(), 2);
        let waiter = threads.spawn(|| {
            select(|s| {
                s.on_recv(&rx, Ok);
                s.on_lock(&lock, |guard| Ok(*guard));
            })
        });
        drop(held);
        assert_eq!(waiter.join().unwrap().unwrap(), 1);
    });
    let late = select(|s| {
        s.on_recv(&rx, Ok);
        s.on_timeout(ms(1), || Ok(0));
    });
    assert_eq!(late.unwrap(), 0);
}

#[test]
fn hundreds_of_clauses_are_no_matter() {
    let channels: Vec<_> = (0..300).map(|_| channel(Capacity::rendezvous())).collect();
    run_blocking(|s| {
        let selecting = s.async_(|_| {
            select(|s| {
                for (_, rx) in &channels {
                    s.on_recv(rx, Ok);
                }
            })
        });
        settle()?;
        channels[217].0.send(217)?;
        assert_eq!(selecting.await_()?, 217);
        assert!(channels.iter().all(|(tx, _)| tx.try_send(0).is_err()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_dump_names_the_select_and_its_line() {
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    run_blocking(|s| {
        let job = s.launch(move |_| select(|s| s.on_recv(&rx, |_| Ok(()))));
        settle()?;
        let dump = job.dump();
        assert!(dump.contains(", select at tests/sync/select.rs"), "{dump}");
        job.cancel();
        Ok(())
    })
    .unwrap();
}

#[test]
fn in_a_handler_of_the_runtime_a_select_works_only_if_it_need_not_wait() {
    let log = Arc::new(Log::default());
    let (tx, rx) = channel(Capacity::buffered(1));
    run_blocking(|s| {
        tx.send(1)?;
        let told = Arc::clone(&log);
        let job = s.launch(|_| ());
        job.invoke_on_completion(move |_| {
            told.put(select(|s| s.on_recv(&rx, Ok)).is_ok());
            let refused = select(|s| {
                s.on_recv(&rx, |_| Ok(()));
                s.on_timeout(ms(1), || Ok(()));
            });
            told.put(refused.unwrap_err());
            drop(tx);
        });
        job.join()
    })
    .unwrap();
    let told = log.take();
    assert_eq!(told[0], "true");
    assert!(told[1].contains("handler"), "{told:?}");
}

#[test]
fn clauses_can_be_printed() {
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    let mut shown = String::new();
    select(|s| {
        s.on_timeout(Duration::ZERO, || Ok(()));
        s.on_recv(&rx, |_| Ok(()));
        shown = format!("{s:?}");
    })
    .unwrap();
    assert_eq!(shown, "Select { clauses: 2, .. }");
}
