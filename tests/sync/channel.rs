//! Channels: what goes in comes out, in order; capacities; errors.

use switchback::prelude::*;
use switchback::sync::{ClosedForReceive, TrySendError};

use crate::support::{Log, settle};

fn drain<T>(rx: &Receiver<T>) -> Vec<T> {
    std::iter::from_fn(|| rx.try_recv().ok()).collect()
}

#[test]
fn a_rendezvous_waits_for_the_receiver() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let log = &log;
        s.launch(move |_| {
            for n in 1..=2 {
                log.put(format!("sending {n}"));
                tx.send(n)?;
                log.put(format!("sent {n}"));
            }
            Ok(())
        });
        settle()?;
        log.put("receiver arrives");
        log.put(format!("received {}", rx.recv()?));
        settle()?;
        log.put(format!("received {}", rx.recv()?));
        Ok(())
    })
    .unwrap();
    log.expect(&[
        "sending 1",
        "receiver arrives",
        "received 1",
        "sent 1",
        "sending 2",
        "received 2",
        "sent 2",
    ]);
}

#[test]
fn a_buffer_takes_so_many_and_waiting_senders_move_up() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::buffered(2));
        let log = &log;
        s.launch(move |_| {
            for n in 1..=4 {
                tx.send(n)?;
                log.put(format!("sent {n}"));
            }
            Ok(())
        });
        settle()?;
        log.put(format!("received {}", rx.recv()?));
        settle()?;
        for _ in 0..3 {
            log.put(format!("received {}", rx.recv()?));
        }
        Ok(())
    })
    .unwrap();
    log.expect(&[
        "sent 1",
        "sent 2",
        "received 1",
        "sent 3",
        "received 2",
        "received 3",
        "received 4",
        "sent 4",
    ]);
}

#[test]
fn capacities_keep_what_they_say() {
    for (capacity, kept) in [
        (Capacity::conflated(), vec![9]),
        (Capacity::unlimited(), (0..10).collect()),
        (Capacity::buffered(20), (0..10).collect()),
        (Capacity::drop_oldest(3), vec![7, 8, 9]),
        (Capacity::drop_latest(3), vec![0, 1, 2]),
        (Capacity::drop_oldest(0), vec![9]),
        (Capacity::drop_latest(0), vec![0]),
    ] {
        let (tx, rx) = channel(capacity);
        for n in 0..10 {
            if n % 2 == 0 {
                tx.send(n).unwrap();
            } else {
                tx.try_send(n).unwrap();
            }
        }
        assert!(tx.close());
        let got: Result<Vec<_>> = rx.iter().collect();
        assert_eq!(got.unwrap(), kept, "{capacity:?}");
    }
    for (capacity, fit) in [
        (Capacity::rendezvous(), 0),
        (Capacity::buffered(0), 0),
        (Capacity::buffered(1), 1),
        (Capacity::buffered(7), 7),
    ] {
        let (tx, rx) = channel(capacity);
        let taken = (0..10).take_while(|n| tx.try_send(*n).is_ok()).count();
        assert_eq!(taken, fit, "{capacity:?}");
        assert!(tx.try_send(99).unwrap_err().is_full());
        assert_eq!(drain(&rx).len(), fit);
    }
}

#[test]
fn an_unlimited_channel_keeps_its_order_while_its_buffer_grows_and_turns() {
    let (tx, rx) = channel(Capacity::unlimited());
    let (mut sent, mut received) = (0, 0);
    for round in 0..200 {
        for _ in 0..round {
            tx.send(sent).unwrap();
            sent += 1;
        }
        for _ in 0..round / 2 {
            assert_eq!(rx.recv().unwrap(), received);
            received += 1;
        }
    }
    drop(tx);
    for element in rx {
        assert_eq!(element.unwrap(), received);
        received += 1;
    }
    assert_eq!(sent, received);
}

