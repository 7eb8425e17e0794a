//! Clauses about jobs, times, locks and permits.

use std::cell::Cell;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use switchback::future::block_on;
use switchback::prelude::*;
use switchback::testing::{current_time, run_test};

use crate::support::settle;

const LONG: Duration = Duration::from_secs(60);

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
        let mut other = s.async_(|_| Ok(1));
        assert_eq!(select(|s| s.on_await(&mut other, Ok))?, 1);
        assert!(block_on(other.into_future())?.is_err());
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
