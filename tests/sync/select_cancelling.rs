//! Selects cancelled at every moment, by a cancel or by a timeout: no clause has any effect then, and none stays behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchback::prelude::*;

use crate::support::{Log, settle, until};

/// What is done for one who waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Receives,
    Sends,
    Closes,
    Unlocks,
    Releases,
    Completes,
}

const EVENTS: [Event; 6] = [
    Event::Receives,
    Event::Sends,
    Event::Closes,
    Event::Unlocks,
    Event::Releases,
    Event::Completes,
];

/// When the one who selects is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Never,
    Before,
    Waiting,
    /// After the event, and before it has run.
    After,
}

const MOMENTS: [Moment; 4] = [
    Moment::Never,
    Moment::Before,
    Moment::Waiting,
    Moment::After,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Loop,
    Worker,
}

/// As for the operation by itself: only an element is given to the handler although its receiver was cancelled.
fn succeeds(event: Event, moment: Moment, is_shielded: bool) -> bool {
    match moment {
        Moment::Never => true,
        Moment::Before | Moment::Waiting => is_shielded,
        Moment::After => is_shielded || event == Event::Sends,
    }
}

/// Everything that a select can wait for, all of it busy.
struct Tools {
    to_read: Sender<u8>,
    read: Receiver<u8>,
    write: Sender<u8>,
    written: Receiver<u8>,
    to_end: Sender<u8>,
    end: Receiver<u8>,
    lock: Mutex<()>,
    seats: Semaphore,
    done: CompletableDeferred<()>,
}

impl Tools {
    fn new() -> Self {
        let (to_read, read) = channel(Capacity::rendezvous());
        let (write, written) = channel(Capacity::rendezvous());
        let (to_end, end) = channel(Capacity::rendezvous());
        Self {
            to_read,
            read,
            write,
            written,
            to_end,
            end,
            lock: Mutex::new(()),
            seats: Semaphore::new(1),
            done: CompletableDeferred::new(),
        }
    }

    /// Selects over all of them.
    fn select(&self) -> Result<Event> {
        let job = self.done.job();
        select(|s| {
            s.on_recv(&self.read, |_| Ok(Event::Sends));
            s.on_send(&self.write, 7, || Ok(Event::Receives));
            s.on_recv_catching(&self.end, |_| Ok(Event::Closes));
            s.on_lock(&self.lock, |_| Ok(Event::Unlocks));
            s.on_permit(&self.seats, |_| Ok(Event::Releases));
            s.on_join(&job, || Ok(Event::Completes));
            s.on_timeout(Duration::from_secs(600), || {
                panic!("a timeout of ten minutes")
            });
        })
    }

    /// Nobody waits for any of it any more; all but what `event` has used up can still be had, by a select too.
    fn demand_untouched(&self, event: Option<Event>, case: &str) {
        assert!(
            self.to_read.try_send(1).is_err(),
            "{case}: a receiver was left"
        );
        assert!(
            self.written.try_recv().is_err(),
            "{case}: a sender was left"
        );
        if event != Some(Event::Closes) {
            assert!(self.to_end.try_send(1).unwrap_err().is_full(), "{case}");
        }
        assert!(!self.lock.is_locked(), "{case}: the lock was left");
        assert_eq!(
            self.seats.available_permits(),
            1,
            "{case}: a permit was left"
        );
    }
}

