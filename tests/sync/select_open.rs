//! Clauses that others write, good ones and bad ones.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use switchback::prelude::*;
use switchback::sync::{SelectClause, SelectWaker};

use crate::support::{settle, until};

/// Something that happens so many times, on any thread.
#[derive(Debug, Default)]
struct Bell {
    rings: AtomicUsize,
    wakers: StdMutex<Vec<SelectWaker>>,
    /// The wakers are kept for ever.
    keeps: bool,
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        for waker in &*self.wakers.lock().unwrap() {
            waker.wake();
        }
    }

    fn watchers(&self) -> usize {
        self.wakers.lock().unwrap().len()
    }
}

/// One who waits for a bell.
struct Listen<'a>(&'a Bell);

impl SelectClause for Listen<'_> {
    type Output = usize;

    fn try_take(&mut self) -> Option<usize> {
        let take = |rings: usize| rings.checked_sub(1);
        self.0
            .rings
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .ok()
    }

    fn watch(&mut self, waker: SelectWaker) {
        self.0.wakers.lock().unwrap().push(waker.clone());
        if self.0.rings.load(Ordering::SeqCst) > 0 {
            waker.wake();
        }
    }

    fn unwatch(&mut self) {
        if !self.0.keeps {
            self.0
                .wakers
                .lock()
                .unwrap()
                .retain(SelectWaker::is_waiting);
        }
    }
}

#[test]
fn a_clause_of_ones_own_wins_when_it_has_something() {
    let bell = Bell::default();
    let (_tx, rx) = channel::<usize>(Capacity::rendezvous());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            until(|| bell.watchers() > 0);
            bell.ring();
        });
        let got = run_blocking(|_| {
            select(|s| {
                s.on_recv(&rx, Ok);
                s.on(Listen(&bell), Ok);
            })
        });
        assert_eq!(got.unwrap(), 1);
    });
    assert_eq!(bell.watchers(), 0);
}

#[test]
fn a_clause_of_ones_own_that_loses_is_withdrawn_and_takes_nothing() {
    let bell = Bell::default();
    let (tx, rx) = channel(Capacity::rendezvous());
    run_blocking(|s| {
        let selecting = s.async_(|_| {
            let mut listen = Listen(&bell);
            select(|s| {
                // By reference, too.
                s.on(&mut listen, |_| Ok(0));
                s.on_recv(&rx, Ok);
            })
        });
        settle()?;
        assert_eq!(bell.watchers(), 1);
        tx.try_send(5)?;
        // Too late: it is decided.
        bell.ring();
        assert_eq!(selecting.await_()?, 5);
        Ok(())
    })
    .unwrap();
    assert_eq!((bell.watchers(), bell.rings.into_inner()), (0, 1));
}

#[test]
fn a_bell_that_rings_between_asking_and_watching_is_heard() {
    /// Rings as soon as it was asked in vain.
    struct Late<'a>(&'a Bell);
    impl SelectClause for Late<'_> {
        type Output = usize;
        fn try_take(&mut self) -> Option<usize> {
            let taken = Listen(self.0).try_take();
            self.0.rings.fetch_add(1, Ordering::SeqCst);
            taken
        }
        fn watch(&mut self, waker: SelectWaker) {
            Listen(self.0).watch(waker);
        }
        fn unwatch(&mut self) {
            Listen(self.0).unwatch();
        }
    }
    let bell = Bell::default();
    let got = run_blocking(|_| select(|s| s.on(Late(&bell), Ok)));
    assert_eq!(got.unwrap(), 1);
    let bell = Bell::default();
    let got = select(|s| s.on(Late(&bell), Ok));
    assert_eq!(got.unwrap(), 1);
}

