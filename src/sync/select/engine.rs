//! The steps of the header, with a task and its thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use crate::error::{Error, Result};
use crate::sync::park::{Claimed, prepare};
use crate::sync::select::clause::{AnyClause, Watched};
use crate::sync::select::exchange::{self, Exchange, Linked, Locks};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::wait::Here;
use crate::task::word::{Generation, Withdrawal, Woken};

static SELECT: Label = Label("select");

/// How one turn through the steps ended.
enum Turn {
    /// At once.
    Won(usize),
    /// Something was handed over to this one while it waited.
    HandedOver(usize),
    Cancelled,
    /// An event has happened.
    Again,
    /// A user's clause has panicked. One may have won.
    Panicked(Box<dyn Any + Send>, Option<usize>),
}

/// Waits for the first clause, and gives what its handler returns. The caller has checked for cancellation.
pub(super) fn run<R>(
    here: &Here,
    mut clauses: Vec<AnyClause<'_, R>>,
    place: &'static Location<'static>,
) -> Result<R> {
    if clauses.is_empty() {
        return Err(Error::msg(format_args!(
            "the select at {place} has no clauses: it would wait for ever"
        )));
    }
    let mut has_waited = false;
    loop {
        if here.is_cancelled() {
            return Err(refusal(here, &clauses, has_waited));
        }
        if let Some(winner) = try_each(here, &clauses)? {
            return commit(clauses, winner);
        }
        match wait(here, &clauses, place)? {
            // Cancellation wins until the moment of resumption, where nothing is lost by it.
            Turn::HandedOver(winner) if here.is_cancelled() && !clauses[winner].has_element() => {
                let winner = Winner(Some(clauses.remove(winner)));
                let refusal = refusal(here, &clauses, true);
                drop(winner);
                return Err(refusal);
            }
            Turn::Won(winner) | Turn::HandedOver(winner) => return commit(clauses, winner),
            Turn::Cancelled => return Err(refusal(here, &clauses, true)),
            Turn::Again => has_waited = true,
            Turn::Panicked(panic, winner) => {
                let winner = winner.map(|winner| Winner(Some(clauses.remove(winner))));
                drop(clauses);
                drop(winner);
                resume_unwind(panic);
            }
        }
    }
}

/// The losers go, then the winner's handler runs.
fn commit<R>(mut clauses: Vec<AnyClause<'_, R>>, winner: usize) -> Result<R> {
    let mut winner = Winner(Some(clauses.remove(winner)));
    drop(clauses);
    let winner = winner.0.take().expect("it is taken once");
    winner.finish()
}

/// A clause that has won. If its handler is not to run, what it holds is given up: after a cancellation, or when a loser
/// panics as it goes.
struct Winner<'a, R>(Option<AnyClause<'a, R>>);

impl<R> Drop for Winner<'_, R> {
    fn drop(&mut self) {
        if let Some(winner) = self.0.take() {
            winner.discard();
        }
    }
}

/// A cancellation, or the failure of something awaited that has caused it: whoever waits for that gets it (R4).
fn refusal<R>(here: &Here, clauses: &[AnyClause<'_, R>], has_waited: bool) -> Error {
    let failure = clauses.iter().find_map(|clause| clause.failure());
    match failure.filter(|_| has_waited) {
        Some(failure) => failure,
        None => here.cancelled(),
    }
}

/// Step 1.
fn try_each<R>(here: &Here, clauses: &[AnyClause<'_, R>]) -> Result<Option<usize>> {
    for (at, clause) in clauses.iter().enumerate() {
        let is_ready = match clause.exchange() {
            None => clause.has_happened(here)?,
            Some(end) => {
                let mut claimed = None;
                let is_ready = exchange::try_alone(end, &mut |task| claimed = Some(task));
                Claimed::hand_back_one(claimed);
                if !is_ready {
                    clause.refuse()?;
                }
                is_ready
            }
        };
        if is_ready {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Steps 2 to 5.
fn wait<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    place: &'static Location<'static>,
) -> Result<Turn> {
    let (numbers, ends): (Vec<usize>, Vec<&dyn Exchange<Task>>) = clauses
        .iter()
        .enumerate()
        .filter_map(|(at, clause)| Some((at, clause.exchange()?)))
        .unzip();
    let mut locks = Locks::of(&ends);
    let generation = loop {
        let claimed = Claimed::new();
        let mut woken = |task: *const Task| {
            // SAFETY: claimed just now.
            unsafe { claimed.add(task) };
        };
        // SAFETY: this task runs; the clauses stand in their boxes, and leave below, whatever happens.
        let linked = unsafe {
            exchange::look_and_link(
                &ends,
                &mut locks,
                &mut woken,
                || prepare(here),
                |generation| {
                    here.mark(&SELECT, place);
                    here.publish(generation, true);
                },
            )
        };
        claimed.hand_back();
        match linked? {
            Linked::Won(at) => return Ok(Turn::Won(numbers[at])),
            Linked::Grow(at, capacity) => ends[at].grow(capacity),
            Linked::Waits(generation) => break generation,
        }
    };
    let (woken, mut panic) = watch_and_park(here, clauses, generation);
    // SAFETY: linked above, and the suspension is over.
    let winner = unsafe { exchange::leave_all(&ends) }.map(|at| numbers[at]);
    // First all that must be taken out, then what may run user code.
    for open in [false, true] {
        for clause in clauses.iter().filter(|clause| clause.is_open() == open) {
            let unwatched = catch_unwind(AssertUnwindSafe(|| clause.unwatch(here)));
            panic = panic.or(unwatched.err());
        }
    }
    Ok(match (panic, winner, woken) {
        (Some(panic), winner, _) => Turn::Panicked(panic, winner),
        (None, Some(winner), _) => Turn::HandedOver(winner),
        (None, None, Woken::Cancelled) => Turn::Cancelled,
        (None, None, Woken::Value) => Turn::Again,
    })
}

/// Steps 3 and 4.
fn watch_and_park<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    generation: Generation,
) -> (Woken, Option<Box<dyn Any + Send>>) {
    let mut panic = None;
    for clause in clauses {
        match clause.watch(here, generation) {
            Watched::Waits => continue,
            Watched::Happened => {}
            Watched::Panicked(payload) => panic = Some(payload),
        }
        // What the event claims is claimed by O itself, if nobody was faster.
        if here.task().word.withdraw(generation) == Withdrawal::Withdrawn {
            return (Woken::Value, panic);
        }
        break;
    }
    (here.park(generation, true, || ()), panic)
}
