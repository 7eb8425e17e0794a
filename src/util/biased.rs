//! A lock that costs one thread nothing: no locked instruction, while nobody else comes.
//!
//! Most channels and locks are used by the coroutines of one thread, at least most of the time. There is nothing to
//! exclude then but what might come, and to pay a locked instruction for it each time is most of what a send costs. So a
//! lock that one thread has taken many times in a row is *biased* towards it: from then on it takes the lock by two plain
//! stores. Whoever else comes pays: it ends the bias, by a fence that reaches the other thread from outside
//! (`fence.rs`), and waits until it is surely not inside. (After Dice, Moir and Scherer, "Quickly reacquirable locks",
//! 2003, and Kawachiya, Koseki and Onodera, "Lock reservation", 2002.)
//!
//! Then the lock may be biased again, towards the same or another thread, once one has taken it so many times in a row that
//! the next revocation is paid for: a lock that goes round among threads, and stays with each for a while, is mostly free of
//! locked instructions too.
//!
//! A thread is named by a number; which one it is matters to nobody but that no two that run at the same time share one, and
//! that it is a multiple of 8.
//!
//! # Roles and states
//!
//! H is the thread that is favoured, O any other. `owner` says whose the lock is:
//!
//! | owner | how the lock is taken |
//! |---|---|
//! | nobody's | by the word, as a spin lock; the holder counts who comes |
//! | H's | by H with its own `inside`; by O with the word and a revocation |
//!
//! ```text
//! nobody's -H> H's         H has come many times in a row, and holds the word
//! H's      -O> nobody's    O holds the word
//! ```
//!
//! A *friend* is a thread that was favoured once. It has an `inside` of its own, for good, since it may be about to write there
//! long after it was revoked: so the first few that come many times in a row are favoured, and no others.
//!
//! # Why one at a time
//!
//! - Whoever holds the word is alone but for H. The owner changes only under the word.
//! - H: store `inside`, light fence, load the owner; in if it is H still. O: store the owner, heavy fence, load `inside`;
//!   in once it is 0. Either H sees that it is not the owner any more, and goes back to take the word like everybody; or O
//!   sees that H is inside, and waits.
//! - What H has written inside is seen by O, which has read the 0 that H released. What O writes is seen by H, which takes the
//!   word before it is favoured again.
//! - H, as it was about to enter when it was revoked, writes to its own `inside` whenever it goes on, and finds that it is not
//!   the owner: only H itself could have become it again, by the word. Whoever is favoured meanwhile is not told by it.

use std::mem::ManuallyDrop;

use crate::util::fence;
use crate::util::sync::{AtomicU32, AtomicU64, BIAS_AFTER, BIAS_AGAIN, Ordering, Shared, pause};

/// The name of a thread that is not favoured.
pub(crate) const STRANGER: u64 = 1;

const NOBODY: u64 = 0;

/// How many threads a lock favours in its life.
const FRIENDS: usize = 4;

/// The lock. Held as `SpinLock` is: by the runtime's own code, for a few instructions.
#[derive(Debug)]
pub(crate) struct BiasedLock {
    /// The name of the owner, to which its number among the friends is added.
    owner: AtomicU64,
    word: AtomicU32,
    /// Each written by one of the friends alone.
    inside: [AtomicU32; FRIENDS],
    /// Guarded by the word.
    row: Shared<Row>,
}

/// Who takes the lock by the word.
#[derive(Debug)]
struct Row {
    /// Who came last.
    last: u64,
    /// How often in a row.
    times: u32,
    /// How often it must be for the lock to favour it.
    wanted: u32,
    friends: [u64; FRIENDS],
}

impl BiasedLock {
    pub(crate) fn new() -> Self {
        Self {
            owner: AtomicU64::new(NOBODY),
            word: AtomicU32::new(0),
            inside: std::array::from_fn(|_| AtomicU32::new(0)),
            row: Shared::new(Row {
                last: STRANGER,
                times: 0,
                wanted: BIAS_AFTER,
                friends: [NOBODY; FRIENDS],
            }),
        }
    }

    /// Takes the lock; the guard releases it. `me` names the calling thread, or is [`STRANGER`].
    #[inline(always)]
    pub(crate) fn lock(&self, me: u64) -> BiasedGuard<'_> {
        // ORDERING: relaxed: H has written it itself, or it is not H's.
        let owner = self.owner.load(Ordering::Relaxed);
        // The number of the friend, if it is H's; else it is far off.
        if let Some(inside) = self.inside.get(owner.wrapping_sub(me) as usize) {
            debug_assert_eq!(inside.load(Ordering::Relaxed), 0, "taken twice");
            inside.store(1, Ordering::Relaxed);
            fence::light();
            // ORDERING: relaxed: the fence pairs with the heavy one of `revoke`.
            if self.owner.load(Ordering::Relaxed) == owner {
                return BiasedGuard(inside);
            }
            // ORDERING: release pairs with the acquire in `revoke`.
            inside.store(0, Ordering::Release);
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
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != NOBODY {
            self.revoke(owner);
        }
        // SAFETY: the word is held.
        let is_enough = self.row.with_mut(|row| unsafe { (*row).count(me) });
        if is_enough {
            self.favour(me);
        }
        BiasedGuard(&self.word)
    }

    /// The word is held, and this thread has come many times in a row.
    #[cold]
    fn favour(&self, me: u64) {
        // SAFETY: the word is held.
        let friend = self.row.with_mut(|row| unsafe { (*row).befriend(me) });
        if let Some(friend) = friend
            && fence::is_available()
        {
            // ORDERING: relaxed: others look at it under the word.
            self.owner.store(me + friend as u64, Ordering::Relaxed);
        }
    }

    /// The word is held, and somebody else is favoured: ends that.
    #[cold]
    fn revoke(&self, owner: u64) {
        // ORDERING: relaxed: the fence pairs with the light one of `lock`.
        self.owner.store(NOBODY, Ordering::Relaxed);
        #[cfg(not(mutation = "bias_without_fence"))]
        fence::heavy();
        let inside = &self.inside[owner as usize % FRIENDS];
        let mut round = 0;
        // ORDERING: acquire pairs with the release of H's unlock.
        while inside.load(Ordering::Acquire) == 1 && !cfg!(mutation = "bias_not_waited_for") {
            pause(round);
            round = round.saturating_add(1);
        }
    }
}

impl Row {
    /// Whether this thread has now come often enough in a row.
    #[inline(always)]
    fn count(&mut self, me: u64) -> bool {
        if self.last != me {
            (self.last, self.times) = (me, 0);
        }
        self.times += 1;
        self.times >= self.wanted
    }

    /// The number of a friend, who may be new. None if that would be one too many.
    fn befriend(&mut self, me: u64) -> Option<usize> {
        // It begins anew, whatever comes of it.
        self.times = 0;
        if me == STRANGER {
            return None;
        }
        self.wanted = BIAS_AGAIN;
        debug_assert_eq!(me % 8, 0, "a name that leaves no room for a number");
        let number = self
            .friends
            .iter()
            .position(|&friend| friend == me || friend == NOBODY)?;
        self.friends[number] = me;
        Some(if cfg!(mutation = "bias_inside_shared") {
            0
        } else {
            number
        })
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