#[test]
fn a_waker_that_is_kept_and_used_too_often_does_nothing() {
    let bell = Bell {
        keeps: true,
        ..Bell::default()
    };
    run_blocking(|s| {
        s.launch(|_| {
            for _ in 0..3 {
                settle()?;
                bell.ring();
                bell.wake();
            }
            Ok(())
        });
        for _ in 0..3 {
            select(|s| s.on(Listen(&bell), Ok))?;
        }
        // None of them wakes what waits for something else.
        let (tx, rx) = channel(Capacity::rendezvous());
        let bell = &bell;
        s.launch(move |_| {
            bell.wake();
            settle()?;
            bell.wake();
            Ok(tx.send(9)?)
        });
        assert_eq!(rx.recv()?, 9);
        Ok(())
    })
    .unwrap();
    std::thread::scope(|threads| {
        // Of a thread that has ended, too.
        threads.spawn(|| select(|s| s.on_timeout(ms(1), || Ok(()))));
        let listener = threads.spawn(|| select(|s| s.on(Listen(&bell), Ok)));
        until(|| bell.watchers() > 3 || listener.is_finished());
        bell.ring();
        listener.join().unwrap().unwrap();
        bell.wake();
    });
    bell.wake();
    assert!(
        bell.wakers
            .lock()
            .unwrap()
            .iter()
            .all(|waker| !waker.is_waiting())
    );
    let shown = format!("{:?}", bell.wakers.lock().unwrap()[0]);
    assert_eq!(shown, "SelectWaker { is_waiting: false, .. }");
}

