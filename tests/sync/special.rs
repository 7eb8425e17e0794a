//! Channels for one value, for everybody, and for the latest; owned guards and permits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::broadcast::{self, RecvError, TryRecvError};
use switchback::sync::{ClosedForReceive, oneshot, watch};

use crate::support::{Log, settle};

/// Counts how many of it are alive.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(alive: &'a AtomicUsize) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive)
    }
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_oneshot_gives_its_value_before_and_after_the_receiver_waits() {
    for waits_first in [false, true] {
        run_blocking(|s| {
            let (tx, rx) = oneshot::channel();
            let receiver = s.async_(move |_| rx.recv());
            if waits_first {
                settle()?;
            }
            tx.send(7)?;
            assert_eq!(receiver.await_()?, 7);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_oneshot_is_closed_when_either_side_is_dropped() {
    run_blocking(|s| {
        let (tx, rx) = oneshot::channel::<i32>();
        let receiver = s.async_(move |_| Ok(rx.recv().unwrap_err().is::<ClosedForReceive>()));
        settle()?;
        drop(tx);
        assert!(receiver.await_()?);
        let (tx, rx) = oneshot::channel();
        drop(rx);
        assert!(tx.is_closed());
        let error = tx.send("back").unwrap_err();
        assert!(error.is_closed());
        assert_eq!(error.into_value(), Some("back"));
        let (tx, mut rx) = oneshot::channel::<i32>();
        assert!(rx.try_recv().unwrap_err().is_empty());
        drop(tx);
        assert!(rx.try_recv().unwrap_err().is_closed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_value_that_nobody_takes_is_dropped_once() {
    let alive = AtomicUsize::new(0);
    let (tx, rx) = oneshot::channel();
    assert!(tx.send(Counted::new(&alive)).is_ok());
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    drop(rx);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn a_oneshot_receiver_cancelled_after_the_send_has_received() {
    let log = Log::default();
    run_blocking(|s| {
        for cancel_first in [false, true] {
            let (tx, rx) = oneshot::channel();
            let log = &log;
            let receiver = s.launch(move |_| log.put(format!("{:?}", rx.recv().ok())));
            settle()?;
            if cancel_first {
                receiver.cancel();
                assert!(tx.send(1).is_ok(), "the receiver is there still");
            } else {
                assert!(tx.send(1).is_ok());
                receiver.cancel();
            }
            receiver.join()?;
        }
        let (tx, rx) = oneshot::channel::<i32>();
        let receiver = s.launch(|_| rx.recv().map(drop));
        settle()?;
        receiver.cancel_and_join()?;
        assert!(tx.send(1).is_err());
        Ok(())
    })
    .unwrap();
    log.expect(&["Some(1)", "Some(1)"]);
}

#[test]
fn oneshots_pass_between_threads_and_coroutines() {
    for _ in 0..100 {
        let (question, asked) = oneshot::channel::<oneshot::Sender<i32>>();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let (tx, rx) = oneshot::channel();
                assert!(question.send(tx).is_ok());
                assert_eq!(rx.recv().unwrap(), 42);
            });
            with_context(Dispatchers::default(), |s| {
                s.launch(|_| Ok(asked.recv()?.send(42)?));
                Ok(())
            })
            .unwrap();
        });
    }
}

#[test]
fn every_receiver_sees_every_value_in_order() {
    let (tx, rx) = broadcast::channel(4);
    let log = Log::default();
    run_blocking(|s| {
        for name in ["a", "b"] {
            let (mut rx, log) = (tx.subscribe(), &log);
            s.launch(move |_| {
                loop {
                    match rx.recv() {
                        Ok(n) => log.put(format!("{name}{n}")),
                        Err(RecvError::Closed) => return Ok(()),
                        Err(other) => return Err(other.into()),
                    }
                }
            });
        }
        drop(rx);
        for n in 0..3 {
            assert_eq!(tx.send(n)?, 2);
            settle()?;
        }
        drop(tx);
        Ok(())
    })
    .unwrap();
    log.expect(&["a0", "b0", "a1", "b1", "a2", "b2"]);
}

#[test]
fn a_slow_receiver_is_told_how_many_it_has_missed_and_goes_on_with_the_oldest() {
    let (tx, mut rx) = broadcast::channel(2);
    for n in 1..=5 {
        tx.send(n).unwrap();
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Lagged(3)));
    assert_eq!(rx.try_recv(), Ok(4));
    tx.send(6).unwrap();
    tx.send(7).unwrap();
    assert!(matches!(rx.recv(), Err(RecvError::Lagged(1))));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(6), Ok(7)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(tx);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert!(Error::from(rx.recv().unwrap_err()).is::<ClosedForReceive>());
}

#[test]
fn what_is_in_the_ring_is_received_after_the_close() {
    let (tx, mut rx) = broadcast::channel(2);
    let other = tx.clone();
    tx.send(1).unwrap();
    drop(tx);
    other.send(2).unwrap();
    drop(other);
    assert_eq!((rx.recv().unwrap(), rx.recv().unwrap()), (1, 2));
    assert!(matches!(rx.recv(), Err(RecvError::Closed)));
}

#[test]
fn without_a_receiver_a_value_comes_back_and_one_may_come_later() {
    let (tx, rx) = broadcast::channel(2);
    drop(rx);
    assert_eq!(tx.send(1).unwrap_err().into_value(), Some(1));
    let mut rx = tx.subscribe();
    assert_eq!(tx.send(2).unwrap(), 1);
    assert_eq!(rx.resubscribe().try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_broadcast_value_lives_until_the_last_receiver_has_seen_it_and_no_longer() {
    let alive = AtomicUsize::new(0);
    let count = || alive.load(Ordering::Relaxed);
    let (tx, mut a) = broadcast::channel(2);
    let (mut b, c) = (tx.subscribe(), tx.subscribe());
    assert!(tx.send(Counted::new(&alive)).is_ok());
    drop(a.try_recv());
    drop(b.try_recv());
    assert_eq!(count(), 1, "c has not seen it");
    drop(c);
    assert_eq!(count(), 0);
    for _ in 0..3 {
        assert!(tx.send(Counted::new(&alive)).is_ok());
    }
    assert_eq!(count(), 2, "the ring keeps two");
    drop((a, b));
    assert_eq!(count(), 0);
}

#[test]
fn a_broadcast_receiver_that_is_cancelled_takes_nothing_from_the_others() {
    let alive = AtomicUsize::new(0);
    run_blocking(|s| {
        let (tx, mut rx) = broadcast::channel(2);
        let mut leaves = tx.subscribe();
        let cancelled = s.launch(move |_| {
            let error = leaves.recv().map(drop).unwrap_err();
            assert!(matches!(&error, RecvError::Refused(error) if error.is_cancelled()));
            Err(error.into())
        });
        settle()?;
        cancelled.cancel();
        assert_eq!(
            tx.send(Counted::new(&alive)).ok(),
            Some(2),
            "it has not left"
        );
        cancelled.join()?;
        assert!(rx.try_recv().is_ok());
        assert_eq!(alive.load(Ordering::Relaxed), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn broadcast_receivers_of_all_places_see_each_value_or_are_told_of_it() {
    const COUNT: u64 = 2000;
    let (tx, rx) = broadcast::channel(8);
    let watch = |mut rx: broadcast::Receiver<u64>| {
        let mut next = 0;
        loop {
            match rx.recv() {
                Ok(n) => {
                    assert_eq!(n, next);
                    next += 1;
                }
                Err(RecvError::Lagged(missed)) => next += missed,
                Err(RecvError::Closed) => break assert_eq!(next, COUNT),
                Err(other) => panic!("{other}"),
            }
        }
    };
    let (a, b, c) = (tx.subscribe(), tx.subscribe(), rx);
    std::thread::scope(|threads| {
        threads.spawn(move || watch(a));
        threads.spawn(move || {
            run_blocking(|s| {
                s.launch(move |_| watch(b));
                Ok(())
            })
            .unwrap();
        });
        with_context(Dispatchers::default(), |s| {
            s.launch(move |_| watch(c));
            s.launch(move |_| {
                for n in 0..COUNT {
                    tx.send(n)?;
                    if n % 16 == 0 {
                        yield_()?;
                    }
                }
                Ok(())
            });
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn a_watcher_sees_the_latest_value_and_not_those_before() {
    let (tx, mut rx) = watch::channel(0);
    run_blocking(|s| {
        let watcher = s.async_(move |_| {
            rx.changed()?;
            let first = *rx.borrow();
            let last = *rx.wait_for(|n| *n >= 5)?;
            assert!(rx.changed().unwrap_err().is::<ClosedForReceive>());
            assert_eq!(*rx.borrow(), 5, "what was last stays");
            Ok((first, last))
        });
        settle()?;
        tx.send(1)?;
        tx.send(2)?;
        settle()?;
        tx.send(5)?;
        drop(tx);
        assert_eq!(watcher.await_()?, (2, 5));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_change_before_the_close_is_seen_first() {
    let (tx, mut rx) = watch::channel(0);
    tx.send(1).unwrap();
    drop(tx);
    assert!(rx.has_changed().unwrap());
    rx.changed().unwrap();
    assert!(rx.has_changed().is_err() && rx.changed().is_err());
}

#[test]
fn a_look_is_not_disturbed_by_what_comes_later() {
    let (mut tx, rx) = watch::channel(vec![1]);
    let look = rx.borrow();
    tx.send_modify(|list| list.push(2));
    assert_eq!((&*look, &*rx.borrow()), (&vec![1], &vec![1, 2]));
    let shown = format!("{rx:?}");
    assert!(shown.contains("[1, 2]"), "{shown}");
    drop(rx);
    assert_eq!(
        tx.send(vec![]).unwrap_err().into_value(),
        Some(Vec::<i32>::new())
    );
    assert_eq!(*tx.send_replace(vec![3]), [1, 2]);
    assert_eq!(*tx.subscribe().borrow(), [3]);
    assert_eq!(tx.receiver_count(), 0);
}

#[test]
fn a_watcher_that_is_cancelled_has_seen_nothing() {
    let (tx, rx) = watch::channel(0);
    let rx = Mutex::new(rx);
    run_blocking(|s| {
        for send_first in [false, true] {
            let watcher = s.launch(|_| {
                let mut rx = rx.lock()?;
                let result = rx.changed();
                assert!(result.as_ref().is_err_and(Error::is_cancelled));
                result
            });
            settle()?;
            if send_first {
                tx.send(1)?;
            }
            watcher.cancel_and_join()?;
            assert_eq!(rx.lock()?.has_changed()?, send_first);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn watchers_of_all_places_come_to_the_last_value() {
    let (tx, rx) = watch::channel(0);
    let follow = |mut rx: watch::Receiver<u32>| {
        let mut last = 0;
        while rx.changed().is_ok() {
            let now = *rx.borrow_and_update();
            assert!(now >= last);
            last = now;
        }
        assert_eq!(*rx.borrow(), 1000);
    };
    std::thread::scope(|threads| {
        let (a, b) = (rx.clone(), rx.clone());
        threads.spawn(move || follow(a));
        threads.spawn(move || {
            run_blocking(|s| {
                s.launch(move |_| follow(b));
                Ok(())
            })
            .unwrap();
        });
        with_context(Dispatchers::default(), |s| {
            s.launch(move |_| follow(rx));
            s.launch(move |_| {
                for n in 1..=1000 {
                    tx.send(n)?;
                }
                Ok(())
            });
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn an_owned_guard_goes_to_another_coroutine_and_gives_the_lock_up_there() {
    let lock = Arc::new(Mutex::new(1));
    run_blocking(|_| {
        let mut guard = lock.lock_owned()?;
        assert!(!lock.is_held_here() && lock.try_lock_owned().is_none());
        let job = GlobalScope.launch(move |_| *guard += 1);
        // Not refused as if we held it ourselves: whoever has it will give it up.
        assert_eq!(*lock.lock()?, 2);
        job.join()?;
        let guard = lock.lock()?;
        assert!(lock.lock_owned().is_err(), "that would be for ever");
        drop(guard);
        Ok(())
    })
    .unwrap();
    assert!(!lock.is_locked());
}

#[test]
fn an_owned_wait_that_is_cancelled_after_hand_over_passes_the_lock_on() {
    let lock = Arc::new(Mutex::new(()));
    run_blocking(|s| {
        let held = lock.lock()?;
        let waiter = s.launch(|_| lock.lock_owned().map(drop));
        settle()?;
        drop(held);
        waiter.cancel_and_join()?;
        assert!(lock.try_lock().is_some());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_owned_permit_limits_children_that_outlive_their_maker() {
    let slots = Arc::new(Semaphore::new(2));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    run_blocking(|_| {
        let jobs: Result<Vec<_>> = (0..10)
            .map(|_| {
                let permit = slots.acquire_owned()?;
                let (now, most) = (now.clone(), most.clone());
                Ok(GlobalScope.launch(move |_| {
                    most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    let result = delay(ms(1));
                    now.fetch_sub(1, Ordering::Relaxed);
                    drop(permit);
                    result
                }))
            })
            .collect();
        join_all(&jobs?)
    })
    .unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 2);
    assert_eq!(slots.available_permits(), 2);
    assert!(slots.try_acquire_owned().is_some());
}
