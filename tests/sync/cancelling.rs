//! Cancellation of those who wait at a channel, in every state.

use switchback::prelude::*;
use switchback::sync::ChannelBuilder;

use crate::support::{Log, settle};

#[test]
fn a_cancelled_coroutine_neither_sends_nor_receives_but_tries_may() {
    let (tx, rx) = channel(Capacity::buffered(4));
    tx.send(1).unwrap();
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.cancel();
            let refused = tx.send(2).unwrap_err();
            assert!(!refused.is_closed() && refused.error().is_cancelled());
            assert_eq!(refused.into_value(), Some(2));
            assert!(rx.recv().unwrap_err().is_cancelled());
            assert!(rx.recv_catching().unwrap_err().is_cancelled());
            let items: Vec<_> = rx.iter().collect();
            assert!(items.len() == 1 && items[0].is_err());
            tx.try_send(3).unwrap();
            assert_eq!((rx.try_recv().unwrap(), rx.try_recv().unwrap()), (1, 3));
        });
        job.join()
    })
    .unwrap();
    assert!(rx.is_empty());
}

#[test]
fn a_cancelled_sender_delivers_nothing_and_those_behind_it_move_up() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let send = |what: &'static str| {
            let (tx, log) = (tx.clone(), &log);
            s.launch(move |_| {
                let result = tx.send(what);
                match &result {
                    Ok(()) => log.put(format!("{what} delivered")),
                    Err(error) => log.put(format!("{what} back: {error}")),
                }
                if let Err(error) = result {
                    assert_eq!(error.into_value(), Some(what));
                }
            })
        };
        let (a, b) = (send("a"), send("b"));
        yield_()?;
        a.cancel_with("stop");
        yield_()?;
        assert_eq!(rx.recv()?, "b");
        b.join()?;
        assert!(rx.try_recv().is_err());
        Ok(())
    })
    .unwrap();
    log.expect(&["a back: cancelled: stop", "b delivered"]);
}

#[test]
fn a_sender_cancelled_after_its_element_was_taken_meets_the_cancellation_without_its_value() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let log = &log;
        let sender = s.launch(move |_| {
            let error = tx.send(1).unwrap_err();
            assert!(error.error().is_cancelled() && !error.is_closed());
            log.put(format!("{:?}", error.into_value()));
        });
        settle()?;
        assert_eq!(rx.recv()?, 1);
        sender.cancel();
        sender.join()
    })
    .unwrap();
    log.expect(&["None"]);
}

#[test]
fn one_cancelled_after_the_channel_has_ended_meets_the_cancellation() {
    run_blocking(|s| {
        let (tx, rx) = channel::<i32>(Capacity::rendezvous());
        let receiver = s.launch(move |_| {
            assert!(rx.recv_catching().unwrap_err().is_cancelled());
        });
        settle()?;
        tx.close_with(Error::msg("the end"));
        receiver.cancel();
        receiver.join()?;
        let (tx, rx) = channel(Capacity::rendezvous());
        let sender = s.launch(move |_| {
            let error = tx.send(1).unwrap_err();
            assert!(error.error().is_cancelled() && !error.is_closed());
            assert_eq!(error.into_value(), Some(1));
        });
        settle()?;
        rx.cancel_because(Error::msg("the end"));
        sender.cancel();
        sender.join()
    })
    .unwrap();
}

#[test]
fn a_cancelled_receiver_takes_nothing_and_the_next_gets_it() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let receive = |name: &'static str| {
            let (rx, log) = (rx.clone(), &log);
            s.launch(move |_| {
                let got = rx.recv();
                log.put(format!("{name} {:?}", got.as_ref().ok()));
                got.map(drop)
            })
        };
        let [a, b] = ["a", "b"].map(receive);
        yield_()?;
        a.cancel();
        yield_()?;
        tx.send(1)?;
        a.join()?;
        b.join()
    })
    .unwrap();
    log.expect(&["a None", "b Some(1)"]);
}

