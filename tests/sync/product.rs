//! Every waiting operation, cancelled at every moment, shielded or not, on every kind of thread.

use std::sync::atomic::{AtomicBool, Ordering};

use switchback::prelude::*;

use crate::support::{Log, until};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Send,
    Receive,
    Lock,
    Acquire,
}

const OPERATIONS: [Operation; 4] = [
    Operation::Send,
    Operation::Receive,
    Operation::Lock,
    Operation::Acquire,
];

/// When the one who waits is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Never,
    Before,
    Waiting,
    /// After the hand-over, and before it has run.
    HandedOver,
}

const MOMENTS: [Moment; 4] = [
    Moment::Never,
    Moment::Before,
    Moment::Waiting,
    Moment::HandedOver,
];

/// What Kotlin's rule says, and ours for a receive: an element that was handed over is received.
fn succeeds(operation: Operation, moment: Moment, is_shielded: bool) -> bool {
    match moment {
        Moment::Never => true,
        Moment::Before | Moment::Waiting => is_shielded,
        Moment::HandedOver => is_shielded || operation == Operation::Receive,
    }
}

struct Tools {
    tx: Sender<u8>,
    rx: Receiver<u8>,
    lock: Mutex<()>,
    seats: Semaphore,
}

impl Tools {
    fn new() -> Self {
        let (tx, rx) = channel(Capacity::rendezvous());
        Self {
            tx,
            rx,
            lock: Mutex::new(()),
            seats: Semaphore::new(1),
        }
    }

    fn perform(&self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Send => Ok(self.tx.send(7)?),
            Operation::Receive => self.rx.recv().map(|element| assert_eq!(element, 7)),
            Operation::Lock => self.lock.lock().map(drop),
            Operation::Acquire => self.seats.acquire().map(drop),
        }
    }

    /// Performs it, and says whether anything was handed over: a cancelled send says it by keeping the value.
    fn is_performed(&self, operation: Operation) -> bool {
        match operation {
            Operation::Send => match self.tx.send(7) {
                Ok(()) => true,
                Err(error) => error.into_value().is_none(),
            },
            _ => self.perform(operation).is_ok(),
        }
    }
}

fn attempt(operation: Operation, moment: Moment, is_shielded: bool) {
    let case = format!("{operation:?} {moment:?} shielded: {is_shielded}");
    let (tools, log) = (Tools::new(), Log::default());
    let is_waiting = AtomicBool::new(false);
    run_blocking(|s| {
        let held = (tools.lock.lock()?, tools.seats.acquire()?);
        let waiter = s.launch(|s| {
            if moment == Moment::Before {
                s.cancel();
            }
            is_waiting.store(true, Ordering::Relaxed);
            let result = if is_shielded {
                non_cancellable(|_| tools.perform(operation))
            } else {
                tools.perform(operation)
            };
            log.put(result.is_ok());
            if let Err(error) = &result {
                assert!(error.is_cancelled(), "{case}: {error}");
            }
            // Whatever it was, the next call meets the cancellation.
            assert_eq!(ensure_active().is_err(), moment != Moment::Never, "{case}");
        });
        until(|| is_waiting.load(Ordering::Relaxed));
        if moment == Moment::Waiting {
            waiter.cancel();
        }
        // It is cancelled and has not left the line yet, or waits still, or has gone.
        let handed_over = match operation {
            Operation::Send => tools.rx.try_recv().is_ok(),
            Operation::Receive => tools.tx.try_send(7).is_ok(),
            Operation::Lock | Operation::Acquire => {
                drop(held);
                true
            }
        };
        if moment == Moment::HandedOver {
            waiter.cancel();
        }
        waiter.join()?;
        let expected = succeeds(operation, moment, is_shielded);
        log.expect(&[if expected { "true" } else { "false" }]);
        if matches!(operation, Operation::Send | Operation::Receive) {
            assert_eq!(
                handed_over,
                expected || moment == Moment::HandedOver,
                "{case}"
            );
        } else {
            assert!(
                !tools.lock.is_locked() || operation != Operation::Lock,
                "{case}"
            );
            let free = tools.seats.available_permits();
            assert!(free == 1 || operation != Operation::Acquire, "{case}");
        }
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{case}: {error:?}"));
}

#[test]
fn every_operation_meets_a_cancellation_at_every_moment_as_the_table_says() {
    for operation in OPERATIONS {
        for moment in MOMENTS {
            for is_shielded in [false, true] {
                attempt(operation, moment, is_shielded);
            }
        }
    }
}

/// The same against another thread: whichever comes first, what was handed over is had once.
#[test]
fn every_operation_meets_a_cancellation_from_another_thread() {
    for operation in OPERATIONS {
        for round in 0..200 {
            let tools = Tools::new();
            let held = AtomicBool::new(false);
            let performed = AtomicBool::new(false);
            let handed_over = std::thread::scope(|threads| {
                let giver = threads.spawn(|| {
                    let guards = (tools.lock.try_lock(), tools.seats.try_acquire());
                    held.store(true, Ordering::Release);
                    for _ in 0..round {
                        std::hint::spin_loop();
                    }
                    drop(guards);
                    match operation {
                        Operation::Send => tools.rx.try_recv().is_ok(),
                        Operation::Receive => tools.tx.try_send(7).is_ok(),
                        Operation::Lock | Operation::Acquire => true,
                    }
                });
                with_context(Dispatchers::default(), |s| {
                    until(|| held.load(Ordering::Acquire));
                    let waiter = s.launch(|_| {
                        performed.store(tools.is_performed(operation), Ordering::Relaxed);
                    });
                    if round % 3 != 0 {
                        yield_()?;
                    }
                    waiter.cancel();
                    waiter.join()
                })
                .unwrap();
                giver.join().unwrap()
            });
            let performed = performed.into_inner();
            if matches!(operation, Operation::Send | Operation::Receive) {
                assert_eq!(performed, handed_over, "{operation:?} {round}");
            }
            // Nothing is left in the line, and nothing is held.
            assert!(!tools.lock.is_locked(), "{operation:?} {round}");
            assert_eq!(tools.seats.available_permits(), 1, "{operation:?} {round}");
            assert!(tools.rx.try_recv().is_err(), "{operation:?} {round}");
            assert!(tools.tx.try_send(1).is_err(), "{operation:?} {round}");
        }
    }
}
