//! A worker's own free stacks: the hottest is taken first, and nothing is shared.
//!
//! Giving memory back costs a hundred times what using it again costs, so nothing is given back when a coroutine ends.
//! A list that reaches [`CAPACITY`] spills its colder half to the store. A worker about to sleep [trims](StackCache::trim):
//! the [`HOTTEST`] stay as they are, of the others those that were not needed for a whole period lose their memory.

use std::time::Duration;

use super::advice;
use super::error::StackError;
use super::size::StackSize;
use super::slot::Stack;
use super::store::{BUNDLE, PERIOD_MS, STORE, Store};
use crate::util::prefetch;

/// The most stacks of a class that a worker keeps to itself.
pub(super) const CAPACITY: usize = 256;

/// How many lines under its top a coroutine that starts writes before its own frames.
const FIRST_LINES: usize = 3;

/// Stacks of a class that keep their memory however long they are idle.
pub(super) const HOTTEST: usize = 64;

/// Free stacks, owned by one thread.
#[derive(Debug)]
pub(crate) struct StackCache {
    classes: [Pile; StackSize::CLASSES],
    /// When the present period began, in milliseconds.
    since: u64,
    store: &'static Store,
}

/// The free stacks of one class, the hottest last.
#[derive(Debug)]
struct Pile {
    free: Vec<Stack>,
    /// The least length of `free` in this period: so many at its bottom were not needed.
    least: usize,
}

impl StackCache {
    /// An empty cache, which draws from the store of the process.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self::of(&STORE)
    }

    /// An empty cache of another store.
    pub(super) const fn of(store: &'static Store) -> Self {
        Self {
            classes: [const {
                Pile {
                    free: Vec::new(),
                    least: 0,
                }
            }; StackSize::CLASSES],
            since: 0,
            store,
        }
    }

    /// Takes the free stack of this class that was used last, or a new one.
    ///
    /// # Errors
    ///
    /// There is no free one, and no memory or no mapping for another. What other workers have in their caches is not
    /// counted as free.
    #[inline]
    pub(crate) fn take(&mut self, size: StackSize) -> Result<Stack, StackError> {
        let pile = &mut self.classes[size.index()];
        match pile.free.pop() {
            Some(stack) => {
                pile.least = pile.least.min(pile.free.len());
                Ok(stack.in_use())
            }
            None => self.refill(size),
        }
    }

    /// Asks for the memory that is written first of the stack which the next [`StackCache::take`] but one will give. To find where
    /// its page is takes as long as the memory itself, so it is none too early.
    #[inline]
    pub(crate) fn prefetch(&self, size: StackSize) {
        let free = &self.classes[size.index()].free;
        if let Some(stack) = free.get(free.len().wrapping_sub(2)) {
            for line in 1..=FIRST_LINES {
                prefetch::line_to_write(stack.top().as_ptr().wrapping_sub(line * prefetch::LINE));
            }
        }
    }

    /// Keeps a stack for the next [`StackCache::take`].
    #[inline]
    pub(crate) fn put(&mut self, stack: Stack) {
        let size = stack.size();
        if self.classes[size.index()].free.len() >= CAPACITY {
            self.spill(size);
        }
        self.classes[size.index()].free.push(stack);
    }

    /// Gives back memory that was not needed for a while. To be called when the owner is about to sleep.
    ///
    /// Returns how long until there may be more to give back, if there is anything: an owner that sleeps longer than
    /// that and trims again leaves no memory behind after a burst. It looks at a clock and a few lengths, and calls the
    /// kernel at most once a second, unless the store has much to give back: then it does a part and asks, by a
    /// duration of zero, to be called again when the owner has seen that it has nothing better to do.
    pub(crate) fn trim(&mut self) -> Option<Duration> {
        self.trim_at(now())
    }

    /// [`StackCache::trim`] at a time in milliseconds.
    pub(super) fn trim_at(&mut self, now: u64) -> Option<Duration> {
        if now.saturating_sub(self.since) >= PERIOD_MS {
            self.since = now;
            self.classes.iter_mut().for_each(Pile::trim);
        }
        let own = self.classes.iter().any(Pile::may_trim);
        let own =
            own.then(|| Duration::from_millis((self.since + PERIOD_MS).saturating_sub(now).max(1)));
        [own, self.store.trim(now)].into_iter().flatten().min()
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self, size: StackSize) -> Result<Stack, StackError> {
        let size = size.with_room();
        let pile = &mut self.classes[size.index()];
        let stack = match pile.free.pop() {
            Some(stack) => stack,
            None => self.store.take(size, &mut pile.free)?,
        };
        // What was just got is not idle before a whole period has passed.
        pile.least = 0;
        Ok(stack.in_use())
    }

    #[cold]
    #[inline(never)]
    fn spill(&mut self, size: StackSize) {
        let pile = &mut self.classes[size.index()];
        self.store.put_all(size, pile.free.drain(..BUNDLE));
        pile.least = pile.least.saturating_sub(BUNDLE);
    }
}

impl Drop for StackCache {
    fn drop(&mut self) {
        for pile in &mut self.classes {
            if let Some(first) = pile.free.first() {
                self.store.put_all(first.size(), pile.free.drain(..));
            }
        }
    }
}

impl Pile {
    /// Ends a period: gives back what was not needed in it.
    fn trim(&mut self) {
        let idle = self.least.min(self.free.len().saturating_sub(HOTTEST));
        if idle > 0 {
            advice::give_back(&mut self.free[..idle]);
        }
        self.least = self.free.len();
    }

    /// Whether there is anything that a later [`Pile::trim`] could give back.
    #[inline]
    fn may_trim(&self) -> bool {
        // Clean ones are at the bottom, so the topmost that may be trimmed tells.
        self.free.len() > HOTTEST && !self.free[self.free.len() - HOTTEST - 1].is_clean()
    }
}

/// Milliseconds of a clock that is cheap to read and stands still nowhere but in the past.
fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the time to where it is told.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000
}
