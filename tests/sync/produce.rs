//! Coroutines with a channel, and tickers.

use std::sync::atomic::{AtomicBool, Ordering};

use switchback::prelude::*;
use switchback::sync::{TickerMode, ticker, ticker_with};
use switchback::testing::{current_time, run_test};

use crate::support::{Log, settle};

#[test]
fn a_producer_may_send_what_its_scope_borrows() {
    let words = vec![String::from("a"), String::from("b")];
    let joined = run_blocking(|s| {
        let elements = s.produce(Capacity::buffered(1), |_, tx| {
            for word in &words {
                tx.send(word.as_str())?;
            }
            Ok(())
        });
        elements.into_iter().collect::<Result<String>>()
    });
    assert_eq!(joined.unwrap(), "ab");
}

#[test]
fn the_channel_stays_open_until_the_children_of_the_producer_have_ended() {
    run_test(|s| {
        let elements = s.produce(Capacity::rendezvous(), |s, tx| {
            for n in [2, 1, 3] {
                let tx = tx.clone();
                s.launch(move |_| {
                    delay(ms(10 * n))?;
                    Ok(tx.send(n)?)
                });
            }
        });
        let got = elements.iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(got, [1, 2, 3]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_receiver_that_goes_ends_its_producer_without_a_failure() {
    for waits_in_send in [true, false] {
        run_blocking(|s| {
            let ended = &AtomicBool::new(false);
            coroutine_scope(|s| {
                let elements = s.produce(Capacity::buffered(1), move |_, tx| {
                    let endless = (|| -> Result<()> {
                        loop {
                            tx.send(1)?;
                            if !waits_in_send {
                                delay(ms(1_000_000))?;
                            }
                        }
                    })();
                    ended.store(true, Ordering::Relaxed);
                    endless
                });
                elements.recv()?;
                settle()?;
                drop(elements);
                Ok(())
            })?;
            assert!(ended.load(Ordering::Relaxed));
            assert!(s.is_active());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_producer_that_never_ran_ends_its_channel_with_an_error() {
    run_blocking(|s| {
        let elements = s.produce(Capacity::rendezvous(), |_, tx| Ok(tx.send(1)?));
        elements.producer().unwrap().cancel();
        let error = elements.recv().unwrap_err();
        assert!(!error.is_cancelled(), "it is somebody else's: {error}");
        // It names the job.
        assert!(error.to_string().contains("was cancelled"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_of_the_producer_reaches_the_receiver() {
    run_blocking(|_| {
        supervisor_scope(|s| {
            let elements = s.produce(Capacity::unlimited(), |_, tx| -> Result<()> {
                tx.send(1)?;
                panic!("no more");
            });
            assert_eq!(elements.recv()?, 1);
            let error = elements.recv().unwrap_err();
            assert!(error.to_string().contains("no more"), "{error}");
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn a_failure_that_no_receiver_hears_is_reported() {
    let log = std::sync::Arc::new(Log::default());
    let told = log.clone();
    let handler = CoroutineExceptionHandler::new(move |_, error| told.put(error));
    let scope = CoroutineScope::new(SupervisorJob::new() + handler);
    let fail = |tx: Sender<i32>| -> Result<()> {
        while tx.send(1).is_ok() {}
        Err(Error::msg("disk full"))
    };
    let heard = scope.produce(Capacity::rendezvous(), move |_, tx| {
        tx.send(1)?;
        Err::<(), _>(Error::msg("heard"))
    });
    assert_eq!(heard.recv().unwrap(), 1);
    assert_eq!(heard.recv().unwrap_err().to_string(), "heard");
    let unheard = scope.produce(Capacity::rendezvous(), move |_, tx| {
        non_cancellable(|_| fail(tx.clone()))
    });
    unheard.recv().unwrap();
    unheard.cancel();
    unheard.producer().unwrap().join().unwrap();
    log.expect(&["disk full"]);
    let closed_by_hand = scope.produce(Capacity::rendezvous(), |_, tx: Sender<i32>| {
        tx.close();
        Err::<(), _>(Error::msg("after the close"))
    });
    closed_by_hand.producer().unwrap().join().unwrap();
    log.expect(&["after the close"]);
}

#[test]
fn consuming_cancels_the_channel_on_a_panic_too() {
    let (tx, rx) = channel(Capacity::buffered(2));
    tx.send(1).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rx.consume_each(|_| -> Result<()> { panic!("choked") })
    }));
    assert!(panic.is_err() && tx.is_closed_for_send());
    assert!(tx.send(2).unwrap_err().error().is_cancelled());
}

#[test]
fn a_failing_consumer_is_the_cause_that_senders_see() {
    let (tx, rx) = channel(Capacity::buffered(2));
    tx.send(1).unwrap();
    let failed = rx.consume_each(|_| -> Result<()> { Err(Error::msg("full up")) });
    assert_eq!(failed.unwrap_err().to_string(), "full up");
    let error = Error::from(tx.send(2).unwrap_err());
    assert_eq!(error.source().unwrap().to_string(), "full up");
}

/// When each tick is received, by a receiver that takes its time after some.
fn moments(mode: TickerMode, pauses: [u64; 5]) -> Vec<u128> {
    run_test(|s| {
        let ticks = ticker_with(s.context(), ms(100), ms(30), mode);
        let mut moments = Vec::new();
        for pause in pauses {
            ticks.recv()?;
            moments.push(current_time().as_millis());
            delay(ms(pause))?;
        }
        Ok(moments)
    })
    .unwrap()
}

#[test]
fn ticks_of_a_fixed_period_stay_in_step_and_missed_ones_are_left_out() {
    let got = moments(TickerMode::FixedPeriod, [0, 50, 250, 0, 0]);
    assert_eq!(got, [30, 130, 230, 480, 530]);
    let got = moments(TickerMode::FixedPeriod, [100, 100, 100, 100, 100]);
    assert_eq!(got, [30, 130, 230, 330, 430]);
}

#[test]
fn ticks_of_a_fixed_delay_follow_the_receiver() {
    let got = moments(TickerMode::FixedDelay, [0, 50, 250, 0, 0]);
    assert_eq!(got, [30, 130, 230, 480, 580]);
}

#[test]
fn a_ticker_ends_with_its_receiver() {
    let ticks = ticker(ms(1), ms(0), TickerMode::FixedPeriod);
    let producer = ticks.producer().unwrap().clone();
    ticks.recv().unwrap();
    drop(ticks);
    producer.join().unwrap();
    assert!(producer.is_cancelled());
}
