//! The part of the protocol in which something goes from hand to hand: steps 2 and 5 of the header of this folder.
//!
//! It knows nothing of suspension, and is generic over who waits.

use crate::sync::channel::core::{Core, Offer, Slot, Take};
use crate::sync::permits::Permits;
use crate::sync::wait_list::{Node, Waits};
use crate::task::word::Generation;
use crate::util::lock::{SpinGuard, SpinLock};
use crate::util::sync::Shared;

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
    fn lock(&self) -> &SpinLock;

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
    locks: Vec<&'a SpinLock>,
    held: Vec<SpinGuard<'a>>,
}

impl<'a> Locks<'a> {
    pub(crate) fn of<K: 'a>(ends: &[&'a dyn Exchange<K>]) -> Self {
        let mut locks: Vec<&SpinLock> = ends.iter().map(|end| end.lock()).collect();
        if !cfg!(mutation = "select_locks_as_written") {
            locks.sort_unstable_by_key(|lock| std::ptr::from_ref(*lock));
        }
        locks.dedup_by_key(|lock| std::ptr::from_ref(*lock));
        // The memory for the guards is there before the first lock is taken.
        let held = Vec::with_capacity(locks.len());
        Self { locks, held }
    }

    fn take(&mut self) {
        for lock in &self.locks {
            self.held.push(lock.lock());
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
pub(crate) unsafe fn look_and_link<K, E>(
    ends: &[&dyn Exchange<K>],
    locks: &mut Locks<'_>,
    woken: &mut dyn FnMut(*const K),
    prepare: impl FnOnce() -> Result<Generation, E>,
    publish: impl FnOnce(Generation),
) -> Result<Linked, E> {
    locks.take();
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
pub(crate) fn try_alone<K>(end: &dyn Exchange<K>, woken: &mut dyn FnMut(*const K)) -> bool {
    loop {
        let looked = {
            let _guard = end.lock().lock();
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

/// A clause that receives. When it has won, the slot holds the element; if it is empty, the channel has ended.
#[derive(Debug)]
pub(crate) struct ReceiveEnd<'a, K, T, C> {
    core: &'a Core<K, T, C>,
    node: Node<K, Slot<T>>,
}

impl<'a, K: Waits, T, C: Clone> ReceiveEnd<'a, K, T, C> {
    pub(crate) fn new(core: &'a Core<K, T, C>, task: *const K) -> Self {
        let node = Node::new(task, None);
        Self { core, node }
    }

    /// Whether something was received.
    ///
    /// # Safety
    ///
    /// The clause is in no list.
    pub(crate) unsafe fn has_element(&self) -> bool {
        // SAFETY: an idle node's slot is its owner's.
        unsafe { self.node.with_slot(|slot| slot.is_some()) }
    }

    /// What was received.
    ///
    /// # Safety
    ///
    /// The clause is in no list.
    pub(crate) unsafe fn element(&self) -> Option<T> {
        // SAFETY: an idle node's slot is its owner's.
        unsafe { self.node.with_slot(Option::take) }
    }
}

impl<K: Waits, T, C: Clone> Exchange<K> for ReceiveEnd<'_, K, T, C> {
    fn lock(&self) -> &SpinLock {
        self.core.lock_alone()
    }

    unsafe fn look(&self, woken: &mut dyn FnMut(*const K)) -> Look {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        match locked.take(woken) {
            Take::Element(element) => {
                // SAFETY: the node is idle.
                unsafe { self.node.with_slot(|slot| *slot = Some(element)) };
                Look::Won
            }
            Take::Empty => Look::Nothing,
            // The cause that is dropped here is a clone: the channel keeps it.
            Take::Ended(_) if cfg!(mutation = "select_looks_past_the_end") => Look::Nothing,
            Take::Ended(_) => Look::Won,
        }
    }

    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { locked.link_receiver(&self.node, generation) };
    }

    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.core.lock().leave_receivers(&self.node) };
    }

    unsafe fn was_claimed(&self) -> bool {
        // SAFETY: the node is idle.
        unsafe { self.node.was_claimed() }
    }
}

/// A clause that sends. When it has won, the slot is empty; if the element is still there, the channel has ended.
#[derive(Debug)]
pub(crate) struct SendEnd<'a, K, T, C> {
    core: &'a Core<K, T, C>,
    node: Node<K, Slot<T>>,
    /// The element that had to give way for ours.
    lost: Shared<Option<T>>,
}

