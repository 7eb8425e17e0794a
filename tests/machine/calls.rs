//! A machine that calls machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::new_single_thread_context;
use switchback::prelude::*;

/// Counts up in `steps` calls, each a machine of its own, and waits at the bottom.
struct Deep {
    left: u32,
    below: Slot<u32>,
    dropped: Arc<AtomicUsize>,
    fails: bool,
}

impl Drop for Deep {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Deep {
    fn new(left: u32, dropped: &Arc<AtomicUsize>, fails: bool) -> Self {
        Self {
            left,
            below: Slot::new(),
            dropped: dropped.clone(),
            fails,
        }
    }
}

impl StateMachine for Deep {
    type Output = u32;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u32>> {
        match label {
            0 if self.left == 0 => turn.at(2).yield_(),
            0 => {
                let below = Self::new(self.left - 1, &self.dropped, self.fails);
                turn.at(1).call(below, |me| &mut me.below)
            }
            1 => Ok(Step::Return(self.below.take()? + 1)),
            _ if self.fails => Err(Error::msg("at the bottom")),
            _ => turn.woken().map(|()| Step::Return(0)),
        }
    }
}

const DEPTH: u32 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

#[test]
fn a_chain_of_calls_unwinds_without_recursion() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let machine = Deep::new(DEPTH, &dropped, false);
    let counted = run_blocking(|s| s.async_machine(machine).await_()).unwrap();
    assert_eq!(counted, DEPTH);
    assert_eq!(dropped.load(Ordering::Relaxed), DEPTH as usize + 1);
}

#[test]
fn a_failure_goes_up_through_all_callers() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let machine = Deep::new(DEPTH, &dropped, true);
    let error = run_blocking(|s| s.async_machine(machine).await_()).unwrap_err();
    assert_eq!(error.to_string(), "at the bottom");
    assert_eq!(dropped.load(Ordering::Relaxed), DEPTH as usize + 1);
}

/// How a deep chain ends that waits at the bottom.
fn ends_at_the_bottom(end: impl FnOnce(&Job)) -> usize {
    let dropped = Arc::new(AtomicUsize::new(0));
    let gate = CompletableDeferred::<()>::new();
    let pool = new_single_thread_context("deep").unwrap();
    let scope = CoroutineScope::new(pool.dispatcher() + SupervisorJob::new());
    let bottom = Bottom(gate.job());
    let job = scope.launch_machine(Chain::new(DEPTH / 10, bottom, &dropped));
    // Not `last join at`: it waits.
    while !job.dump().contains(", join at ") {
        std::thread::yield_now();
    }
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    end(&job);
    drop(pool);
    gate.complete(());
    job.join().unwrap();
    assert!(job.is_cancelled());
    dropped.load(Ordering::Relaxed)
}

/// Waits for a gate.
struct Bottom(Job);

/// Calls down to the bottom.
struct Chain {
    left: u32,
    bottom: Option<Bottom>,
    below: Slot<()>,
    dropped: Arc<AtomicUsize>,
}

impl Chain {
    fn new(left: u32, bottom: Bottom, dropped: &Arc<AtomicUsize>) -> Self {
        Self {
            left,
            bottom: Some(bottom),
            below: Slot::new(),
            dropped: dropped.clone(),
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl StateMachine for Chain {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match (label, self.bottom.take()) {
            (0, Some(bottom)) if self.left == 0 => turn.at(2).join(&bottom.0),
            (0, Some(bottom)) => {
                let below = Self::new(self.left - 1, bottom, &self.dropped);
                turn.at(1).call(below, |me| &mut me.below)
            }
            (1, _) => self.below.take().map(Step::Return),
            _ => turn.woken().map(Step::Return),
        }
    }
}

#[test]
fn a_deep_chain_that_is_cancelled_or_whose_pool_is_closed_is_dropped_without_recursion() {
    let all = DEPTH as usize / 10 + 1;
    assert_eq!(ends_at_the_bottom(Job::cancel), all);
    assert_eq!(ends_at_the_bottom(|_| ()), all);
}

/// Calls a machine that panics.
struct Careless(Slot<()>);

struct Panics;

impl StateMachine for Panics {
    type Output = ();

    fn resume(&mut self, _label: u32, _turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        panic!("in a machine");
    }
}

impl StateMachine for Careless {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).call(Panics, |me| &mut me.0),
            _ => unreachable!("a panic does not come back to a caller"),
        }
    }
}

#[test]
fn a_panic_fails_the_coroutine_with_all_that_called() {
    let panicked = std::panic::catch_unwind(|| {
        run_blocking(|s| {
            s.launch_machine(Careless(Slot::new()));
            Ok(())
        })
    });
    match panicked {
        Ok(Err(error)) => assert!(error.is_panic(), "{error}"),
        Ok(Ok(())) => panic!("the panic is lost"),
        Err(payload) => assert_eq!(payload.downcast_ref::<&str>(), Some(&"in a machine")),
    }
}

/// Goes round a state table by label.
#[derive(Default)]
struct Table(Vec<u32>);

impl StateMachine for Table {
    type Output = Vec<u32>;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<Vec<u32>>> {
        self.0.push(label);
        match label {
            0 => turn.at(7).yield_(),
            7 => turn.at(3).delay(ms(0)),
            3 if self.0.len() < 6 => turn.at(7).yield_(),
            _ => Ok(Step::Return(std::mem::take(&mut self.0))),
        }
    }
}

#[test]
fn each_resumption_enters_at_the_label_that_was_said() {
    let labels = run_blocking(|s| s.async_machine(Table::default()).await_()).unwrap();
    assert_eq!(labels, [0, 7, 3, 7, 3, 7, 3]);
}
