//! Is there one order in which all that happened could have happened one at a time?
//!
//! A search in the manner of J. M. Wing and C. Gong ("Testing and Verifying Concurrent Objects", 1993): of the calls that
//! might be next, take one, let the specification say whether its outcome is right at this point, go on, and come back if
//! that leads nowhere. G. Lowe's addition ("Testing for linearizability", 2017) keeps it short: a point of the search that
//! was reached before, with the same calls behind it and the same state, is not searched twice.
//!
//! A call that waits is not one event but several, as in W. N. Scherer and M. L. Scott's dual data structures (2004):
//! its request, which may put it in line, and its way out, which may come long after somebody else has handed over what it
//! waited for. Each of its events lies between its beginning and its end, and so does the *check* with which a suspending
//! call begins. A cancellation is an event too: it sets a flag, which the events of the one it hits look at.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// What a sequential program would do.
pub trait Spec: Clone + Eq + Hash {
    type Operation: Debug;
    type Outcome: Debug;

    /// Whether this call begins with a look at the flag: one who is cancelled is refused.
    fn checks(operation: &Self::Operation) -> bool;

    /// Whether this is what a call returns that was refused.
    fn is_refusal(outcome: &Self::Outcome) -> bool;

    /// The next event of this call, in every way in which it may go if `outcome` is what it will return: the state after it,
    /// and whether the call is done. Empty if there is none at this point.
    fn events(
        &self,
        by: usize,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
        is_cancelled: bool,
    ) -> Vec<(Self, bool)>;
}

/// What somebody did.
#[derive(Clone, Debug, PartialEq)]
pub enum Act<O, R> {
    Do(O, R),
    /// Cancelled somebody.
    Cancel(usize),
}

/// One call, with its beginning and its end on a clock that all share.
#[derive(Clone, Debug)]
pub struct Call<O, R> {
    pub begin: u64,
    /// When its request was known to have been made: it was seen to wait.
    pub asked: Option<u64>,
    pub end: u64,
    pub act: Act<O, R>,
}

/// What each has done, in order.
pub type History<S> = Vec<Vec<Call<<S as Spec>::Operation, <S as Spec>::Outcome>>>;

/// Whether the specification allows what happened.
pub fn is_linearizable<S: Spec>(state: S, history: &History<S>) -> bool {
    let mut hunted = vec![false; history.len()];
    for call in history.iter().flatten() {
        if let Act::Cancel(whom) = call.act {
            hunted[whom] = true;
        }
    }
    let search = Search { history, hunted };
    let start = Point {
        done: vec![0; history.len()],
        is_checked: vec![false; history.len()],
        has_asked: vec![false; history.len()],
        is_cancelled: vec![false; history.len()],
        state,
    };
    search.succeeds(start, &mut HashSet::new())
}

struct Search<'a, S: Spec> {
    history: &'a History<S>,
    /// Who is cancelled at some time: nobody else needs a check.
    hunted: Vec<bool>,
}

/// How far the search has come.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Point<S> {
    /// How many calls of each are done.
    done: Vec<usize>,
    /// Whose current call has passed its check.
    is_checked: Vec<bool>,
    /// Whose current call has made its request, and waits.
    has_asked: Vec<bool>,
    is_cancelled: Vec<bool>,
    state: S,
}

impl<S> Point<S> {
    fn finish(mut self, by: usize) -> Self {
        self.done[by] += 1;
        self.is_checked[by] = false;
        self.has_asked[by] = false;
        self
    }
}

impl<S: Spec> Search<'_, S> {
    fn current(&self, point: &Point<S>, by: usize) -> Option<&Call<S::Operation, S::Outcome>> {
        self.history[by].get(point.done[by])
    }

    fn succeeds(&self, point: Point<S>, seen: &mut HashSet<Point<S>>) -> bool {
        let all = 0..self.history.len();
        // Nothing may come behind the end of a call that is not done yet.
        let ends = all.clone().filter_map(|by| {
            let call = self.current(&point, by)?;
            let asked = call.asked.filter(|_| !point.has_asked[by]);
            Some(asked.unwrap_or(call.end))
        });
        let Some(first_end) = ends.min() else {
            return true;
        };
        if !seen.insert(point.clone()) {
            return false;
        }
        // By their beginnings, which leads to the goal at once where calls do not overlap.
        let mut next: Vec<_> = all
            .filter_map(|by| Some((self.current(&point, by)?.begin, by)))
            .filter(|(begin, _)| *begin < first_end)
            .collect();
        next.sort_unstable();
        next.into_iter().any(|(_, by)| {
            let after = self.after(&point, by);
            after.into_iter().any(|point| self.succeeds(point, seen))
        })
    }

    /// Where the next event of somebody's current call leads.
    fn after(&self, point: &Point<S>, by: usize) -> Vec<Point<S>> {
        let Some(call) = self.current(point, by) else {
            return Vec::new();
        };
        let (operation, outcome) = match &call.act {
            Act::Cancel(whom) => {
                let mut after = point.clone().finish(by);
                after.is_cancelled[*whom] = true;
                return vec![after];
            }
            Act::Do(operation, outcome) => (operation, outcome),
        };
        if self.hunted[by] && S::checks(operation) && !point.is_checked[by] {
            if !point.is_cancelled[by] {
                let mut after = point.clone();
                after.is_checked[by] = true;
                return vec![after];
            }
            if S::is_refusal(outcome) {
                return vec![point.clone().finish(by)];
            }
            return Vec::new();
        }
        let events = point
            .state
            .events(by, operation, outcome, point.is_cancelled[by]);
        events
            .into_iter()
            .map(|(state, is_done)| {
                let mut after = Point {
                    state,
                    ..point.clone()
                };
                after.has_asked[by] = true;
                if is_done { after.finish(by) } else { after }
            })
            .collect()
    }
}

/// The history as a person reads it: by the beginnings of the calls.
pub fn listing<S: Spec>(history: &History<S>) -> String {
    let mut lines: Vec<_> = history
        .iter()
        .enumerate()
        .flat_map(|(by, calls)| calls.iter().map(move |call| (call.begin, by, call)))
        .collect();
    lines.sort_by_key(|(begin, ..)| *begin);
    lines
        .iter()
        .map(|(begin, by, call)| format!("{begin:4} to {:4}  {by}: {:?}\n", call.end, call.act))
        .collect()
}
