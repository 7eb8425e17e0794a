//! What the wakers of a future and the one who polls it tell one another: one word per future.
//!
//! A future is polled, and may be woken at any time from any thread, often and for nothing. The word decides what a
//! wake-up finds. Roles: O polls, W wakes.
//!
//! ```text
//! POLLED -W> NOTIFIED           it came while the future was polled: O polls again
//! POLLED -O> the suspension     O has published its word, and parks
//! the suspension -W> NOTIFIED   W claims the task, and sends it on its way
//! NOTIFIED -O> POLLED           before the next poll
//! ```
//!
//! The suspension is named by its generation (`word.rs`), so a waker that is late claims nothing.

use crate::task::word::Generation;
use crate::util::sync::{AtomicU64, Ordering};

const POLLED: u64 = 0;
/// No generation: those have no bits here.
const NOTIFIED: u64 = 1;

/// The word.
#[derive(Debug)]
pub(crate) struct Signal(AtomicU64);

impl Signal {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(POLLED))
    }

    /// O: the future is about to be polled.
    pub(crate) fn begin(&self) {
        // ORDERING: acquire pairs with the release in `wake`, so that the poll sees what the waker has done before.
        let order = if cfg!(mutation = "signal_begin_relaxed") {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        self.0.swap(POLLED, order);
    }

    /// O, after a poll and with the word published: true if the wait begins, false if the future was woken meanwhile.
    #[must_use]
    pub(crate) fn park(&self, generation: Generation) -> bool {
        if cfg!(mutation = "signal_park_blind") {
            self.0.swap(generation.raw(), Ordering::AcqRel);
            return true;
        }
        // ORDERING: release lets the waker see the word that was published; acquire is for the poll that follows a failure.
        self.0
            .compare_exchange(
                POLLED,
                generation.raw(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// W: the suspension that is to be claimed, if O has parked.
    #[must_use]
    pub(crate) fn wake(&self) -> Option<Generation> {
        // ORDERING: release pairs with the acquire in `begin`, acquire with the release in `park`.
        let old = self.0.swap(NOTIFIED, Ordering::AcqRel);
        (old != POLLED && old != NOTIFIED).then(|| Generation::from_raw(old))
    }
}
