//! The process-wide store of free stacks, which all workers' caches draw from and spill to.
//!
//! Each class has its own lock and two lists. *Warm* stacks were used and still hold memory; *cold* ones hold none. The
//! warm list is used like a stack, so what lies at its bottom has been idle longest. How much of it was idle for a
//! whole [period](PERIOD_MS) is known without a note per stack: it is the least length that the list had meanwhile.
//! That much, and no more, is given back, so that a load that comes in bursts does not pay for page faults each time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::advice::{self, BATCH};
use super::error::StackError;
use super::guard::Guards;
use super::region::{Region, Tally};
use super::size::StackSize;
use super::slot::Stack;

/// How long a stack must have been idle before its memory is given back, in milliseconds.
pub(super) const PERIOD_MS: u64 = 1000;

/// Stacks that a cache gets or gives at a time.
pub(super) const BUNDLE: usize = 128;

/// The store of the process.
pub(super) static STORE: Store = Store::new(Guards::new(), usize::MAX);

/// Free stacks of all classes, and the regions that new ones are cut from. Lives for ever.
#[derive(Debug)]
pub(super) struct Store {
    classes: [Mutex<Shelf>; StackSize::CLASSES],
    /// Stacks in all the warm lists; a hint that spares the locks where there are none.
    warm: AtomicUsize,
    /// When trimming may find something; a hint that spares the locks until then.
    next_trim: AtomicU64,
    pub(super) guards: Guards,
    /// Mappings larger than this are taken as refused by the kernel.
    pub(super) largest_mapping: usize,
}

/// The free stacks of one class.
#[derive(Debug)]
struct Shelf {
    warm: VecDeque<Stack>,
    cold: Vec<Stack>,
    /// The least length of `warm` in this period.
    least: usize,
    /// How many at the bottom of `warm` were idle for a whole period.
    idle: usize,
    /// When this period began.
    since: u64,
    region: Region,
}

/// What one class of the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) region: Tally,
    pub(super) warm: usize,
    pub(super) cold: usize,
}

impl Store {
    pub(super) const fn new(guards: Guards, largest_mapping: usize) -> Self {
        Self {
            classes: [const { Mutex::new(Shelf::new()) }; StackSize::CLASSES],
            warm: AtomicUsize::new(0),
            next_trim: AtomicU64::new(0),
            guards,
            largest_mapping,
        }
    }

    /// Takes one stack, and puts some more into the cache's empty list if the store has any.
    pub(super) fn take(
        &'static self,
        size: StackSize,
        cache: &mut Vec<Stack>,
    ) -> Result<Stack, StackError> {
        debug_assert!(cache.is_empty());
        let mut shelf = self.shelf(size);
        if !shelf.warm.is_empty() {
            let rest = shelf.warm.len().saturating_sub(BUNDLE);
            cache.extend(shelf.warm.drain(rest..));
            shelf.note_taken();
            // ORDERING: relaxed, a hint; changed under the class's lock.
            self.warm.fetch_sub(cache.len(), Ordering::Relaxed);
        } else {
            let rest = shelf.cold.len().saturating_sub(BUNDLE);
            cache.extend(shelf.cold.drain(rest..));
        }
        match cache.pop() {
            Some(stack) => Ok(stack),
            None => shelf.region.cut(size, self),
        }
    }

    /// Takes a single stack in.
    pub(super) fn put(&self, stack: Stack) {
        self.put_all(stack.size(), std::iter::once(stack));
    }

    /// Takes stacks of one class in; those that come last are the first to leave.
    pub(super) fn put_all(&self, size: StackSize, stacks: impl Iterator<Item = Stack>) {
        let mut shelf = self.shelf(size);
        let before = shelf.warm.len();
        for stack in stacks {
            if stack.is_clean() {
                shelf.cold.push(stack);
            } else {
                shelf.warm.push_back(stack);
            }
        }
        // ORDERING: relaxed, a hint; changed under the class's lock.
        self.warm
            .fetch_add(shelf.warm.len() - before, Ordering::Relaxed);
    }

    /// Gives back the memory of stacks that have been idle for a period, at most [`BATCH`] of each class; tells when
    /// there may be more to do, if ever.
    pub(super) fn trim(&self, now: u64) -> Option<Duration> {
        // ORDERING: relaxed, a hint: stacks that arrive at this moment are found the next time.
        if self.warm.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // ORDERING: relaxed, a hint, which a period that begins meanwhile makes late by one period at most.
        let wait = self.next_trim.load(Ordering::Relaxed).saturating_sub(now);
        if wait > 0 {
            return Some(Duration::from_millis(wait));
        }
        let mut next: Option<u64> = None;
        for (index, class) in self.classes.iter().enumerate() {
            let mut shelf = match class.try_lock() {
                Ok(shelf) => shelf,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                // Whoever holds it is at work, and this can wait.
                Err(TryLockError::WouldBlock) => {
                    next = [next, Some(PERIOD_MS)].into_iter().flatten().min();
                    continue;
                }
            };
            let mut idle = shelf.take_idle(now);
            let wish = shelf.next_trim(now);
            drop(shelf);
            next = [next, wish].into_iter().flatten().min();
            if !idle.is_empty() {
                // ORDERING: relaxed, a hint.
                self.warm.fetch_sub(idle.len(), Ordering::Relaxed);
                advice::give_back(&mut idle);
                self.lock(index).cold.append(&mut idle);
            }
        }
        self.next_trim
            .store(now + next.unwrap_or(0), Ordering::Relaxed);
        next.map(Duration::from_millis)
    }

    /// What each class holds.
    pub(super) fn stocks(&self) -> impl Iterator<Item = Stock> {
        (0..StackSize::CLASSES).map(|index| {
            let shelf = self.lock(index);
            Stock {
                region: shelf.region.tally(),
                warm: shelf.warm.len(),
                cold: shelf.cold.len(),
            }
        })
    }

    fn shelf(&self, size: StackSize) -> MutexGuard<'_, Shelf> {
        self.lock(size.index())
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, Shelf> {
        // Nothing under this lock leaves a shelf half changed, so a panic elsewhere does not spoil it.
        self.classes[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    const fn new() -> Self {
        Self {
            warm: VecDeque::new(),
            cold: Vec::new(),
            least: 0,
            idle: 0,
            since: 0,
            region: Region::new(),
        }
    }

    /// Keeps the counts after stacks have left the warm list by its top.
    fn note_taken(&mut self) {
        self.least = self.least.min(self.warm.len());
        self.idle = self.idle.min(self.warm.len());
    }

    /// Takes some stacks out that were idle for a period.
    fn take_idle(&mut self, now: u64) -> Vec<Stack> {
        if now.saturating_sub(self.since) >= PERIOD_MS {
            self.idle = self.least;
            self.least = self.warm.len();
            self.since = now;
        }
        let count = self.idle.min(BATCH);
        self.idle -= count;
        self.least = self.least.saturating_sub(count);
        self.warm.drain(..count).collect()
    }

    /// How many milliseconds until [`Shelf::take_idle`] may find something.
    fn next_trim(&self, now: u64) -> Option<u64> {
        if self.idle > 0 {
            return Some(0);
        }
        let end = self.since + PERIOD_MS;
        (!self.warm.is_empty()).then(|| end.saturating_sub(now).max(1))
    }
}
