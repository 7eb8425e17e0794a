//! What was launched on a worker of the pool and has not started.
//!
//! Two queues, of which any other worker may steal from the old end. The owner takes from the first one what is oldest, and
//! from the second what is newest: with each it has one end that costs it little. Which one a launch goes to, and which one
//! comes first, the pool decides anew each time, by how many coroutines live on the worker.

use crossbeam_deque::{Steal, Stealer, Worker as Deque};

/// So often the oldest of one of the queues, in turns, comes first.
const OLDEST_EVERY: u32 = 61;

/// The owner's side.
#[derive(Debug)]
pub(super) struct OwnQueue<T> {
    wide: Deque<T>,
    deep: Deque<T>,
    oldest_deep: Stealer<T>,
}

/// The side of all others.
#[derive(Debug)]
pub(super) struct Stealers<T> {
    wide: Stealer<T>,
    deep: Stealer<T>,
}

impl<T> OwnQueue<T> {
    pub(super) fn new() -> Self {
        let deep = Deque::new_lifo();
        Self {
            wide: Deque::new_fifo(),
            oldest_deep: deep.stealer(),
            deep,
        }
    }

    pub(super) fn stealers(&self) -> Stealers<T> {
        Stealers {
            wide: self.wide.stealer(),
            deep: self.deep.stealer(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wide.is_empty() && self.deep.is_empty()
    }

    /// Adds one, to start before all others if `deep`.
    pub(super) fn push(&self, fresh: T, deep: bool) {
        if deep {
            self.deep.push(fresh);
        } else {
            self.wide.push(fresh);
        }
    }

    /// The next to start: the newest if `deep`, else the oldest. `taken` counts the calls.
    pub(super) fn pop(&self, deep: bool, taken: u32) -> Option<T> {
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

impl<T> Stealers<T> {
    pub(super) fn len(&self) -> usize {
        self.wide.len() + self.deep.len()
    }

    pub(super) fn steal_one(&self) -> Option<T> {
        retry(|| self.wide.steal()).or_else(|| retry(|| self.deep.steal()))
    }

    /// Takes half of one queue: the first is given back, the others go to the thief's own.
    pub(super) fn steal_half(&self, thief: &OwnQueue<T>) -> Option<T> {
        retry(|| self.wide.steal_batch_and_pop(&thief.wide))
            .or_else(|| retry(|| self.deep.steal_batch_and_pop(&thief.wide)))
    }
}

pub(super) fn retry<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(stolen) => return Some(stolen),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OLDEST_EVERY, OwnQueue};

    fn filled(wide: &[u32], deep: &[u32]) -> OwnQueue<u32> {
        let queue = OwnQueue::new();
        wide.iter().for_each(|&item| queue.push(item, false));
        deep.iter().for_each(|&item| queue.push(item, true));
        queue
    }

    /// Takes, and adds one after each, until the item 0 comes. The number of others that came before it.
    fn taken_before_the_oldest(queue: &OwnQueue<u32>, deep: bool) -> Option<u32> {
        (0..1000).find(|&turn| {
            let taken = queue.pop(deep, turn + 1);
            queue.push(turn + 1, deep);
            taken == Some(0)
        })
    }

    #[test]
    fn the_oldest_or_the_newest_comes_first() {
        let queue = filled(&[1, 2, 3], &[4, 5, 6]);
        let take = |deep| queue.pop(deep, 1);
        assert_eq!([take(true), take(false)], [Some(6), Some(1)]);
        assert_eq!([take(true), take(true)], [Some(5), Some(4)]);
        assert_eq!([take(true), take(false)], [Some(2), Some(3)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_oldest_has_its_turn_however_many_come_after_it() {
        let queues: [[&[u32]; 2]; 4] = [
            [&[0, 1], &[]],
            [&[], &[0, 1]],
            [&[0, 1], &[2, 3]],
            [&[2, 3], &[0, 1]],
        ];
        for [wide, deep] in queues {
            for newest in [false, true] {
                let before = taken_before_the_oldest(&filled(wide, deep), newest);
                assert!(before.is_some_and(|before| before <= 2 * OLDEST_EVERY));
            }
        }
    }

    #[test]
    fn thieves_take_the_oldest_of_either() {
        let victim = filled(&[1, 2, 3, 4], &[5, 6, 7, 8]);
        let queue = victim.stealers();
        assert_eq!((queue.len(), queue.steal_one()), (8, Some(1)));
        let thief = OwnQueue::new();
        assert_eq!(queue.steal_half(&thief), Some(2));
        assert!(!thief.is_empty());
        let mut all = vec![1, 2];
        all.extend(std::iter::from_fn(|| thief.pop(false, 1)));
        all.extend(std::iter::from_fn(|| queue.steal_one()));
        assert_eq!(all, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(queue.steal_half(&thief).is_none());
    }
}
