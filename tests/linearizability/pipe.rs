//! What a channel would be if everything happened one at a time.

use std::collections::VecDeque;

use crate::checker::Spec;

/// What a send into a full channel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overflow {
    Wait,
    DropOldest,
    DropLatest,
}

/// Ways in which a specification may be wrong: the histories must show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    Nothing,
    /// The latest element is received first.
    LastInFirstOut,
    /// One who waits is served before those who came earlier.
    LineReversed,
    /// The close forgets the senders that wait.
    CloseDropsSenders,
    /// A cancelled sender stays in line.
    CancelKeepsPlace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Send(u32),
    TrySend(u32),
    Receive,
    TryReceive,
    Close,
    End,
    IsClosedForSend,
    IsClosedForReceive,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Sent {
        lost: Vec<u32>,
    },
    Full,
    /// Nothing more goes in, or out.
    Closed,
    Got(u32),
    Empty,
    /// Cancelled, and nothing has happened.
    Cancelled,
    /// A send that was cancelled after its element had gone.
    Gone,
    Ended {
        lost: Vec<u32>,
    },
    Is(bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Outside,
    InLine,
    /// Out of the line again: this is the outcome, but for a cancellation.
    Called(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    limit: usize,
    overflow: Overflow,
    wrong: Wrong,
    buffer: VecDeque<u32>,
    is_closed: bool,
    senders: VecDeque<(usize, u32)>,
    receivers: VecDeque<usize>,
    places: Vec<Place>,
}

impl Pipe {
    /// For so many who use it.
    pub fn new(limit: usize, overflow: Overflow, users: usize) -> Self {
        Self {
            limit,
            overflow,
            wrong: Wrong::Nothing,
            buffer: VecDeque::new(),
            is_closed: false,
            senders: VecDeque::new(),
            receivers: VecDeque::new(),
            places: vec![Place::Outside; users],
        }
    }

    /// The same, with an error in it.
    pub fn but(self, wrong: Wrong) -> Self {
        Self { wrong, ..self }
    }

    fn next<T>(&self, line: &mut VecDeque<T>) -> Option<T> {
        if self.wrong == Wrong::LineReversed {
            line.pop_back()
        } else {
            line.pop_front()
        }
    }

    /// `None`: there is no room.
    fn offer(&mut self, element: u32) -> Option<Outcome> {
        let sent = |lost| Some(Outcome::Sent { lost });
        if self.is_closed {
            return Some(Outcome::Closed);
        }
        let mut line = std::mem::take(&mut self.receivers);
        let receiver = self.next(&mut line);
        self.receivers = line;
        if let Some(receiver) = receiver {
            self.places[receiver] = Place::Called(Outcome::Got(element));
            return sent(Vec::new());
        }
        if self.buffer.len() < self.limit {
            self.buffer.push_back(element);
            return sent(Vec::new());
        }
        match self.overflow {
            Overflow::Wait => None,
            Overflow::DropLatest => sent(vec![element]),
            Overflow::DropOldest => {
                self.buffer.push_back(element);
                sent(self.buffer.pop_front().into_iter().collect())
            }
        }
    }

    /// `None`: there is nothing yet.
    fn take(&mut self) -> Option<Outcome> {
        let first = if self.wrong == Wrong::LastInFirstOut {
            self.buffer.pop_back()
        } else {
            self.buffer.pop_front()
        };
        let mut line = std::mem::take(&mut self.senders);
        let sender = self.next(&mut line);
        self.senders = line;
        let mut brought = sender.map(|(sender, element)| {
            self.places[sender] = Place::Called(Outcome::Sent { lost: Vec::new() });
            element
        });
        if first.is_some() {
            self.buffer.extend(brought.take());
        }
        match first.or(brought) {
            Some(element) => Some(Outcome::Got(element)),
            None => self.is_closed.then_some(Outcome::Closed),
        }
    }

    fn release_receivers(&mut self) {
        for receiver in std::mem::take(&mut self.receivers) {
            self.places[receiver] = Place::Called(Outcome::Closed);
        }
    }

    fn release_senders(&mut self) {
        for (sender, _) in std::mem::take(&mut self.senders) {
            self.places[sender] = Place::Called(Outcome::Closed);
        }
    }

    fn close(&mut self) -> Outcome {
        let is_first = !std::mem::replace(&mut self.is_closed, true);
        if is_first {
            self.release_receivers();
            if self.wrong == Wrong::CloseDropsSenders {
                self.release_senders();
            }
        }
        Outcome::Is(is_first)
    }

    fn end(&mut self) -> Outcome {
        self.is_closed = true;
        self.release_receivers();
        self.release_senders();
        Outcome::Ended {
            lost: std::mem::take(&mut self.buffer).into(),
        }
    }

    /// The request: `None` puts it in line.
    fn request(&mut self, by: usize, operation: &Operation) -> Option<Outcome> {
        match *operation {
            Operation::Send(element) => {
                let offered = self.offer(element);
                if offered.is_none() {
                    self.senders.push_back((by, element));
                }
                offered
            }
            Operation::Receive => {
                let taken = self.take();
                if taken.is_none() {
                    self.receivers.push_back(by);
                }
                taken
            }
            Operation::TrySend(element) => Some(self.offer(element).unwrap_or(Outcome::Full)),
            Operation::TryReceive => Some(self.take().unwrap_or(Outcome::Empty)),
            Operation::Close => Some(self.close()),
            Operation::End => Some(self.end()),
            Operation::IsClosedForSend => Some(Outcome::Is(self.is_closed)),
            Operation::IsClosedForReceive => {
                let is_dry = self.buffer.is_empty() && self.senders.is_empty();
                Some(Outcome::Is(self.is_closed && is_dry))
            }
        }
    }

    fn leave(&mut self, by: usize) {
        if self.wrong != Wrong::CancelKeepsPlace {
            self.senders.retain(|(sender, _)| *sender != by);
        }
        self.receivers.retain(|receiver| *receiver != by);
    }

    /// What one returns who was called out of the line and may have been cancelled meanwhile: a cancellation wins, where
    /// nothing is lost by it.
    fn way_out(called: Outcome, is_cancelled: bool) -> Outcome {
        match called {
            called if !is_cancelled => called,
            Outcome::Sent { .. } => Outcome::Gone,
            Outcome::Got(_) => called,
            _ => Outcome::Cancelled,
        }
    }
}

impl Spec for Pipe {
    type Operation = Operation;
    type Outcome = Outcome;

    fn checks(operation: &Operation) -> bool {
        matches!(operation, Operation::Send(_) | Operation::Receive)
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
                after.leave(by);
                vec![(after, true)]
            }
            Place::InLine => Vec::new(),
            Place::Called(called) => {
                if Self::way_out(called, is_cancelled) == *outcome {
                    vec![(after, true)]
                } else {
                    Vec::new()
                }
            }
        }
    }
}