#[test]
fn a_waker_may_be_woken_under_the_lock_that_its_clause_takes() {
    let bell = Bell::default();
    run_blocking(|s| {
        // In its place `unwatch` would run inside `ring`.
        let unconfined = s.builder().dispatcher(Dispatchers::unconfined());
        let selecting = unconfined.async_(|_| select(|s| s.on(Listen(&bell), Ok)));
        settle()?;
        assert_eq!(bell.watchers(), 1);
        bell.ring();
        assert_eq!(selecting.await_()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_that_cries_wolf_costs_turns_and_nothing_else() {
    let bell = Bell::default();
    let (tx, rx) = channel(Capacity::rendezvous());
    run_blocking(|s| {
        let selecting = s.async_(|_| {
            select(|s| {
                s.on(Listen(&bell), |_| Ok(0));
                s.on_recv(&rx, Ok);
            })
        });
        for _ in 0..50 {
            settle()?;
            bell.wake();
        }
        assert!(!selecting.is_completed());
        settle()?;
        tx.try_send(4)?;
        assert_eq!(selecting.await_()?, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancellation_withdraws_a_clause_of_ones_own() {
    let bell = Bell::default();
    run_blocking(|s| {
        let job = s.launch(|_| select(|s| s.on(Listen(&bell), |_| Ok(()))));
        settle()?;
        assert_eq!(bell.watchers(), 1);
        job.cancel();
        bell.ring();
        job.join()?;
        assert!(job.is_cancelled());
        Ok(())
    })
    .unwrap();
    assert_eq!((bell.watchers(), bell.rings.into_inner()), (0, 1));
}

#[test]
fn a_clause_must_not_suspend_and_says_so() {
    struct Sleepy<'a>(&'a Cell<Option<Error>>);
    impl SelectClause for Sleepy<'_> {
        type Output = ();
        fn try_take(&mut self) -> Option<()> {
            delay(Duration::from_micros(1)).unwrap_err();
            self.0.take().map(|error| self.0.set(Some(error)))
        }
        fn watch(&mut self, waker: SelectWaker) {
            self.0.set(delay(ms(1)).err());
            waker.wake();
        }
        fn unwatch(&mut self) {
            delay(Duration::from_micros(1)).unwrap_err();
        }
    }
    let refused = Cell::new(None);
    for is_coroutine in [true, false] {
        refused.take();
        let body = || select(|s| s.on(Sleepy(&refused), Ok));
        if is_coroutine {
            run_blocking(|_| body()).unwrap();
        } else {
            body().unwrap();
        }
        let error = refused.take().unwrap();
        assert!(
            error.to_string().contains("in a clause of a select"),
            "{error}"
        );
    }
}

/// Where a clause panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Panics {
    Trying,
    Watching,
    Unwatching,
    Dropping,
}

struct Rude(Panics);

impl Rude {
    fn act(&self, here: Panics) {
        if self.0 == here && !std::thread::panicking() {
            std::panic::panic_any(here);
        }
    }
}

impl SelectClause for Rude {
    type Output = ();
    fn try_take(&mut self) -> Option<()> {
        self.act(Panics::Trying);
        None
    }
    fn watch(&mut self, waker: SelectWaker) {
        self.act(Panics::Watching);
        if self.0 == Panics::Unwatching {
            waker.wake();
        }
    }
    fn unwatch(&mut self) {
        self.act(Panics::Unwatching);
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.act(Panics::Dropping);
    }
}

#[test]
fn a_clause_that_panics_lets_the_select_withdraw_the_others_first() {
    use Panics::{Dropping, Trying, Unwatching, Watching};
    for panics in [Trying, Watching, Unwatching, Dropping] {
        let (tx, rx) = channel::<i32>(Capacity::rendezvous());
        let (seats, bell) = (Semaphore::new(1), Bell::default());
        let held = seats.try_acquire();
        let job = CompletableDeferred::<()>::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            run_blocking(|_| {
                select::<()>(|s| {
                    s.on_recv(&rx, |_| panic!("must not run"));
                    s.on(Listen(&bell), |_| panic!("must not run"));
                    s.on(Rude(panics), |()| panic!("must not run"));
                    s.on_permit(&seats, |_| panic!("must not run"));
                    s.on_await(&job, |()| panic!("must not run"));
                    if panics == Dropping {
                        s.on_timeout(ms(1), || Ok(()));
                    }
                })
            })
        }));
        let payload = panicked.unwrap_err();
        assert_eq!(payload.downcast_ref::<Panics>(), Some(&panics));
        assert!(tx.try_send(1).unwrap_err().is_full(), "{panics:?}");
        drop(held);
        assert_eq!(seats.available_permits(), 1, "{panics:?}");
        assert_eq!(bell.watchers(), 0, "{panics:?}");
        assert!(job.complete(()), "{panics:?}");
    }
}

/// A ticket that is handed over while its clause watches: what a clause holds when the select is over it gives up by its
/// destructor.
struct Ticket<'a> {
    office: &'a Office,
    number: usize,
}

#[derive(Debug, Default)]
struct Office(StdMutex<(usize, Waiting, Vec<usize>)>);

type Waiting = Vec<(usize, SelectWaker)>;

impl Office {
    /// Hands a ticket to the first who waits, or keeps it.
    fn give(&self) {
        let mut state = self.0.lock().unwrap();
        if state.1.is_empty() {
            state.0 += 1;
        } else {
            let (number, waker) = state.1.remove(0);
            state.2.push(number);
            waker.wake();
        }
    }
}

impl SelectClause for Ticket<'_> {
    type Output = usize;

    fn try_take(&mut self) -> Option<usize> {
        let mut state = self.office.0.lock().unwrap();
        if let Some(at) = state.2.iter().position(|given| *given == self.number) {
            state.2.swap_remove(at);
            return Some(self.number);
        }
        state.0 = state.0.checked_sub(1)?;
        Some(self.number)
    }

    fn watch(&mut self, waker: SelectWaker) {
        let mut state = self.office.0.lock().unwrap();
        if state.0 > 0 {
            waker.wake();
        }
        state.1.push((self.number, waker));
    }

    fn unwatch(&mut self) {
        let mut state = self.office.0.lock().unwrap();
        state.1.retain(|(number, _)| *number != self.number);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.office.0.lock().unwrap();
        let given = state.2.iter().position(|given| *given == self.number);
        if let Some(at) = given {
            state.2.swap_remove(at);
            drop(state);
            self.office.give();
        }
    }
}

#[test]
fn what_was_handed_to_a_clause_that_lost_goes_on_by_its_destructor() {
    const ROUNDS: usize = 200;
    let office = Office::default();
    let (tx, rx) = channel(Capacity::unlimited());
    let taken = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for number in 0..3 {
            let (office, rx, taken) = (&office, &rx, &taken);
            threads.spawn(move || {
                loop {
                    let goes_on = select_unbiased(|s| {
                        s.on(Ticket { office, number }, |_| {
                            taken.fetch_add(1, Ordering::Relaxed);
                            Ok(true)
                        });
                        s.on_recv_catching(rx, |received| Ok(received.is_ok()));
                    });
                    if !goes_on.unwrap() {
                        break;
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            office.give();
            tx.send(round).unwrap();
        }
        until(|| taken.load(Ordering::Relaxed) == ROUNDS);
        tx.close();
    });
    let (left, waiting, given) = office.0.into_inner().unwrap();
    assert_eq!((left, waiting.len(), given.len()), (0, 0, 0));
}
