//! Selects, one at a time: which clause wins, what it gives, and what the others keep.

use std::sync::Arc;
use std::time::Duration;

use switchback::prelude::*;
use switchback::sync::{ChannelBuilder, ClosedForReceive, ClosedForSend};

use crate::support::{Log, settle};

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
