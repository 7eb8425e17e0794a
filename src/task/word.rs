//! The continuation word: who may resume a suspended coroutine, decided by one exchange.
//!
//! Each coroutine has one word, in its task block and never on its stack. It holds a generation, which is new at every
//! suspension, and a phase:
//!
//! | bits | meaning |
//! |---|---|
//! | 0-3 | phase |
//! | 4-63 | generation |
//!
//! - RUNNING: the coroutine runs, or it is in a queue of its thread without anything to claim. The owner alone writes.
//! - SUSPENDED: it waits; a resumer or a canceller may claim it.
//! - SHIELDED: it waits and a cancellation does not wake it; only a resumer may claim it.
//! - VALUE: a resumer has claimed it and owns the slot in the coroutine's frame until it hands the coroutine back to
//!   its thread.
//! - CANCEL: a canceller has claimed it and hands it back without touching the slot.
//! - LOCAL: the coroutine's own thread has claimed it before it was switched out; the value is taken without a switch.
//! - LOOSE: the coroutine runs in a scope whose job is in no tree yet. Before it suspends it ties the job, and is RUNNING.
//! - CLOSED: the word of the runtime's own frames, which never suspend (R6). It is born so and stays so.
//!
//! Roles: O is the owner (the coroutine on its thread), R a resumer, X a canceller; both may be on any thread.
//!
//! ```text
//! RUNNING   -O> SUSPENDED | SHIELDED     publish, with a new generation
//! SUSPENDED -R> VALUE   -O> RUNNING      claimed with a value, handed back, switched in
//! SHIELDED  -R> VALUE   -O> RUNNING
//! SUSPENDED -X> CANCEL  -O> RUNNING      claimed by cancel, handed back, switched in
//! SUSPENDED -O> LOCAL   -O> RUNNING      resumed by its own thread before it slept: no switch
//! SHIELDED  -O> LOCAL   -O> RUNNING
//! SUSPENDED -O> RUNNING                  withdrawn: the owner saw the cancel flag after it had published
//! RUNNING   -O> LOOSE                    a scope was opened whose job is made known later
//! LOOSE     -O> RUNNING                  the last such scope was closed, or all were tied
//! ```
//!
//! Forbidden: a claim of any other generation than the one that the claimant's handle names (a stale handle fails its
//! compare and only drops its value); SHIELDED to CANCEL; an owner that reads the slot because it saw VALUE. The owner
//! that loses its own exchange switches out all the same, and reads the slot only after its thread's inbox, or its own
//! thread's queue, gave the coroutine back: that hand-over is what makes the write of the slot visible.
//!
//! Cancel against suspend: the canceller stores the flag of the job, then reads the word; the owner stores the word, then
//! reads the flag. With all four sequentially consistent at least one of the two sees the other (Dekker's argument), so
//! no cancellation is lost.

use crate::util::sync::{AtomicU64, Ordering};

const PHASE_BITS: u32 = 4;
const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;

/// Where a coroutine stands, as told by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Phase {
    Running = 0,
    Suspended = 1,
    Shielded = 2,
    Value = 3,
    Cancel = 4,
    Local = 5,
    Closed = 6,
    Loose = 7,
}

impl Phase {
    #[inline(always)]
    const fn of(raw: u64) -> Self {
        match raw & PHASE_MASK {
            0 => Self::Running,
            1 => Self::Suspended,
            2 => Self::Shielded,
            3 => Self::Value,
            4 => Self::Cancel,
            5 => Self::Local,
            7 => Self::Loose,
            _ => Self::Closed,
        }
    }
}

/// The name of one suspension of one coroutine: a claim succeeds only while it is the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    /// No suspension: nothing can be claimed by it.
    pub(crate) const NONE: Self = Self(0);

    /// As a number, whose four lowest bits are zero.
    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    /// From what [`raw`](Generation::raw) gave.
    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// No suspension either, and a name that is 2^60 suspensions away: a node keeps it that was claimed by a resumer.
    pub(crate) const CLAIMED: Self = Self(!PHASE_MASK);
}

