//! A lock that costs one thread nothing: no locked instruction, while nobody else comes.
//!
//! Most channels and locks are used by the coroutines of one thread, at least most of the time. There is nothing to
//! exclude then but what might come, and to pay a locked instruction for it each time is most of what a send costs. So a
//! lock that one thread has taken many times in a row is *biased* towards it: from then on it takes the lock by two plain
//! stores. Whoever else comes pays: it ends the bias for good, by a fence that reaches the other thread from outside
//! (`fence.rs`), and waits until it is surely not inside. (After Dice, Moir and Scherer, "Quickly reacquirable locks",
//! 2003, and Kawachiya, Koseki and Onodera, "Lock reservation", 2002.)
//!
//! A thread is named by a number; which one it is matters to nobody but that no two that run at the same time share one.
//!
//! # Roles and states
//!
//! H is the thread that is favoured, O any other. `owner` says whose the lock is:
//!
//! | owner | how the lock is taken |
//! |---|---|
//! | nobody's | by the word, as a spin lock; the holder counts who comes |
//! | H's | by H with `inside`; by O with the word and a revocation |
//! | spoilt | by the word; it stays so |
//!
//! ```text
//! nobody's -H> H's       H has come many times in a row, and holds the word
//! H's      -O> spoilt    O holds the word
//! ```
//!
//! # Why one at a time
//!
//! - Whoever holds the word is alone but for H. The owner changes only under the word.
//! - H: store `inside`, light fence, load the owner; in if it is H still. O: store the owner, heavy fence, load `inside`;
//!   in once it is 0. Either H sees that it is not the owner any more, and goes back to take the word like everybody; or O
//!   sees that H is inside, and waits.
//! - What H has written inside is seen by O, which has read the 0 that H released. What O writes is seen by H, which from
//!   then on takes the word.

use std::mem::ManuallyDrop;

use crate::util::fence;
use crate::util::sync::{AtomicU32, AtomicU64, BIAS_AFTER, Ordering, Shared, pause};

/// The name of a thread that is not favoured.
pub(crate) const STRANGER: u64 = 1;

const NOBODY: u64 = 0;
const SPOILT: u64 = 2;

/// The lock. Held as `SpinLock` is: by the runtime's own code, for a few instructions.
#[derive(Debug)]
pub(crate) struct BiasedLock {
    owner: AtomicU64,
    word: AtomicU32,
    /// Written by the owner alone.
    inside: AtomicU32,
    /// Who came last, and how often in a row. Guarded by the word.
    row: Shared<(u64, u32)>,
}

impl BiasedLock {
    pub(crate) fn new() -> Self {
        Self {
            owner: AtomicU64::new(NOBODY),
            word: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            row: Shared::new((STRANGER, 0)),
        }
    }

    /// Takes the lock; the guard releases it. `me` names the calling thread, by a number above 2, or is [`STRANGER`].
    #[inline(always)]
    pub(crate) fn lock(&self, me: u64) -> BiasedGuard<'_> {
        // ORDERING: relaxed: H has written it itself, or it is not H's.
        if self.owner.load(Ordering::Relaxed) == me {
            debug_assert_eq!(self.inside.load(Ordering::Relaxed), 0, "taken twice");
            self.inside.store(1, Ordering::Relaxed);
            fence::light();
            // ORDERING: relaxed: the fence pairs with the heavy one of `revoke`.
            if self.owner.load(Ordering::Relaxed) == me {
                return BiasedGuard(&self.inside);
            }
            // ORDERING: release pairs with the acquire in `revoke`.
            self.inside.store(0, Ordering::Release);
        }
        self.lock_by_word(me)
    }

    /// The evidence once more, for one who holds the lock by a guard that stands elsewhere. It releases nothing.
    ///
    /// # Safety
    ///
    /// The caller holds this lock, for as long as what is returned is used.
    #[inline]
    pub(crate) unsafe fn assume_held(&self) -> ManuallyDrop<BiasedGuard<'_>> {
        ManuallyDrop::new(BiasedGuard(&self.word))
    }

    #[inline(never)]
    fn lock_by_word(&self, me: u64) -> BiasedGuard<'_> {
        let mut round = 0;
        // ORDERING: acquire pairs with the release of the previous holder's unlock.
        while self
            .word
            .compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            pause(round);
            round = round.saturating_add(1);
        }
        // ORDERING: relaxed: changed only under the word.
        match self.owner.load(Ordering::Relaxed) {
            SPOILT => {}
            NOBODY => self.count(me),
            _ => self.revoke(),
        }
        BiasedGuard(&self.word)
    }

    /// The word is held, and nobody is favoured.
    fn count(&self, me: u64) {
        // SAFETY: the word is held.
        let times = self.row.with_mut(|row| unsafe {
            let times = if (*row).0 == me { (*row).1 + 1 } else { 1 };
            *row = (me, times);
            times
        });
        if times >= BIAS_AFTER && me != STRANGER {
            self.favour(me);
        }
    }

    #[cold]
    fn favour(&self, me: u64) {
        let owner = if fence::is_available() { me } else { SPOILT };
        // ORDERING: relaxed: others look at it under the word.
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// The word is held, and somebody else is favoured: ends that.
    #[cold]
    fn revoke(&self) {
        // ORDERING: relaxed: the fence pairs with the light one of `lock`.
        self.owner.store(SPOILT, Ordering::Relaxed);
        #[cfg(not(mutation = "bias_without_fence"))]
        fence::heavy();
        let mut round = 0;
        // ORDERING: acquire pairs with the release of H's unlock.
        while self.inside.load(Ordering::Acquire) == 1 && !cfg!(mutation = "bias_not_waited_for") {
            pause(round);
            round = round.saturating_add(1);
        }
    }
}

/// Holding it is the evidence that the lock is held.
#[derive(Debug)]
#[must_use]
pub(crate) struct BiasedGuard<'a>(&'a AtomicU32);

impl Drop for BiasedGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: release pairs with the acquire of the next holder.
        self.0.store(0, Ordering::Release);
    }
}
