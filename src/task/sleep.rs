//! How a thread goes to sleep without missing what was sent to it, and is woken only if it really sleeps.
//!
//! ```text
//! AWAKE    -O> DROWSY     announce: O will look at its inbox once more, and then sleep
//! DROWSY   -O> AWAKE      found something, or the deadline came, or the reactor had news
//! DROWSY   -P> NOTIFIED   P has sent something: P owes a write to the eventfd
//! NOTIFIED -O> AWAKE      woke, or found out before it slept
//! ```
//!
//! O: store DROWSY; read the inbox; if empty, block until the eventfd is readable. P: push; read the word; if DROWSY,
//! exchange it for NOTIFIED and write to the eventfd. The store and the push come before the reads in one order (all
//! sequentially consistent), so either O sees the push or P sees DROWSY: no wake-up is lost. P's exchange makes one
//! writer out of many, so a burst of pushes costs one system call.

use crate::util::sync::{AtomicU32, Ordering};

const AWAKE: u32 = 0;
const DROWSY: u32 = 1;
const NOTIFIED: u32 = 2;

/// The sleep word of one thread.
#[derive(Debug)]
pub(crate) struct SleepWord(AtomicU32);

impl SleepWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(AWAKE))
    }

    /// O: announces that it will sleep. It must look at its inbox afterwards.
    pub(crate) fn announce(&self) {
        // ORDERING: seq-cst, before the look at the inbox (see the header).
        #[cfg(not(mutation = "sleep_announce_relaxed"))]
        self.0.swap(DROWSY, Ordering::SeqCst);
        #[cfg(mutation = "sleep_announce_relaxed")]
        self.0.store(DROWSY, Ordering::Relaxed);
    }

    /// O: is awake again. True if somebody has written to the eventfd, or is about to.
    pub(crate) fn wake(&self) -> bool {
        // ORDERING: acquire pairs with the notifier's exchange.
        self.0.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// P: after it has pushed. True if P owes the write to the eventfd.
    #[inline]
    #[must_use]
    pub(crate) fn notify(&self) -> bool {
        // ORDERING: seq-cst, after the push (see the header).
        #[cfg(not(mutation = "sleep_notify_blind"))]
        if self.0.load(Ordering::SeqCst) != DROWSY {
            return false;
        }
        #[cfg(mutation = "sleep_notify_blind")]
        if self.0.load(Ordering::Relaxed) == AWAKE {
            return false;
        }
        self.0
            .compare_exchange(DROWSY, NOTIFIED, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the owner sleeps or is about to, for those who look for an idle thread.
    #[inline]
    pub(crate) fn is_drowsy(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DROWSY
    }
}
