//! How a thread goes to sleep without missing what was sent to it, and is woken only if it really sleeps.
//!
//! ```text
//! AWAKE    -O> DROWSY     announce: O will look at its inbox once more, and then sleep among its descriptors
//! AWAKE    -O> DOZING     announce: the same, but O waits for no descriptor and will sleep on this very word
//! DROWSY   -O> AWAKE      found something, or the deadline came, or the reactor had news
//! DOZING   -O> AWAKE      found something, or the deadline came, or for no reason
//! DROWSY   -P> NOTIFIED   P has sent something: P owes a write to the eventfd
//! DOZING   -P> NOTIFIED   P has sent something, and wakes whoever sleeps on the word
//! NOTIFIED -O> AWAKE      woke, or found out before it slept
//! ```
//!
//! O: store DROWSY; read the inbox; if empty, block until the eventfd is readable. P: push; read the word; if DROWSY,
//! exchange it for NOTIFIED and write to the eventfd. The store and the push come before the reads in one order (all
//! sequentially consistent), so either O sees the push or P sees DROWSY: no wake-up is lost. P's exchange makes one
//! writer out of many, so a burst of pushes costs one system call.
//!
//! DOZING is the same with a futex in the eventfd's place: it costs half of the kernel's work. The kernel compares the word
//! and goes to sleep in one step, so it is P's exchange that keeps O awake if O has not slept yet when P wakes it. A P
//! that is late may wake O from its next sleep, which is harmless: who wakes looks again.

use crate::util::sync::{Futex, Ordering};

const AWAKE: u32 = 0;
const DROWSY: u32 = 1;
const NOTIFIED: u32 = 2;
const DOZING: u32 = 3;

/// Where a thread is going to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bed {
    /// In a system call that waits for descriptors, the eventfd among them.
    Descriptors,
    /// On its sleep word.
    Word,
}

/// What a P has done about a thread that may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Nothing: it is awake, or another P wakes it.
    Needless,
    /// It wakes.
    Done,
    /// It wakes as soon as P has written to the eventfd.
    Owed,
}

/// The sleep word of one thread.
#[derive(Debug)]
pub(crate) struct SleepWord(Futex);

impl SleepWord {
    pub(crate) fn new() -> Self {
        Self(Futex::new(AWAKE))
    }

    /// O: announces that it will sleep. It must look at its inbox afterwards.
    pub(crate) fn announce(&self, bed: Bed) {
        let phase = match bed {
            Bed::Descriptors => DROWSY,
            Bed::Word => DOZING,
        };
        // ORDERING: seq-cst, before the look at the inbox (see the header).
        #[cfg(not(mutation = "sleep_announce_relaxed"))]
        self.0.word().swap(phase, Ordering::SeqCst);
        #[cfg(mutation = "sleep_announce_relaxed")]
        self.0.word().store(phase, Ordering::Relaxed);
    }

    /// O: sleeps on the word, which it has announced, until it is notified or until a moment of the monotonic clock.
    pub(crate) fn doze(&self, until: Option<u64>) {
        self.0.wait(DOZING, until);
    }

    /// O: is awake again. True if somebody has notified it.
    pub(crate) fn wake(&self) -> bool {
        // ORDERING: acquire pairs with the notifier's exchange.
        self.0.word().swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// P: after it has pushed. True if P owes the write to the eventfd.
    #[inline]
    #[must_use]
    pub(crate) fn notify(&self) -> bool {
        self.wake_up() == Wake::Owed
    }

    /// The same, for one who must know whether it is this very call that wakes the thread: one that was awake, or that another
    /// P wakes, has perhaps found something else to do.
    #[inline]
    #[must_use]
    pub(crate) fn wake_up(&self) -> Wake {
        // ORDERING: seq-cst, after the push (see the header).
        #[cfg(not(mutation = "sleep_notify_blind"))]
        let order = Ordering::SeqCst;
        #[cfg(mutation = "sleep_notify_blind")]
        let order = Ordering::Relaxed;
        let phase = self.0.word().load(order);
        if phase == DROWSY || phase == DOZING {
            self.notify_from(phase)
        } else {
            Wake::Needless
        }
    }

    #[cold]
    fn notify_from(&self, phase: u32) -> Wake {
        #[cfg(mutation = "sleep_doze_unmarked")]
        if phase == DOZING {
            self.0.wake();
            return Wake::Done;
        }
        // ORDERING: seq-cst, with the load that comes before it. If the phase has changed meanwhile, O was awake after the push,
        // or another P is the one who wakes it.
        let exchanged =
            self.0
                .word()
                .compare_exchange(phase, NOTIFIED, Ordering::SeqCst, Ordering::Relaxed);
        if exchanged.is_err() {
            return Wake::Needless;
        }
        if phase == DROWSY {
            return Wake::Owed;
        }
        self.0.wake();
        Wake::Done
    }

    /// Whether the owner sleeps or is about to, for those who look for an idle thread.
    #[inline]
    pub(crate) fn is_drowsy(&self) -> bool {
        matches!(self.0.word().load(Ordering::Relaxed), DROWSY | DOZING)
    }

    /// Whether the owner was told to wake, and has not.
    pub(crate) fn is_waking(&self) -> bool {
        self.0.word().load(Ordering::Relaxed) == NOTIFIED
    }

    /// Whether the owner is awake, and not merely notified, for those who wonder whether it gets round to what it was sent.
    #[inline]
    pub(crate) fn is_awake(&self) -> bool {
        self.0.word().load(Ordering::Relaxed) == AWAKE
    }
}