fn attempt(event: Event, moment: Moment, is_shielded: bool, place: Place) {
    let case = format!("{event:?} {moment:?} shielded: {is_shielded} {place:?}");
    let (tools, log) = (Tools::new(), Log::default());
    let is_waiting = AtomicBool::new(false);
    run_blocking(|s| {
        let mut held = (Some(tools.lock.lock()?), Some(tools.seats.acquire()?));
        let builder = match place {
            Place::Loop => s.builder(),
            Place::Worker => s.builder().dispatcher(Dispatchers::default()),
        };
        let waiter = builder.launch(|s| {
            if moment == Moment::Before {
                s.cancel();
            }
            is_waiting.store(true, Ordering::Relaxed);
            let result = if is_shielded {
                non_cancellable(|_| tools.select())
            } else {
                tools.select()
            };
            match result {
                Ok(won) => {
                    assert_eq!(won, event, "{case}");
                    log.put("won");
                }
                Err(error) => {
                    assert!(error.is_cancelled(), "{case}: {error}");
                    log.put("cancelled");
                }
            }
        });
        until(|| is_waiting.load(Ordering::Relaxed));
        if place == Place::Worker && moment != Moment::Before {
            until(|| waiter.dump().contains(", select at ") || waiter.is_completed());
        }
        if moment == Moment::Waiting {
            waiter.cancel();
        }
        // It is cancelled and has not withdrawn yet, or waits still, or has gone.
        let happened = match event {
            Event::Receives => tools.written.try_recv().is_ok(),
            Event::Sends => tools.to_read.try_send(7).is_ok(),
            Event::Closes => tools.to_end.close(),
            Event::Unlocks => held.0.take().is_some(),
            Event::Releases => held.1.take().is_some(),
            Event::Completes => tools.done.complete(()),
        };
        if moment == Moment::After {
            waiter.cancel();
        }
        waiter.join()?;
        drop(held);
        let expected = succeeds(event, moment, is_shielded);
        if place == Place::Loop {
            log.expect(&[if expected { "won" } else { "cancelled" }]);
            if matches!(event, Event::Receives | Event::Sends) {
                assert_eq!(happened, expected || moment == Moment::After, "{case}");
            }
        } else {
            // It may run before it is cancelled, so more can succeed; but an exchange has two sides.
            let won = log.take() == ["won"];
            assert!(won || !expected, "{case}");
            assert!(!(won && event == Event::Sends) || happened, "{case}");
            assert!(!(won && event == Event::Receives) || happened, "{case}");
        }
        tools.demand_untouched(Some(event), &case);
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{case}: {error:?}"));
}

#[test]
fn a_select_meets_a_cancellation_at_every_moment_as_its_operations_do() {
    for event in EVENTS {
        for moment in MOMENTS {
            for is_shielded in [false, true] {
                attempt(event, moment, is_shielded, Place::Loop);
            }
        }
    }
}

#[test]
fn a_select_on_another_thread_is_withdrawn_at_every_moment() {
    for _ in 0..20 {
        for event in EVENTS {
            for moment in MOMENTS {
                attempt(event, moment, false, Place::Worker);
            }
        }
    }
}

#[test]
fn a_timeout_around_a_select_withdraws_all_clauses() {
    let tools = Tools::new();
    run_blocking(|s| {
        // Another coroutine has them.
        let holder = s.launch(|_| {
            let _held = (tools.lock.lock()?, tools.seats.acquire()?);
            await_cancellation()
        });
        settle()?;
        assert!(with_timeout_or_none(ms(2), |_| tools.select())?.is_none());
        let late = with_timeout(ms(2), |_| tools.select());
        assert!(late.unwrap_err().is_timeout());
        holder.cancel_and_join()?;
        tools.demand_untouched(None, "timeout");
        tools.done.complete(());
        assert_eq!(select(|s| s.on_await(&tools.done, Ok))?, ());
        Ok(())
    })
    .unwrap();
}

#[test]
fn those_who_stand_behind_a_cancelled_select_move_up() {
    let log = Log::default();
    let (tx, rx) = channel(Capacity::rendezvous());
    let lock = Mutex::new(());
    run_blocking(|s| {
        let held = lock.lock()?;
        let selecting = s.launch(|_| {
            select(|s| {
                s.on_recv(&rx, |n: i32| {
                    log.put(format!("select {n}"));
                    Ok(())
                });
                s.on_lock(&lock, |_| {
                    log.put("select locked");
                    Ok(())
                });
            })
        });
        s.launch(|_| {
            log.put(format!("next {}", rx.recv()?));
            Ok(())
        });
        s.launch(|_| {
            let _guard = lock.lock()?;
            log.put("next locked");
            Ok(())
        });
        settle()?;
        // Cancelled and linked still, for it has not run yet.
        selecting.cancel();
        tx.try_send(1)?;
        drop(held);
        Ok(())
    })
    .unwrap();
    log.expect(&["next 1", "next locked"]);
}

#[test]
fn a_cancelled_coroutine_selects_nothing_though_everything_is_ready() {
    let (tx, rx) = channel(Capacity::buffered(2));
    let lock = Mutex::new(());
    tx.send(1).unwrap();
    let mut value = Some(2);
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.cancel();
            for _ in 0..2 {
                let got: Result<()> = select(|s| {
                    s.on_recv(&rx, |_| panic!("received"));
                    s.on_send_from(&tx, &mut value, || panic!("sent"));
                    s.on_lock(&lock, |_| panic!("locked"));
                    s.on_timeout(Duration::ZERO, || panic!("timed out"));
                });
                assert!(got.unwrap_err().is_cancelled());
            }
        });
        job.join()
    })
    .unwrap();
    assert_eq!((rx.try_recv().ok(), value), (Some(1), Some(2)));
    assert!(rx.is_empty() && !lock.is_locked());
}

#[test]
fn one_cancelled_while_it_writes_its_clauses_takes_nothing() {
    let (tx, rx) = channel(Capacity::buffered(1));
    tx.send(1).unwrap();
    run_blocking(|s| {
        let job = s.launch(|scope| {
            let got: Result<()> = select(|s| {
                s.on_recv(&rx, |_| panic!("received"));
                scope.cancel();
            });
            assert!(got.unwrap_err().is_cancelled());
        });
        job.join()
    })
    .unwrap();
    assert_eq!(rx.try_recv().ok(), Some(1));
}

#[test]
fn a_value_that_was_taken_before_the_cancellation_is_not_in_its_slot() {
    let (tx, rx) = channel(Capacity::rendezvous());
    let log = Log::default();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let mut value = Some(1);
            let got = select(|s| s.on_send_from(&tx, &mut value, || Ok(())));
            assert!(got.unwrap_err().is_cancelled());
            log.put(format!("{value:?}"));
        });
        settle()?;
        assert_eq!(rx.try_recv().unwrap(), 1);
        job.cancel();
        job.join()
    })
    .unwrap();
    log.expect(&["None"]);
}

#[test]
fn one_cancelled_after_a_channel_has_ended_meets_the_cancellation() {
    let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    run_blocking(|s| {
        let job = s.launch(|_| {
            let got: Result<()> = select(|s| s.on_recv_catching(&rx, |_| panic!("must not run")));
            assert!(got.unwrap_err().is_cancelled());
        });
        settle()?;
        tx.close();
        job.cancel();
        job.join()
    })
    .unwrap();
}
