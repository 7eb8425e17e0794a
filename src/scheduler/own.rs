//! What was launched on a worker of the pool and has not started.
//!
//! Two queues, of which any other worker may steal from the old end. The owner takes from the first one what is oldest, and
//! from the second what is newest: with each it has one end that costs it little. Which one a launch goes to, and which one
//! comes first, the pool decides anew each time, by how many coroutines live on the worker.

use crossbeam_deque::{Stealer, Worker as Deque};

use crate::scheduler::Fresh;
use crate::scheduler::pool::retry;

/// So often the oldest of one of the queues, in turns, comes first.
const OLDEST_EVERY: u32 = 61;

/// The owner's side.
#[derive(Debug)]
pub(super) struct OwnQueue {
    wide: Deque<Fresh>,
    deep: Deque<Fresh>,
    oldest_deep: Stealer<Fresh>,
}

/// The side of all others.
#[derive(Debug)]
pub(super) struct Stealers {
    wide: Stealer<Fresh>,
    deep: Stealer<Fresh>,
}

impl OwnQueue {
    pub(super) fn new() -> Self {
        let deep = Deque::new_lifo();
        Self {
            wide: Deque::new_fifo(),
            oldest_deep: deep.stealer(),
            deep,
        }
    }

    pub(super) fn stealers(&self) -> Stealers {
        Stealers {
            wide: self.wide.stealer(),
            deep: self.deep.stealer(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wide.is_empty() && self.deep.is_empty()
    }

    /// Adds one, to start before all others if `deep`.
    pub(super) fn push(&self, fresh: Fresh, deep: bool) {
        if deep {
            self.deep.push(fresh);
        } else {
            self.wide.push(fresh);
        }
    }

    /// The next to start: the newest if `deep`, else the oldest. `taken` counts the calls.
    pub(super) fn pop(&self, deep: bool, taken: u32) -> Option<Fresh> {
        let oldest_deep = || retry(|| self.oldest_deep.steal());
        if taken.is_multiple_of(OLDEST_EVERY) {
            if (taken / OLDEST_EVERY).is_multiple_of(2) {
                self.wide.pop().or_else(oldest_deep)
            } else {
                oldest_deep().or_else(|| self.wide.pop())
            }
        } else if deep {
            self.deep.pop().or_else(|| self.wide.pop())
        } else {
            self.wide.pop().or_else(oldest_deep)
        }
    }
}

impl Stealers {
    pub(super) fn len(&self) -> usize {
        self.wide.len() + self.deep.len()
    }

    pub(super) fn steal_one(&self) -> Option<Fresh> {
        retry(|| self.wide.steal()).or_else(|| retry(|| self.deep.steal()))
    }

    /// Takes half of one queue: the first is given back, the others go to the thief's own.
    pub(super) fn steal_half(&self, thief: &OwnQueue) -> Option<Fresh> {
        retry(|| self.wide.steal_batch_and_pop(&thief.wide))
            .or_else(|| retry(|| self.deep.steal_batch_and_pop(&thief.wide)))
    }
}
