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
    /// It was woken, and the lock is free until it comes, unless somebody goes ahead.
    Summoned,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turns {
    free: usize,
    /// It is a lock, which knows its holder.
    is_lock: bool,
    wrong: Wrong,
    holder: Option<usize>,
    summoned: Option<usize>,
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
            summoned: None,
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

    fn take(mut self, by: usize) -> Self {
        self.free -= 1;
        self.holder = Some(by);
        self
    }

    fn hand_over(mut self, to: usize) -> Self {
        self.summoned = None;
        self.holder = Some(to);
        self.places[to] = Place::Called;
        self
    }

    fn set_free(mut self) -> Self {
        self.free += 1;
        self.holder = None;
        self
    }

    /// What may be after a permit was given back. A lock that goes to another thread may be free until its waiter has come.
    fn give_back(mut self) -> Vec<Self> {
        if let Some(first) = self.summoned {
            return vec![self.clone().hand_over(first), self.set_free()];
        }
        let next = match self.wrong {
            Wrong::LineReversed => self.line.pop_back(),
            _ => self.line.pop_front(),
        };
        let Some(next) = next else {
            return vec![self.set_free()];
        };
        let mut after = vec![self.clone().hand_over(next)];
        if self.is_lock {
            self.summoned = Some(next);
            self.places[next] = Place::Summoned;
            after.push(self.set_free());
        }
        after
    }

    /// What may become of a request: `None` puts it in line.
    fn request(self, by: usize, operation: &Operation) -> Vec<(Self, Option<Outcome>)> {
        let mut after = Vec::new();
        match operation {
            Operation::Take | Operation::TryTake => {
                if self.free > 0 {
                    after.push((self.clone().take(by), Some(Outcome::Taken)));
                }
                // Whoever is summoned is passed by some and not by others.
                if self.free == 0 || self.summoned.is_some() {
                    let refusal = match operation {
                        Operation::TryTake => Some(Outcome::Busy),
                        _ if self.is_lock && self.holder == Some(by) => {
                            Some(Outcome::HeldByOneself)
                        }
                        _ => None,
                    };
                    after.push((self, refusal));
                }
            }
            Operation::GiveBack => {
                let given_back = |state| (state, Some(Outcome::GivenBack));
                after.extend(self.give_back().into_iter().map(given_back));
            }
            Operation::Look => {
                let free = self.free;
                after.push((self, Some(Outcome::Free(free))));
            }
        }
        after
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
        let place = std::mem::replace(&mut after.places[by], Place::Outside);
        let is_refused = *outcome == Outcome::Cancelled;
        match place {
            Place::Outside => {
                let requested = after.request(by, operation).into_iter();
                let possible = requested.filter_map(|(mut state, answer)| match answer {
                    Some(answer) => (answer == *outcome).then_some((state, true)),
                    None => {
                        state.line.push_back(by);
                        state.places[by] = Place::InLine;
                        Some((state, false))
                    }
                });
                possible.collect()
            }
            Place::InLine if is_cancelled && is_refused => {
                after.line.retain(|waits| *waits != by);
                vec![(after, true)]
            }
            Place::InLine => Vec::new(),
            // It comes in order to leave: a lock that is free goes on to the next.
            Place::Summoned if is_cancelled => {
                after.summoned = None;
                let left = match after.free {
                    0 => vec![after],
                    _ => after.take(by).give_back(),
                };
                let left = left.into_iter().map(|state| (state, true));
                left.filter(|_| is_refused).collect()
            }
            Place::Summoned if after.free > 0 && *outcome == Outcome::Taken => {
                after.summoned = None;
                vec![(after.take(by), true)]
            }
            Place::Summoned => Vec::new(),
            // Cancellation wins until the moment of resumption: what was handed over goes on.
            Place::Called if is_cancelled => {
                let left = match self.wrong {
                    Wrong::CancelLosesPermit => vec![after],
                    _ => after.give_back(),
                };
                let left = left.into_iter().map(|state| (state, true));
                left.filter(|_| is_refused).collect()
            }
            Place::Called => {
                let is_right = *outcome == Outcome::Taken;
                is_right.then_some((after, true)).into_iter().collect()
            }
        }
    }
}
