//! What a lock and a semaphore would be if everything happened one at a time.

use std::collections::VecDeque;

use crate::checker::Spec;

/// Ways in which a specification may be wrong: the histories must show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    Nothing,
    /// The last who came is served first.
    LineReversed,
    /// A permit that was handed to one who is cancelled is never seen again.
    CancelLosesPermit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Take,
    TryTake,
    GiveBack,
    /// How many are free?
    Look,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Taken,
    /// All have gone.
    Busy,
    /// The one who wants it has it.
    HeldByOneself,
    Cancelled,
    GivenBack,
    Free(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Outside,
    InLine,
    /// A permit was handed over.
    Called,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turns {
    free: usize,
    /// It is a lock, which knows its holder.
    is_lock: bool,
    wrong: Wrong,
    holder: Option<usize>,
    line: VecDeque<usize>,
    places: Vec<Place>,
}

impl Turns {
    /// For so many who use it.
    pub fn semaphore(permits: usize, users: usize) -> Self {
        Self {
            free: permits,
            is_lock: false,
            wrong: Wrong::Nothing,
            holder: None,
            line: VecDeque::new(),
            places: vec![Place::Outside; users],
        }
    }

    pub fn lock(users: usize) -> Self {
        Self {
            is_lock: true,
            ..Self::semaphore(1, users)
        }
    }

    /// The same, with an error in it.
    pub fn but(self, wrong: Wrong) -> Self {
        Self { wrong, ..self }
    }

    fn take(&mut self, by: usize) -> bool {
        let has_one = self.free > 0;
        if has_one {
            self.free -= 1;
            self.holder = Some(by);
        }
        has_one
    }

    fn give_back(&mut self) {
        let next = match self.wrong {
            Wrong::LineReversed => self.line.pop_back(),
            _ => self.line.pop_front(),
        };
        self.holder = next;
        match next {
            Some(next) => self.places[next] = Place::Called,
            None => self.free += 1,
        }
    }

    /// The request: `None` puts it in line.
    fn request(&mut self, by: usize, operation: &Operation) -> Option<Outcome> {
        match operation {
            Operation::Take if self.take(by) => Some(Outcome::Taken),
            Operation::Take if self.is_lock && self.holder == Some(by) => {
                Some(Outcome::HeldByOneself)
            }
            Operation::Take => {
                self.line.push_back(by);
                None
            }
            Operation::TryTake if self.take(by) => Some(Outcome::Taken),
            Operation::TryTake => Some(Outcome::Busy),
            Operation::GiveBack => {
                self.give_back();
                Some(Outcome::GivenBack)
            }
            Operation::Look => Some(Outcome::Free(self.free)),
        }
    }
}

impl Spec for Turns {
    type Operation = Operation;
    type Outcome = Outcome;

    fn checks(operation: &Operation) -> bool {
        *operation == Operation::Take
    }

    fn is_refusal(outcome: &Outcome) -> bool {
        *outcome == Outcome::Cancelled
    }

    fn events(
        &self,
        by: usize,
        operation: &Operation,
        outcome: &Outcome,
        is_cancelled: bool,
    ) -> Vec<(Self, bool)> {
        let mut after = self.clone();
        match std::mem::replace(&mut after.places[by], Place::Outside) {
            Place::Outside => match after.request(by, operation) {
                Some(answer) if answer == *outcome => vec![(after, true)],
                Some(_) => Vec::new(),
                None => {
                    after.places[by] = Place::InLine;
                    vec![(after, false)]
                }
            },
            Place::InLine if is_cancelled && *outcome == Outcome::Cancelled => {
                after.line.retain(|waits| *waits != by);
                vec![(after, true)]
            }
            Place::InLine => Vec::new(),
            // Cancellation wins until the moment of resumption: what was handed over goes on.
            Place::Called if is_cancelled => {
                if self.wrong != Wrong::CancelLosesPermit {
                    after.give_back();
                }
                let is_right = *outcome == Outcome::Cancelled;
                is_right.then_some((after, true)).into_iter().collect()
            }
            Place::Called => {
                let is_right = *outcome == Outcome::Taken;
                is_right.then_some((after, true)).into_iter().collect()
            }
        }
    }
}