/// What an owner learns when it looks at its word after it was switched in again, or before it would switch out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Woken {
    /// A resumer claimed it; the slot holds what it brought.
    Value,
    /// A canceller claimed it, or the owner withdrew because its job was cancelled.
    Cancelled,
}

/// What becomes of an owner that saw the cancel flag after publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Withdrawal {
    /// Nobody had claimed: the coroutine runs on and owes its wait list the removal of its node.
    Withdrawn,
    /// Somebody had: the owner owes a switch, and will be handed back.
    Claimed,
}

/// The word itself.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Phase::Running as u64))
    }

    /// Owner, once, before it runs: there is no suspension of this one.
    pub(crate) fn close(&self) {
        self.0.store(Phase::Closed as u64, Ordering::Relaxed);
    }

    /// The phase at this moment, for a dump or an assertion; it may be old when it is read.
    pub(crate) fn phase(&self) -> Phase {
        Phase::of(self.0.load(Ordering::Relaxed))
    }

    /// Whether the coroutine runs, and may suspend; asked by its own thread.
    pub(crate) fn is_running(&self) -> bool {
        const RUNNING: u32 = 1 << Phase::Running as u32 | 1 << Phase::Loose as u32;
        // One test of a bit, in place of a comparison with each.
        RUNNING >> (self.0.load(Ordering::Relaxed) & PHASE_MASK) & 1 != 0
    }

    /// Owner: a scope was opened whose job is loose.
    #[inline(always)]
    pub(crate) fn loosen(&self) {
        self.run_as(Phase::Loose);
    }

    /// Owner: no job of its scopes is loose.
    #[inline(always)]
    pub(crate) fn tighten(&self) {
        self.run_as(Phase::Running);
    }

    #[inline(always)]
    fn run_as(&self, phase: Phase) {
        // ORDERING: relaxed, since a running word is written by its owner alone.
        let raw = self.0.load(Ordering::Relaxed);
        debug_assert!(matches!(Phase::of(raw), Phase::Running | Phase::Loose));
        self.0
            .store((raw & !PHASE_MASK) | phase as u64, Ordering::Relaxed);
    }

    /// Whoever has claimed the suspension: its name.
    pub(crate) fn generation(&self) -> Generation {
        Generation(self.0.load(Ordering::Relaxed) & !PHASE_MASK)
    }

    /// Owner: names the coming suspension without making it claimable yet.
    #[inline(always)]
    pub(crate) fn next(&self) -> Generation {
        // ORDERING: relaxed, since a running word is written by its owner alone.
        let raw = self.0.load(Ordering::Relaxed);
        debug_assert_eq!(Phase::of(raw), Phase::Running);
        Generation((raw & !PHASE_MASK).wrapping_add(1 << PHASE_BITS))
    }

    /// Owner: makes the suspension that [`Word::next`] named claimable.
    #[inline(always)]
    pub(crate) fn publish(&self, generation: Generation, cancellable: bool) {
        let phase = if cancellable {
            Phase::Suspended
        } else {
            Phase::Shielded
        };
        // ORDERING: seq-cst pairs with the canceller's flag store and word load; release lets a claimant see the slot
        // and the node that the owner has prepared.
        #[cfg(not(mutation = "word_publish_relaxed"))]
        self.0.store(generation.0 | phase as u64, Ordering::SeqCst);
        #[cfg(mutation = "word_publish_relaxed")]
        self.0.store(generation.0 | phase as u64, Ordering::Release);
    }

    /// Resumer: claims the suspension in order to bring a value.
    #[inline(always)]
    pub(crate) fn claim_value(&self, generation: Generation) -> bool {
        self.claim(generation, Phase::Suspended, Phase::Value)
            || self.claim(generation, Phase::Shielded, Phase::Value)
    }

    /// The coroutine's own thread, before the coroutine was switched out.
    #[inline(always)]
    pub(crate) fn claim_local(&self, generation: Generation) -> bool {
        self.claim(generation, Phase::Suspended, Phase::Local)
            || self.claim(generation, Phase::Shielded, Phase::Local)
    }

    /// Canceller: claims whatever suspension is current, if it may be cancelled and `is_mine` says that its innermost
    /// job is the cancelled one. The question is asked after the word was read: a coroutine changes its innermost job
    /// only while it runs, so success of the exchange proves that the answer belongs to this suspension.
    #[inline]
    pub(crate) fn claim_cancel(&self, is_mine: impl FnOnce() -> bool) -> bool {
        // ORDERING: seq-cst pairs with the owner's publish (see the header).
        let raw = self.0.load(Ordering::SeqCst);
        if Phase::of(raw) != Phase::Suspended
            || !(cfg!(mutation = "word_cancel_any_job") || is_mine())
        {
            return false;
        }
        #[cfg(mutation = "word_cancel_store")]
        {
            self.0
                .store((raw & !PHASE_MASK) | Phase::Cancel as u64, Ordering::SeqCst);
            return true;
        }
        #[cfg(not(mutation = "word_cancel_store"))]
        self.claim(
            Generation(raw & !PHASE_MASK),
            Phase::Suspended,
            Phase::Cancel,
        )
    }

    #[inline(always)]
    fn claim(&self, generation: Generation, from: Phase, to: Phase) -> bool {
        #[cfg(mutation = "word_stale_claim")]
        let generation = Generation(self.0.load(Ordering::Relaxed) & !PHASE_MASK);
        // ORDERING: acquire lets the claimant see the frame that the owner published; seq-cst keeps the canceller's
        // load and exchange in the one order of the header.
        self.0
            .compare_exchange(
                generation.0 | from as u64,
                generation.0 | to as u64,
                Ordering::SeqCst,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Owner: takes the suspension back because its job is cancelled.
    #[inline]
    pub(crate) fn withdraw(&self, generation: Generation) -> Withdrawal {
        if self.claim(generation, Phase::Suspended, Phase::Running)
            || cfg!(mutation = "word_withdraw_unclaimed")
        {
            Withdrawal::Withdrawn
        } else {
            Withdrawal::Claimed
        }
    }

    /// Owner: takes the suspension back, cancellable or not, because the block that was to arrange the wake-up failed.
    pub(crate) fn abandon(&self, generation: Generation) -> Withdrawal {
        if self.claim(generation, Phase::Suspended, Phase::Running)
            || self.claim(generation, Phase::Shielded, Phase::Running)
        {
            Withdrawal::Withdrawn
        } else {
            Withdrawal::Claimed
        }
    }

    /// Owner, before it switches out: was the suspension resumed by this very thread meanwhile?
    #[inline(always)]
    pub(crate) fn is_local(&self) -> bool {
        // ORDERING: relaxed, since only this thread writes LOCAL.
        Phase::of(self.0.load(Ordering::Relaxed)) == Phase::Local
    }

    /// Whether this suspension is still waiting to be claimed.
    pub(crate) fn is_waiting(&self, generation: Generation) -> bool {
        let raw = self.0.load(Ordering::Acquire);
        raw == generation.0 | Phase::Suspended as u64
            || raw == generation.0 | Phase::Shielded as u64
    }

    /// Whether this suspension ended by cancellation and its coroutine has not gone on since.
    pub(crate) fn is_cancelled(&self, generation: Generation) -> bool {
        self.0.load(Ordering::Acquire) == generation.0 | Phase::Cancel as u64
    }

    /// Owner: runs on after it was switched in again, and learns who woke it.
    #[inline(always)]
    pub(crate) fn settle(&self) -> Woken {
        // ORDERING: relaxed, since the queue that handed the coroutine back has synchronised with the claimant.
        let raw = self.0.load(Ordering::Relaxed);
        let woken = match Phase::of(raw) {
            Phase::Cancel => Woken::Cancelled,
            phase => {
                debug_assert!(
                    matches!(phase, Phase::Value | Phase::Local),
                    "resumed while {phase:?}"
                );
                Woken::Value
            }
        };
        self.0.store(
            (raw & !PHASE_MASK) | Phase::Running as u64,
            Ordering::Relaxed,
        );
        woken
    }
}