#[test]
fn a_receiver_cancelled_before_it_leaves_the_line_is_passed_over() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let (first, second) = (rx.clone(), rx.clone());
        let a = s.async_(move |_| Ok(first.recv().is_ok()));
        let b = s.async_(move |_| second.recv());
        settle()?;
        // Cancelled and linked still, for it has not run yet.
        a.cancel();
        assert!(tx.try_send(1).is_ok());
        assert!(tx.try_send(2).unwrap_err().is_full());
        assert_eq!(b.await_()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sender_cancelled_before_it_leaves_the_line_is_passed_over() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::buffered(1));
        tx.send(0)?;
        let (first, second) = (tx.clone(), tx.clone());
        let a = s.launch(move |_| Ok(first.send(1)?));
        s.launch(move |_| Ok(second.send(2)?));
        settle()?;
        a.cancel();
        assert_eq!(rx.try_recv().unwrap(), 0);
        assert_eq!(rx.try_recv().unwrap(), 2);
        assert!(rx.try_recv().is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_element_handed_to_a_receiver_that_is_cancelled_then_is_received() {
    let log = std::sync::Arc::new(Log::default());
    run_blocking(|s| {
        let lost = log.clone();
        let (tx, rx) = ChannelBuilder::new(Capacity::rendezvous())
            .on_undelivered_element(move |n: i32| lost.put(format!("lost {n}")))
            .build();
        let told = log.clone();
        let receiver = s.launch(move |_| {
            told.put(format!("{:?}", rx.recv().ok()));
            told.put(format!("{:?}", rx.recv().is_err_and(|e| e.is_cancelled())));
        });
        settle()?;
        tx.send(7)?;
        receiver.cancel();
        receiver.join()
    })
    .unwrap();
    log.expect(&["Some(7)", "true"]);
}

#[test]
fn a_close_and_a_cancel_at_once_end_the_wait_once() {
    for close_first in [false, true] {
        run_blocking(|s| {
            let (tx, rx) = channel::<i32>(Capacity::rendezvous());
            let receiver = s.async_(move |_| {
                let error = rx.recv().unwrap_err();
                non_cancellable(|_| Ok(error.is_cancelled()))
            });
            settle()?;
            let job = receiver.job();
            if close_first {
                tx.close_with(Error::msg("closed"));
                job.cancel();
            } else {
                job.cancel();
                tx.close_with(Error::msg("closed"));
            }
            job.join()?;
            assert!(job.is_cancelled());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_body_that_passes_its_own_cancellation_on_is_cancelled_and_fails_nobody() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let sender = s.launch(move |_| Ok(tx.send(1)?));
        settle()?;
        sender.cancel();
        sender.join()?;
        assert!(sender.is_cancelled() && s.is_active());
        drop(rx);
        Ok(())
    })
    .unwrap();
}

#[test]
fn somebody_elses_cancellation_as_a_cause_is_an_ordinary_failure() {
    run_blocking(|s| {
        let (tx, rx) = channel::<i32>(Capacity::rendezvous());
        let producer = s.launch(move |_| {
            let cancelled = await_cancellation::<()>().unwrap_err();
            tx.close_with(cancelled.clone());
            Err(cancelled)
        });
        settle()?;
        producer.cancel_with("producer stopped");
        let error = rx.recv().unwrap_err();
        assert!(!error.is_cancelled(), "we were not cancelled");
        assert!(error.to_string().contains("was cancelled"));
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "cancelled: producer stopped");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_channel_cancelled_by_its_receiver_ends_its_producers_quietly() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let producer = s.launch(move |_| {
            for n in 0.. {
                tx.send(n)?;
            }
            Ok(())
        });
        assert_eq!(rx.recv()?, 0);
        rx.cancel();
        producer.join()?;
        assert!(producer.is_cancelled() && s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_timeout_ends_the_wait_of_either_end() {
    run_blocking(|_| {
        let (tx, rx) = channel(Capacity::rendezvous());
        assert!(with_timeout_or_none(ms(3), |_| rx.recv())?.is_none());
        assert!(with_timeout_or_none(ms(3), |_| Ok(tx.send(1)?))?.is_none());
        assert!(rx.try_recv().is_err() && tx.try_send(1).is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn waits_inside_non_cancellable_go_on() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let (ack_tx, ack) = channel(Capacity::rendezvous());
        let job = s.launch(move |_| {
            non_cancellable(|_| {
                let n: i32 = rx.recv()?;
                ack_tx.send(n + 1)?;
                Ok(())
            })
        });
        settle()?;
        job.cancel();
        settle()?;
        tx.send(1)?;
        assert_eq!(ack.recv()?, 2);
        job.join()
    })
    .unwrap();
}

#[test]
fn what_must_wait_is_refused_in_handlers_and_what_need_not_is_not() {
    let log = std::sync::Arc::new(Log::default());
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::buffered(1));
        let told = log.clone();
        let job = s.launch(|_| ());
        job.invoke_on_completion(move |_| {
            told.put(tx.send(1).is_ok());
            let full = tx.send(2).unwrap_err();
            told.put(format!(
                "{} {}",
                full.is_closed(),
                full.into_value().unwrap()
            ));
            told.put(rx.recv().is_ok());
            told.put(rx.recv().is_ok());
        });
        job.join()
    })
    .unwrap();
    log.expect(&["true", "false 2", "true", "false"]);
}
