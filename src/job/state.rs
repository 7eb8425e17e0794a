//! The flags of a job, and what they say of its state.
//!
//! | flag | set by | meaning |
//! |---|---|---|
//! | STARTED | launch, `start` | not New any more |
//! | CANCELLING | cancel, a failure | sticky: every suspending call of the job's coroutine fails |
//! | FAILED | a failure | the cause is a failure, not a cancellation |
//! | BODY_DONE | the body's end | Completing: only children are waited for |
//! | CLOSED | the last to end | no child is taken any more; one thread finalises |
//! | COMPLETED | the finaliser | the last thing published |
//! | SUCCEEDED | the finaliser | completed with a value, whatever a later cancel does |
//!
//! ```text
//! New -> Active -> Completing -> Completed        STARTED, BODY_DONE, COMPLETED + SUCCEEDED
//!   \       \          \
//!    +-------+----------+-----> Cancelling -> Cancelled      CANCELLING, COMPLETED
//! ```
//!
//! All flags are written under the job's lock by plain stores, so a reader without the lock sees each change once and
//! in order. The kind bits are written before the job is published and never change.

//! A scope's job is LOOSE from its birth until it is tied, if it ever is: it knows its parent, but the parent does not know
//! it (`task/loose.rs`). Until then a cancellation of the parent, and a sweep of the parent's children, is read off the
//! parent's flags: SWEEPS counts the latter, and a loose job is born with the count that it found.

/// A snapshot of a job's flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(pub(crate) u32);

pub(crate) const STARTED: u32 = 1;
pub(crate) const CANCELLING: u32 = 1 << 1;
pub(crate) const FAILED: u32 = 1 << 2;
pub(crate) const BODY_DONE: u32 = 1 << 3;
pub(crate) const CLOSED: u32 = 1 << 4;
pub(crate) const COMPLETED: u32 = 1 << 5;
pub(crate) const SUCCEEDED: u32 = 1 << 6;

/// Kind: failures of children stay with the children.
pub(crate) const SUPERVISOR: u32 = 1 << 8;
/// Kind: the job of a scope function; its failure goes to the caller as an `Err`, not up the tree.
pub(crate) const SCOPE: u32 = 1 << 9;
/// Kind: the job of an `async_`; its failure as a root is never reported.
pub(crate) const DEFERRED: u32 = 1 << 10;
/// Kind: a cancellation from above stops here (`non_cancellable`).
pub(crate) const SHIELD: u32 = 1 << 11;
/// Kind: a job without a body of its own, made by hand.
pub(crate) const BARE: u32 = 1 << 12;
/// Kind: this job, or one above it, answers for a failure, so a child's failure is not reported at the child.
pub(crate) const ANSWERS: u32 = 1 << 13;
/// Kind: the timeout of `with_timeout`, which reports itself and not what its body made of it.
pub(crate) const TIMEOUT: u32 = 1 << 14;
/// Kind: the launched coroutine owns its closure and runs it on a dispatcher.
pub(crate) const COROUTINE: u32 = 1 << 15;
/// A scope's job that is not in its parent's list yet.
pub(crate) const LOOSE: u32 = 1 << 16;
/// How often all children of the job were cancelled without it, as a number that is only compared.
pub(crate) const SWEEPS: u32 = !0 << 17;
/// One of them.
const SWEEP: u32 = 1 << 17;

impl State {
    #[inline(always)]
    pub(crate) fn has(self, flags: u32) -> bool {
        self.0 & flags != 0
    }

    /// Started, not cancelled, not complete.
    pub(crate) fn is_active(self) -> bool {
        self.has(STARTED) && !self.has(CANCELLING | COMPLETED)
    }

    /// Cancelled or failed, whether or not the cleanup has ended.
    pub(crate) fn is_cancelled(self) -> bool {
        self.has(CANCELLING) && !self.has(SUCCEEDED)
    }

    pub(crate) fn is_completed(self) -> bool {
        self.has(COMPLETED)
    }

    /// The flags after one sweep more.
    pub(super) fn swept(self) -> Self {
        Self(self.0.wrapping_add(SWEEP))
    }

    /// Whether the parent of a loose job, whose flags these are, has cancelled its children since that was born.
    pub(crate) fn was_swept(self, parent: Self) -> bool {
        (self.0 ^ parent.0) & SWEEPS != 0
    }

    /// Kotlin's name of the state.
    pub(crate) fn name(self) -> &'static str {
        if self.is_completed() {
            if self.has(SUCCEEDED) {
                "Completed"
            } else {
                "Cancelled"
            }
        } else if self.has(CANCELLING) {
            "Cancelling"
        } else if self.has(BODY_DONE) {
            "Completing"
        } else if self.has(STARTED) {
            "Active"
        } else {
            "New"
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