#[test]
fn elements_of_no_size_and_of_odd_alignment_pass() {
    #[repr(align(128))]
    #[derive(Debug, PartialEq)]
    struct Wide(u8);

    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::buffered(1));
        let (wide_tx, wide_rx) = channel(Capacity::rendezvous());
        s.launch(move |_| {
            for n in 0..5 {
                tx.send(())?;
                wide_tx.send(Wide(n))?;
            }
            Ok(())
        });
        for n in 0..5 {
            rx.recv()?;
            assert_eq!(wide_rx.recv()?, Wide(n));
        }
        assert!(rx.recv().unwrap_err().is::<ClosedForReceive>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_of_a_send_passes_through_the_question_mark_without_its_value() {
    fn send(tx: &Sender<std::rc::Rc<i32>>) -> Result<()> {
        tx.send(std::rc::Rc::new(1))?;
        tx.try_send(std::rc::Rc::new(2))?;
        Ok(())
    }
    let (tx, rx) = channel(Capacity::buffered(1));
    assert_eq!(send(&tx).unwrap_err().to_string(), "the channel is full");
    assert_eq!(drain(&rx).len(), 1);
    rx.cancel();
    assert!(send(&tx).unwrap_err().is_cancelled());
    fn receive(rx: &Receiver<std::rc::Rc<i32>>) -> Result<()> {
        rx.try_recv()?;
        Ok(())
    }
    assert!(receive(&rx).unwrap_err().is_cancelled());
    let (_tx, rx) = channel(Capacity::buffered(1));
    assert_eq!(
        receive(&rx).unwrap_err().to_string(),
        "the channel is empty"
    );
}

/// Sends itself a message when it is dropped: a lock held meanwhile would be met.
struct Echo(Option<Sender<i32>>, i32);

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(tx) = &self.0 {
            let _ = tx.try_send(self.1);
        }
    }
}

#[test]
fn elements_are_dropped_outside_the_lock() {
    let (echo, heard) = channel(Capacity::unlimited());
    let (tx, rx) = channel(Capacity::drop_oldest(1));
    // The element holds the channel's own handle and uses it in its destructor.
    struct Own(Sender<Own>, Echo);
    impl Drop for Own {
        fn drop(&mut self) {
            assert!(!self.0.is_closed_for_send() || self.1.1 == 2);
        }
    }
    for n in 1..=2 {
        let own = Own(tx.clone(), Echo(Some(echo.clone()), n));
        assert!(tx.send(own).is_ok());
    }
    assert_eq!(drain(&heard), [1]);
    rx.cancel();
    assert_eq!(drain(&heard), [2]);
}

#[test]
fn is_empty_tells_of_waiting_senders_too() {
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        assert!(rx.is_empty());
        s.launch(move |_| Ok(tx.send(1)?));
        settle()?;
        assert!(!rx.is_empty());
        assert_eq!(rx.recv()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn many_to_many_in_turn() {
    let log = Log::default();
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        for worker in 0..3 {
            let (rx, log) = (rx.clone(), &log);
            s.launch(move |_| {
                for n in rx {
                    log.put(format!("worker {worker} got {}", n?));
                }
                Ok(())
            });
        }
        yield_()?;
        for n in 1..=6 {
            tx.send(n)?;
            settle()?;
        }
        Ok(())
    })
    .unwrap();
    log.expect(&[
        "worker 0 got 1",
        "worker 1 got 2",
        "worker 2 got 3",
        "worker 0 got 4",
        "worker 1 got 5",
        "worker 2 got 6",
    ]);
}

#[test]
fn everything_is_debug() {
    let (tx, rx) = channel(Capacity::buffered(2));
    tx.send(1).unwrap();
    assert_eq!(format!("{tx:?}"), "Sender(1 of 2 elements)");
    tx.close();
    assert_eq!(format!("{rx:?}"), "Receiver(1 of 2 elements, closed)");
    let error = tx.send(2).unwrap_err();
    assert!(format!("{error:?}").contains("closed for sending"));
    assert_eq!(error.to_string(), "the channel is closed for sending");
    assert_eq!(format!("{:?}", TrySendError::Full(1)), "Full(..)");
    let (tx, _rx) = channel::<i32>(Capacity::unlimited());
    assert_eq!(format!("{tx:?}"), "Sender(0 elements, unlimited)");
}
