//! How workers that have enough to do notice what others do not get round to.
//!
//! An idle worker searches for what has waited for a while. But where none is idle nobody would: what a coroutine has launched
//! before it computes for long would wait for its end, however soon the other workers could start it, as long as there is one
//! more to be taken where they took the last one. So each makes its rounds, about once in a millisecond: it notes one worker
//! that has something to start, and how often that one has taken something, and takes from it the next time if that is still
//! the number. In a large pool it asks a few each time.
//!
//! This belongs to the [`policy`](super::policy), and is as free of atomics, threads and clocks.

use std::cell::Cell;

use super::policy::{Floor, Queues, steal_given_to, steal_of};

/// How much time is between two visits, in nanoseconds.
const EVERY: u64 = 1_000_000;
/// How many workers are asked at a visit.
const FEW: usize = 4;

/// Where a worker is on its rounds.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// When it visits the next ones.
    at: Cell<u64>,
    /// Whom it asks first.
    next: Cell<usize>,
    /// Who had something to start the last time, and how often that one had taken something.
    noted: Cell<Option<(usize, u32)>>,
}

impl Rounds {
    pub(crate) fn new(seat: usize) -> Self {
        Self {
            at: Cell::new(0),
            next: Cell::new(seat + 1),
            noted: Cell::new(None),
        }
    }

    #[inline(always)]
    pub(crate) fn are_due(&self, now: u64) -> bool {
        now >= self.at.get()
    }

    /// Visits some workers. What one of them does not get round to.
    pub(crate) fn visit<Q: Queues>(&self, queues: &Q, now: u64) -> Option<Q::Work> {
        self.at.set(now + EVERY);
        let floor = queues.floor();
        let stuck = |&(seat, taken): &(usize, u32)| floor.taken(seat) == taken;
        let overdue = self.noted.get().filter(stuck).and_then(|(seat, _)| {
            steal_of(queues, seat, |waiting| waiting > 0)
                .or_else(|| steal_given_to(queues, seat, true))
        });
        let (seats, first) = (floor.seats(), self.next.get());
        let waits = |seat: usize| {
            seat != queues.seat() && (floor.waiting(seat) > 0 || floor.given(seat) > 0)
        };
        let last = first + FEW.min(seats);
        let found = (first..last).find(|seat| waits(seat % seats));
        self.next.set(found.map_or(last, |seat| seat + 1) % seats);
        let noted = found.map(|seat| seat % seats);
        self.noted.set(noted.map(|seat| (seat, floor.taken(seat))));
        overdue
    }
}