impl<'a, K: Waits, T, C: Clone> SendEnd<'a, K, T, C> {
    pub(crate) fn new(core: &'a Core<K, T, C>, task: *const K, element: T) -> Self {
        Self {
            core,
            node: Node::new(task, Some(element)),
            lost: Shared::new(None),
        }
    }

    /// The element, if it was not sent.
    ///
    /// # Safety
    ///
    /// The clause is in no list.
    pub(crate) unsafe fn unsent(&self) -> Option<T> {
        // SAFETY: an idle node's slot is its owner's.
        unsafe { self.node.with_slot(Option::take) }
    }

    /// What has given way.
    ///
    /// # Safety
    ///
    /// The clause is in no list.
    pub(crate) unsafe fn lost(&self) -> Option<T> {
        // SAFETY: only the owner touches it.
        self.lost.with_mut(|lost| unsafe { (*lost).take() })
    }
}

impl<K: Waits, T, C: Clone> Exchange<K> for SendEnd<'_, K, T, C> {
    fn lock(&self) -> &SpinLock {
        self.core.lock_alone()
    }

    unsafe fn look(&self, woken: &mut dyn FnMut(*const K)) -> Look {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        // SAFETY: the node is idle.
        let Some(element) = (unsafe { self.node.with_slot(Option::take) }) else {
            unreachable!("what was sent has won");
        };
        let (kept, look) = match locked.offer(element, woken) {
            Offer::Taken => (None, Look::Won),
            Offer::Dropped(lost) => {
                // SAFETY: only the owner touches it.
                self.lost.with_mut(|slot| unsafe { *slot = Some(lost) });
                (None, Look::Won)
            }
            Offer::Full(element) => (Some(element), Look::Nothing),
            Offer::Grow(element, capacity) => (Some(element), Look::Grow(capacity)),
            // The cause that is dropped here is a clone: the channel keeps it.
            Offer::Ended(element, _) => (Some(element), Look::Won),
        };
        // SAFETY: the node is idle.
        unsafe { self.node.with_slot(|slot| *slot = kept) };
        look
    }

    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { locked.link_sender(&self.node, generation) };
    }

    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.core.lock().leave_senders(&self.node) };
    }

    unsafe fn was_claimed(&self) -> bool {
        // SAFETY: the node is idle.
        unsafe { self.node.was_claimed() }
    }

    fn grow(&self, capacity: usize) {
        let memory = std::collections::VecDeque::with_capacity(capacity);
        let _old = self.core.lock().grow(memory);
    }
}

/// A clause that wants a permit. When it has won, it has one.
#[derive(Debug)]
pub(crate) struct TurnEnd<'a, K, H> {
    permits: &'a Permits<K, H>,
    node: Node<K, H>,
    holder: H,
}

impl<'a, K: Waits, H: Copy> TurnEnd<'a, K, H> {
    pub(crate) fn new(permits: &'a Permits<K, H>, task: *const K, holder: H) -> Self {
        Self {
            permits,
            node: Node::new(task, holder),
            holder,
        }
    }
}

impl<K: Waits, H: Copy> Exchange<K> for TurnEnd<'_, K, H> {
    fn lock(&self) -> &SpinLock {
        self.permits.lock_alone()
    }

    unsafe fn look(&self, _woken: &mut dyn FnMut(*const K)) -> Look {
        // SAFETY: the lock is held.
        let locked = unsafe { self.permits.locked_already() };
        if locked.take(self.holder) {
            Look::Won
        } else {
            Look::Nothing
        }
    }

    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let locked = unsafe { self.permits.locked_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { locked.link(&self.node, generation) };
    }

    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.permits.lock().leave(&self.node) };
    }

    unsafe fn was_claimed(&self) -> bool {
        // SAFETY: the node is idle.
        unsafe { self.node.was_claimed() }
    }
}
