//! Machines that break their contract, and user code that panics at bad moments.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::Continuation;
use switchback::machine::{Slot, StateMachine, Step, Suspension, Turn};
use switchback::prelude::*;

use crate::waits::Doing;

/// What a machine fails with, under a supervisor, on its own.
fn failure_of<M>(machine: M) -> Error
where
    M: StateMachine<Output = ()> + Send + 'static,
{
    run_blocking(|_| {
        let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
        let failed = catch_unwind(AssertUnwindSafe(|| {
            scope.async_machine(machine).await_().unwrap_err()
        }));
        Ok(match failed {
            Ok(error) => error,
            // The panic of a coroutine goes on in whoever awaits it.
            Err(payload) => Error::msg(*payload.downcast_ref::<&str>().expect("a text")),
        })
    })
    .unwrap()
}

#[test]
fn a_machine_that_asks_for_two_things_is_refused_the_second() {
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        let _first = turn.at(1).yield_()?;
        turn.at(2).delay(ms(1))
    }));
    assert!(failure.to_string().contains("one thing"), "{failure}");
}

#[test]
fn a_machine_may_ask_and_then_return_and_what_it_asked_for_is_dropped() {
    let held = Arc::new(AtomicUsize::new(0));
    let kept = held.clone();
    run_blocking(|s| {
        s.launch_machine(Doing::new(move |label, turn: &mut Turn<'_, Doing>| {
            assert_eq!(label, 0);
            let kept = kept.clone();
            let _asked = turn.at(1).select(
                kept,
                |_, s| s.on_timeout(ms(60_000), || Ok(())),
                |_| unreachable!("nothing comes"),
            )?;
            Ok(Step::Return(()))
        }));
        Ok(())
    })
    .unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
}

/// Gives away the token of a wait that it gives up.
struct Gives;

impl StateMachine for Gives {
    type Output = Suspension;

    fn resume(&mut self, _: u32, turn: &mut Turn<'_, Self>) -> Result<Step<Suspension>> {
        match turn.at(1).yield_()? {
            Step::Suspend(token) => Ok(Step::Return(token)),
            Step::Return(token) => Ok(Step::Return(token)),
        }
    }
}

/// Returns the token of another machine.
struct Takes(Slot<Suspension>);

impl StateMachine for Takes {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).call(Gives, |me| &mut me.0),
            _ => Ok(Step::Suspend(self.0.take()?)),
        }
    }
}

#[test]
fn a_suspension_of_another_resumption_is_refused() {
    let failure = failure_of(Takes(Slot::new()));
    assert!(
        failure.to_string().contains("another resumption"),
        "{failure}"
    );
}

#[test]
fn a_slot_that_is_taken_from_twice_is_empty() {
    let failure = failure_of(Doing::new(|_, _| {
        let mut slot = Slot::<()>::new();
        slot.take().map(Step::Return)
    }));
    assert!(failure.to_string().contains("nothing"), "{failure}");
}

/// Panics when it is dropped.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("in a destructor");
    }
}

/// Calls one that calls, and so on; each holds a bomb.
struct Mined {
    left: u32,
    below: Slot<()>,
    _bomb: Bomb,
}

impl Mined {
    fn new(left: u32, dropped: &Arc<AtomicUsize>) -> Self {
        Self {
            left,
            below: Slot::new(),
            _bomb: Bomb(dropped.clone()),
        }
    }
}

impl StateMachine for Mined {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 if self.left == 0 => turn.at(2).yield_(),
            0 => {
                let below = Self::new(self.left - 1, &self._bomb.0);
                turn.at(1).call(below, |me| &mut me.below)
            }
            1 => self.below.take().map(Step::Return),
            _ => turn.woken().map(Step::Return),
        }
    }
}

#[test]
fn a_destructor_of_a_machine_that_panics_harms_nobody() {
    let dropped = Arc::new(AtomicUsize::new(0));
    run_blocking(|s| {
        let ended = s.async_machine(Mined::new(3, &dropped));
        ended.await_()?;
        assert_eq!(dropped.load(Ordering::SeqCst), 4);
        let never_started = s.launch_machine(Mined::new(0, &dropped));
        never_started.cancel_and_join()?;
        assert_eq!(dropped.load(Ordering::SeqCst), 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_function_for_a_slot_that_panics_fails_the_coroutine() {
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        turn.at(1).suspend(
            |continuation: Continuation<u32>| {
                continuation.resume(1);
                Ok(())
            },
            |_| panic!("no slot"),
        )
    }));
    assert!(failure.to_string().contains("no slot"), "{failure}");
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        turn.at(1).call(Gives, |_| panic!("no slot"))
    }));
    assert!(failure.to_string().contains("no slot"), "{failure}");
}

#[test]
fn the_block_of_a_suspension_may_panic_before_and_after_it_has_resumed() {
    let blocks: [fn(Continuation<u32>); 3] = [
        |continuation| {
            std::mem::forget(continuation);
            panic!("in the block");
        },
        |continuation| {
            continuation.resume(1);
            panic!("in the block");
        },
        |continuation| {
            std::thread::spawn(move || continuation.resume(1))
                .join()
                .unwrap();
            panic!("in the block");
        },
    ];
    for block in blocks {
        let failure = failure_of(Doing::new(move |_, turn: &mut Turn<'_, Doing>| {
            turn.at(1).suspend(
                move |continuation| {
                    block(continuation);
                    Ok(())
                },
                |_| unreachable!("it has panicked"),
            )
        }));
        assert!(failure.to_string().contains("in the block"), "{failure}");
    }
}

#[test]
fn the_clauses_of_a_select_and_a_future_may_panic() {
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        turn.at(1).select(
            (),
            |(), s| s.on_timeout(ms(0), || -> Result<()> { panic!("in a handler") }),
            |_| unreachable!("it has panicked"),
        )
    }));
    assert!(failure.to_string().contains("in a handler"), "{failure}");
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        turn.at(1).select(
            (),
            |(), _: &mut switchback::sync::Select<'_, ()>| panic!("in the clauses"),
            |_| unreachable!("it has panicked"),
        )
    }));
    assert!(failure.to_string().contains("in the clauses"), "{failure}");
    let failure = failure_of(Doing::new(|_, turn: &mut Turn<'_, Doing>| {
        let future = std::future::poll_fn(|_| -> std::task::Poll<()> { panic!("in a poll") });
        turn.at(1)
            .future(future, |_| unreachable!("it has panicked"))
    }));
    assert!(failure.to_string().contains("in a poll"), "{failure}");
}

#[test]
fn a_value_nobody_takes_out_of_its_slot_is_dropped_with_the_machine() {
    let held = Arc::new(());
    let value = held.clone();
    struct Leaves(Option<Arc<()>>, Slot<Arc<()>>);
    impl StateMachine for Leaves {
        type Output = ();
        fn resume(&mut self, _: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
            match self.0.take() {
                Some(value) => turn.at(1).suspend(
                    |continuation: Continuation<Arc<()>>| {
                        continuation.resume(value);
                        Ok(())
                    },
                    |me| &mut me.1,
                ),
                None => Ok(Step::Return(())),
            }
        }
    }
    run_blocking(|s| {
        s.launch_machine(Leaves(Some(value), Slot::new()));
        Ok(())
    })
    .unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
}
