//! How channels end: closed, cancelled, left by their last handle.

use switchback::prelude::*;
use switchback::sync::{ClosedForReceive, ClosedForSend, TryRecvError, TrySendError};

use crate::support::{Log, settle};

#[test]
fn after_close_the_rest_is_received_and_then_the_end() {
    let (tx, rx) = channel(Capacity::buffered(5));
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    assert!(tx.close());
    assert!(!tx.close());
    assert!(!tx.close_with(Error::msg("too late")));
    assert!(tx.is_closed_for_send() && !rx.is_closed_for_receive());
    let refused = tx.send(3).unwrap_err();
    assert!(refused.is_closed());
    assert!(refused.error().is::<ClosedForSend>());
    assert_eq!(refused.into_parts().0, Some(3));
    assert_eq!((rx.recv().unwrap(), rx.recv().unwrap()), (1, 2));
    assert!(rx.is_closed_for_receive() && !rx.is_empty());
    assert!(rx.recv().unwrap_err().is::<ClosedForReceive>());
    assert!(rx.recv_catching().unwrap().unwrap_err().cause().is_none());
    assert!(rx.iter().next().is_none());
}

#[test]
fn a_cause_is_met_by_both_ends_after_the_rest() {
    let (tx, rx) = channel(Capacity::buffered(5));
    tx.send(1).unwrap();
    let broke = Error::msg("source broke");
    assert!(tx.close_with(broke.clone()));
    assert!(tx.send(2).unwrap_err().error().ptr_eq(&broke));
    let items: Vec<_> = rx.iter().collect();
    assert_eq!(items.len(), 2);
    assert_eq!(*items[0].as_ref().unwrap(), 1);
    assert!(items[1].as_ref().unwrap_err().ptr_eq(&broke));
    assert!(rx.recv().unwrap_err().ptr_eq(&broke));
    let closed = rx.recv_catching().unwrap().unwrap_err();
    assert!(closed.cause().unwrap().ptr_eq(&broke));
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Closed(c)) if c.cause().is_some()));
    assert!(matches!(tx.try_send(3), Err(TrySendError::Closed(3, c)) if c.cause().is_some()));
}

#[test]
fn senders_that_wait_at_the_close_are_received_still() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        for n in 1..=3 {
            let tx = tx.clone();
            s.launch(move |_| Ok(tx.send(n)?));
        }
        settle()?;
        assert!(tx.close());
        assert!(tx.is_closed_for_send() && !rx.is_closed_for_receive());
        assert_eq!(rx.iter().collect::<Result<Vec<_>>>()?, [1, 2, 3]);
        assert!(rx.is_closed_for_receive());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_close_wakes_all_receivers() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel::<i32>(Capacity::buffered(3));
        for n in 0..3 {
            let (rx, log) = (rx.clone(), &log);
            s.launch(move |_| {
                log.put(format!("{n} {}", rx.recv().unwrap_err()));
            });
        }
        settle()?;
        tx.close_with(Error::msg("over"));
        Ok(())
    })
    .unwrap();
    log.expect(&["0 over", "1 over", "2 over"]);
}

#[test]
fn a_cancel_drops_what_is_in_and_tells_both_ends() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::buffered(2));
        tx.send(1)?;
        tx.send(2)?;
        let waits = {
            let tx = tx.clone();
            s.async_(move |_| Ok(tx.send(3).unwrap_err()))
        };
        settle()?;
        rx.cancel_with("not needed");
        let back = waits.await_()?;
        assert!(back.is_closed());
        assert_eq!(back.error().to_string(), "cancelled: not needed");
        assert_eq!(back.into_value(), Some(3));
        assert!(rx.is_closed_for_receive() && tx.is_closed_for_send());
        assert_eq!(rx.recv().unwrap_err().to_string(), "cancelled: not needed");
        let sent = tx.send(4).unwrap_err();
        assert!(sent.is_closed() && sent.error().is_cancelled());
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Closed(_))));
        rx.cancel_with("again");
        assert_eq!(rx.recv().unwrap_err().to_string(), "cancelled: not needed");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancel_after_a_close_drops_the_rest_and_keeps_the_cause() {
    let (tx, rx) = channel(Capacity::buffered(2));
    tx.send(1).unwrap();
    tx.close_with(Error::msg("first"));
    rx.cancel();
    assert_eq!(rx.recv().unwrap_err().to_string(), "first");
    assert_eq!(tx.send(2).unwrap_err().error().to_string(), "first");
}

#[test]
fn an_error_given_to_cancel_becomes_the_cause_of_the_cancellation() {
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    rx.cancel_because(Error::msg("disk full"));
    let error = rx.recv().unwrap_err();
    let cancelled = error.downcast_ref::<Cancelled>().unwrap();
    assert_eq!(cancelled.cause().unwrap().to_string(), "disk full");
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    let own = Error::cancelled_with("mine");
    rx.cancel_because(own.clone());
    assert!(rx.recv().unwrap_err().ptr_eq(&own));
}

