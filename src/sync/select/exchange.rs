//! The part of the protocol in which something goes from hand to hand: steps 2 and 5 of the header of this folder.
//!
//! It knows nothing of suspension, and is generic over who waits. What is given or taken is in `ends.rs`.

use crate::sync::wait_list::Waits;
use crate::task::word::Generation;
use crate::util::biased::{BiasedGuard, BiasedLock};

/// What one clause finds in the list that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Look {
    /// It has given or taken what it wanted, or has found the end. The select is decided.
    Won,
    /// It must wait.
    Nothing,
    /// A buffer needs room for so many, which the caller gets it without a lock; then it looks again.
    Grow(usize),
}

/// A clause that gives or takes. Its node stands in place while it is linked.
pub(crate) trait Exchange<K> {
    /// What guards the list.
    fn lock(&self) -> &BiasedLock;

    /// Takes, or gives, if that is possible at once. `woken` is told whom it has claimed.
    ///
    /// # Safety
    ///
    /// The caller holds [`lock`](Exchange::lock), and the node is in no list.
    unsafe fn look(&self, woken: &mut dyn FnMut(*const K)) -> Look;

    /// Puts the node into the list, for the suspension that is published before the lock is released.
    ///
    /// # Safety
    ///
    /// - As for [`look`](Exchange::look).
    /// - The clause stays in place until [`leave`](Exchange::leave).
    unsafe fn link(&self, generation: Generation);

    /// Takes the node out, if it is still in. Takes the lock itself.
    ///
    /// # Safety
    ///
    /// The suspension is over, and no lock of a list is held.
    unsafe fn leave(&self);

    /// Whether something was handed over through this node.
    ///
    /// # Safety
    ///
    /// The node has left its list.
    unsafe fn was_claimed(&self) -> bool;

    /// After [`Look::Grow`], without the lock.
    fn grow(&self, _capacity: usize) {}
}

/// The locks of several clauses, in the order in which everybody takes them, each once.
#[derive(Debug)]
pub(crate) struct Locks<'a> {
    locks: Vec<&'a BiasedLock>,
    held: Vec<BiasedGuard<'a>>,
}

impl<'a> Locks<'a> {
    pub(crate) fn of<K: 'a>(ends: &[&'a dyn Exchange<K>]) -> Self {
        let mut locks: Vec<&BiasedLock> = ends.iter().map(|end| end.lock()).collect();
        if !cfg!(mutation = "select_locks_as_written") {
            locks.sort_unstable_by_key(|lock| std::ptr::from_ref(*lock));
        }
        locks.dedup_by_key(|lock| std::ptr::from_ref(*lock));
        // The memory for the guards is there before the first lock is taken.
        let held = Vec::with_capacity(locks.len());
        Self { locks, held }
    }

    fn take(&mut self, thread: u64) {
        for lock in &self.locks {
            self.held.push(lock.lock(thread));
        }
    }

    fn release(&mut self) {
        self.held.clear();
    }
}

/// What has come of step 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Linked {
    /// The clause of this number has won. Nothing is linked.
    Won(usize),
    /// The clause of this number needs room for so many. Nothing is linked.
    Grow(usize, usize),
    /// All are linked and the word is published: O must leave them all.
    Waits(Generation),
}

/// Steps 2a to 2d: under all the locks together looks, and links and publishes if there is nothing for any of them.
///
/// `prepare` names the suspension, or refuses it; it is asked if there is nothing. Whoever is told to `woken` is to be
/// handed back afterwards.
///
/// # Safety
///
/// - O calls; its word is RUNNING; `locks` are those of `ends`.
/// - After [`Linked::Waits`] every clause stays in place until [`Exchange::leave`] was called on it, when the suspension
///   is over.
pub(crate) unsafe fn look_and_link<K: Waits, E>(
    ends: &[&dyn Exchange<K>],
    locks: &mut Locks<'_>,
    woken: &mut dyn FnMut(*const K),
    prepare: impl FnOnce() -> Result<Generation, E>,
    publish: impl FnOnce(Generation),
) -> Result<Linked, E> {
    locks.take(K::thread());
    let decided = look_at_all(ends, woken);
    if cfg!(mutation = "select_releases_before_linking") {
        locks.release();
    }
    let linked = match decided {
        Some(decided) => Ok(decided),
        None => prepare().map(|generation| {
            for end in ends {
                // SAFETY: all locks are held; the caller vouches for the place.
                unsafe { end.link(generation) };
            }
            publish(generation);
            Linked::Waits(generation)
        }),
    };
    locks.release();
    linked
}

fn look_at_all<K>(ends: &[&dyn Exchange<K>], woken: &mut dyn FnMut(*const K)) -> Option<Linked> {
    if cfg!(mutation = "select_looks_once") {
        return None;
    }
    ends.iter().enumerate().find_map(|(at, end)| {
        // SAFETY: all locks are held, and nothing is linked.
        match unsafe { end.look(woken) } {
            Look::Won => Some(Linked::Won(at)),
            Look::Grow(capacity) => Some(Linked::Grow(at, capacity)),
            Look::Nothing => None,
        }
    })
}

/// Step 1 for one clause: takes or gives at once if that is possible, under its own lock alone.
pub(crate) fn try_alone<K: Waits>(end: &dyn Exchange<K>, woken: &mut dyn FnMut(*const K)) -> bool {
    loop {
        let looked = {
            let _guard = end.lock().lock(K::thread());
            // SAFETY: the lock is held, and nothing is linked.
            unsafe { end.look(woken) }
        };
        match looked {
            Look::Won => return true,
            Look::Nothing => return false,
            Look::Grow(capacity) => end.grow(capacity),
        }
    }
}

/// Step 5: O's suspension is over; all nodes leave their lists. The number of the one through which something was handed
/// over, if it was one of these.
///
/// # Safety
///
/// O calls, after [`Linked::Waits`], when its word is RUNNING again. No lock is held.
pub(crate) unsafe fn leave_all<K>(ends: &[&dyn Exchange<K>]) -> Option<usize> {
    let mut winner = None;
    for (at, end) in ends.iter().enumerate() {
        if !(cfg!(mutation = "select_leaves_the_first_only") && at > 0) {
            // SAFETY: the suspension is over.
            unsafe { end.leave() };
        }
        // SAFETY: it has left.
        if unsafe { end.was_claimed() } {
            debug_assert!(winner.is_none(), "two clauses have won");
            winner = Some(at);
        }
    }
    winner
}
