//! A lock of four bytes for critical sections of a few instructions.
//!
//! Held only by the runtime's own code, never while user code runs, never across a suspension. It is taken by one
//! read-modify-write and released by a plain store, which is why it is not a mutex of the operating system: a launch, a
//! completion and a join each pay for it.

use crate::util::sync::{AtomicU32, Ordering, pause};

/// The lock word: 0 is free, 1 is held.
#[derive(Debug)]
pub(crate) struct SpinLock(AtomicU32);

impl SpinLock {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes the lock; the guard releases it.
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_> {
        let mut round = 0;
        // ORDERING: acquire pairs with the release of the previous holder's unlock.
        while self
            .0
            .compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            pause(round);
            round = round.saturating_add(1);
        }
        SpinGuard(self)
    }
}

/// Holding it is the evidence that the lock is held.
#[derive(Debug)]
#[must_use]
pub(crate) struct SpinGuard<'a>(&'a SpinLock);

impl Drop for SpinGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: release pairs with the acquire of the next holder.
        #[cfg(not(mutation = "lock_release_relaxed"))]
        self.0.0.store(0, Ordering::Release);
        #[cfg(mutation = "lock_release_relaxed")]
        self.0.0.store(0, Ordering::Relaxed);
    }
}