#[test]
fn the_last_sender_closes_and_the_last_receiver_too() {
    let (tx, rx) = channel(Capacity::buffered(2));
    let more = tx.clone();
    drop(tx);
    more.send(1).unwrap();
    assert!(!more.is_closed_for_send());
    drop(more);
    assert_eq!(rx.recv().unwrap(), 1);
    assert!(rx.is_closed_for_receive());

    let (tx, rx) = channel(Capacity::buffered(2));
    let more = rx.clone();
    drop(rx);
    tx.send(1).unwrap();
    drop(more);
    assert!(tx.is_closed_for_send());
    assert!(tx.send(2).unwrap_err().error().is::<ClosedForSend>());
}

#[test]
fn a_waiting_sender_gets_its_value_back_when_the_last_receiver_goes() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let value = s.async_(move |_| Ok(tx.send(Box::new(7)).unwrap_err().into_value().unwrap()));
        settle()?;
        drop(rx);
        assert_eq!(*value.await_()?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn handlers_of_the_end_run_once_with_the_cause() {
    let log = std::sync::Arc::new(Log::default());
    let tell = |name: &'static str| {
        let log = log.clone();
        move |cause: Option<&Error>| {
            log.put(format!("{name} {:?}", cause.map(ToString::to_string)));
        }
    };
    let (a, a_rx) = channel(Capacity::buffered(1));
    a.invoke_on_close(tell("a"));
    a.invoke_on_close(tell("a too"));
    a.send(1).unwrap();
    a.close();
    log.expect(&["a None", "a too None"]);
    assert_eq!(a_rx.recv().unwrap(), 1);
    drop(a_rx);

    let (b, b_rx) = channel::<i32>(Capacity::rendezvous());
    b.invoke_on_close(tell("b"));
    b_rx.cancel_with("no more");
    b.close_with(Error::msg("ignored"));
    log.expect(&["b Some(\"cancelled: no more\")"]);

    let (c, _c_rx) = channel::<i32>(Capacity::rendezvous());
    c.close_with(Error::msg("early"));
    c.invoke_on_close(tell("c"));
    log.expect(&["c Some(\"early\")"]);

    let (d, d_rx) = channel::<i32>(Capacity::rendezvous());
    d.invoke_on_close(tell("d"));
    drop(d);
    log.expect(&["d None"]);
    drop(d_rx);
    log.expect(&[]);
}

#[test]
fn a_handler_that_panics_is_reported_and_the_next_one_runs() {
    let log = std::sync::Arc::new(Log::default());
    let (tx, _rx) = channel::<i32>(Capacity::rendezvous());
    tx.invoke_on_close(|_| panic!("on purpose"));
    let told = log.clone();
    tx.invoke_on_close(move |_| told.put("second"));
    assert!(tx.close());
    log.expect(&["second"]);
}

#[test]
fn what_a_channel_has_taken_and_not_delivered_goes_to_the_handler() {
    let log = std::sync::Arc::new(Log::default());
    let build = |capacity| {
        let log = log.clone();
        switchback::sync::ChannelBuilder::new(capacity)
            .on_undelivered_element(move |n: i32| log.put(n))
            .build()
    };
    let (tx, rx) = build(Capacity::conflated());
    for n in 1..=3 {
        tx.send(n).unwrap();
    }
    log.expect(&["1", "2"]);
    assert_eq!(rx.recv().unwrap(), 3);

    let (tx, _rx) = build(Capacity::drop_latest(1));
    for n in 1..=3 {
        tx.try_send(n).unwrap();
    }
    log.expect(&["2", "3"]);

    let (tx, rx) = build(Capacity::buffered(3));
    for n in 1..=3 {
        tx.send(n).unwrap();
    }
    rx.cancel();
    log.expect(&["1", "2", "3"]);
    // What comes back to the sender is not lost.
    assert_eq!(tx.send(4).unwrap_err().into_value(), Some(4));
    log.expect(&[]);

    let (tx, rx) = build(Capacity::unlimited());
    tx.send(1).unwrap();
    drop(tx);
    drop(rx);
    log.expect(&["1"]);
}

#[test]
fn a_loop_over_a_channel_ends_with_it() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let log = &log;
        s.launch(move |_| {
            for n in 1..=3 {
                tx.send(n)?;
            }
            log.put("closing");
            tx.close();
            log.put("closed");
            Ok(())
        });
        for n in rx {
            log.put(format!("got {}", n?));
        }
        log.put("loop ended");
        Ok(())
    })
    .unwrap();
    log.expect(&["got 1", "got 2", "closing", "closed", "got 3", "loop ended"]);
}
