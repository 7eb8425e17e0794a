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
pub(super) enum Turn {
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

/// What has come of steps 1 and 2.
pub(super) enum Begun {
    Won(usize),
    /// The word is published.
    Waits(Generation),
}

/// Waits for the first clause, and gives what its handler returns. The caller has checked for cancellation.
pub(super) fn run<R>(
    here: &Here,
    mut clauses: Vec<AnyClause<'_, R>>,
    place: &'static Location<'static>,
) -> Result<R> {
    let mut has_waited = false;
    loop {
        let turn = match begin(here, &clauses, has_waited, place)? {
            Begun::Won(winner) => Turn::Won(winner),
            Begun::Waits(generation) => {
                let (withdrawn, panic) = watch(here, &clauses, generation);
                let woken = match withdrawn {
                    true => Woken::Value,
                    false => here.park(generation, true, || ()),
                };
                leave(here, &clauses, woken, panic)
            }
        };
        if let Some(result) = settle(here, &mut clauses, turn) {
            return result;
        }
        has_waited = true;
    }
}

/// Steps 1 and 2.
pub(super) fn begin<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    has_waited: bool,
    place: &'static Location<'static>,
) -> Result<Begun> {
    if clauses.is_empty() {
        return Err(Error::msg(format_args!(
            "the select at {place} has no clauses: it would wait for ever"
        )));
    }
    if here.is_cancelled() {
        return Err(refusal(here, clauses, has_waited));
    }
    match try_each(here, clauses)? {
        Some(winner) => Ok(Begun::Won(winner)),
        None => link(here, clauses, place),
    }
}

/// Ends a turn: the losers go, then the winner's handler runs. `None` if there must be another turn.
pub(super) fn settle<R>(
    here: &Here,
    clauses: &mut Vec<AnyClause<'_, R>>,
    turn: Turn,
) -> Option<Result<R>> {
    match turn {
        // Cancellation wins until the moment of resumption, where nothing is lost by it.
        Turn::HandedOver(winner) if here.is_cancelled() && !clauses[winner].has_element() => {
            let winner = Winner(Some(clauses.remove(winner)));
            let refusal = refusal(here, clauses, true);
            drop(winner);
            Some(Err(refusal))
        }
        Turn::Won(winner) | Turn::HandedOver(winner) => {
            Some(commit(std::mem::take(clauses), winner))
        }
        Turn::Cancelled => Some(Err(refusal(here, clauses, true))),
        Turn::Again => None,
        Turn::Panicked(panic, winner) => {
            let winner = winner.map(|winner| Winner(Some(clauses.remove(winner))));
            clauses.clear();
            drop(winner);
            resume_unwind(panic);
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

/// The clauses that exchange, each with its number.
fn exchanges<'c, R>(clauses: &'c [AnyClause<'_, R>]) -> (Vec<usize>, Vec<&'c dyn Exchange<Task>>) {
    clauses
        .iter()
        .enumerate()
        .filter_map(|(at, clause)| Some((at, clause.exchange()?)))
        .unzip()
}

/// Step 2. If it waits, the caller owes [`leave`].
fn link<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    place: &'static Location<'static>,
) -> Result<Begun> {
    let (numbers, ends) = exchanges(clauses);
    let mut locks = Locks::of(&ends);
    loop {
        let claimed = Claimed::new();
        let mut woken = |task: *const Task| {
            // SAFETY: claimed just now.
            unsafe { claimed.add(task) };
        };
        // SAFETY: this task runs; the clauses stand in their boxes, and leave by `leave`, whatever happens.
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
            Linked::Won(at) => return Ok(Begun::Won(numbers[at])),
            Linked::Grow(at, capacity) => ends[at].grow(capacity),
            Linked::Waits(generation) => return Ok(Begun::Waits(generation)),
        }
    }
}

/// Step 3. True if the owner has taken its word back, because an event had happened; else it must park.
pub(super) fn watch<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    generation: Generation,
) -> (bool, Option<Box<dyn Any + Send>>) {
    let mut panic = None;
    for clause in clauses {
        match clause.watch(here, generation) {
            Watched::Waits => continue,
            Watched::Happened => {}
            Watched::Panicked(payload) => panic = Some(payload),
        }
        // What the event claims is claimed by O itself, if nobody was faster.
        let withdrawn = here.task().word.withdraw(generation) == Withdrawal::Withdrawn;
        return (withdrawn, panic);
    }
    (false, None)
}

/// Step 5.
pub(super) fn leave<R>(
    here: &Here,
    clauses: &[AnyClause<'_, R>],
    woken: Woken,
    panic: Option<Box<dyn Any + Send>>,
) -> Turn {
    let winner = leave_lists(clauses);
    let mut panic = panic;
    // First all that must be taken out, then what may run user code.
    for open in [false, true] {
        for clause in clauses.iter().filter(|clause| clause.is_open() == open) {
            let unwatched = catch_unwind(AssertUnwindSafe(|| clause.unwatch(here)));
            panic = panic.or(unwatched.err());
        }
    }
    match (panic, winner, woken) {
        (Some(panic), winner, _) => Turn::Panicked(panic, winner),
        (None, Some(winner), _) => Turn::HandedOver(winner),
        (None, None, Woken::Cancelled) => Turn::Cancelled,
        (None, None, Woken::Value) => Turn::Again,
    }
}

/// Takes every node out of its list. The clause to which something was handed over, if one was.
pub(super) fn leave_lists<R>(clauses: &[AnyClause<'_, R>]) -> Option<usize> {
    let (numbers, ends) = exchanges(clauses);
    // SAFETY: linked by `link`, and the suspension is over.
    unsafe { exchange::leave_all(&ends) }.map(|at| numbers[at])
}
