//! So many permits, and those who wait for some.
//!
//! A permit is free, or somebody has it. Everybody waits in one line, which is served from its front: who wants one permit
//! waits behind who wants many, so that nobody waits for ever. Who comes goes past the line only if nobody waits (or if it
//! wants nothing).
//!
//! O waits, G gives back, X cancels:
//!
//! ```text
//! free  -O> held            taken at once: nobody waits, and there are enough
//! held  -G> free            nobody waits, or the first wants more
//! held  -G> held by O       handed over: O's word was claimed
//! ```
//!
//! Service hands permits over to those at the front as long as there are enough for the next. It follows everything that
//! may let somebody go on: permits that were given back, and *a waiter that left*: behind one who wanted many and was
//! cancelled there may be others for whom there are enough.
//!
//! Handed over and cancelled before it runs, O has the permits and must give them back itself: cancellation wins until the
//! moment of resumption, and they go on to the next.

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::Waits;

/// How many are free, and those who wait, each for so many.
pub(crate) type Permits<K> = Line<K, usize, usize>;

impl<K: Waits> Held<'_, K, usize, usize> {
    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.state(|free| *free)
    }

    /// Takes so many, if it need not wait.
    #[inline(always)]
    #[must_use]
    pub(crate) fn take(&self, count: usize) -> bool {
        let is_first =
            count == 0 || cfg!(mutation = "permits_few_overtake_many") || !self.has_waiters();
        self.state(|free| {
            let has_enough = is_first && *free >= count;
            if has_enough {
                *free -= count;
            }
            has_enough
        })
    }

    /// G: gives so many back. Whoever has got some is told to `claimed`, and must be handed back after the lock was
    /// released.
    #[inline(always)]
    pub(crate) fn give_back(&self, count: usize, claimed: impl FnMut(*const K)) {
        self.state(|free| *free += count);
        self.serve(claimed);
    }

    /// O has left the line with nothing.
    pub(crate) fn left(&self, claimed: impl FnMut(*const K)) {
        if !cfg!(mutation = "permits_leave_serves_nobody") {
            self.serve(claimed);
        }
    }

    #[inline(always)]
    fn serve(&self, mut claimed: impl FnMut(*const K)) {
        while let Some(task) = self.claim_first_if(
            |free, count| *free >= *count,
            |free, count| {
                if !cfg!(mutation = "permits_hand_over_and_free") {
                    *free -= *count;
                }
            },
        ) {
            claimed(task);
        }
    }
}
