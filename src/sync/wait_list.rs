//! The list of those who wait for their turn: at a channel, for a lock, for a permit.
//!
//! First in, first out. A node stands in the frame of the one who waits and allocates nothing; it can be taken out from
//! anywhere in O(1). What a waiter waits for is *handed over*: whoever wakes it has written into the node's slot, or taken
//! from it, before the waiter runs again. Nobody is woken in order to try once more, so nobody can be overtaken.
//!
//! # Roles
//!
//! - O, the owner: the coroutine or thread in whose frame the node stands.
//! - R, the resumer: whoever brings what O waits for. It holds the list's lock.
//! - X, the canceller: it knows the continuation word (`task/word.rs`) and no list.
//!
//! # States of a node
//!
//! | state | who may touch the slot | who may touch the links |
//! |---|---|---|
//! | idle: in no list | O | O |
//! | linked, word SUSPENDED | whoever holds the lock | whoever holds the lock |
//! | linked, word CANCEL or withdrawn | whoever holds the lock, until O has unlinked it; then O | the same |
//! | claimed: out of the list, word VALUE | R, until it hands O back; then O | O |
//! | passed over: out of the list, word not claimed | O | O |
//!
//! ```text
//! idle   -O> linked                 link and publish, under the lock
//! linked -R> claimed -O> idle       taken out and the word won, under the lock; handed back after it; settled
//! linked -R> passed over -O> idle   taken out, but X or O itself was faster at the word; O finds it unlinked
//! linked -X> linked -O> idle        X won the word; O takes the lock and unlinks
//! linked -O> idle                   O withdrew: the same, without having slept
//! ```
//!
//! # Why it holds
//!
//! - *No count is held.* R reads a node only under the lock. O does not leave its frame while the node may be linked: either
//!   R took it out and handed O back, and touched the node for the last time before that; or O was cancelled, and takes
//!   the lock once before it leaves. So a node that R finds in the list stands.
//! - *The word is published under the lock* that the node was linked under. Else R could take out a node whose word
//!   cannot be claimed yet, and its owner would sleep for ever.
//! - *R queues nobody while it holds the lock.* It collects those whom it has claimed and hands them back afterwards: a node
//!   may die as soon as its owner is queued, and a queue may need another lock.
//! - *No user code runs under the lock.* Values are moved, never dropped or cloned there.
//! - *The slot needs no order of its own*: O made it visible by the lock, R makes it visible by handing O back.
//!
//! # Waiting in several lists
//!
//! The node does not own the suspension, it only names its generation. So one suspension can stand in several lists at
//! once: take the locks of all of them (in the order of their addresses), look whether anything is ready, else link a node
//! into each, publish once, release all. The first R to win the word hands over; every other R passes its node over. The
//! owner then takes each other lock once and leaves that list, as after a cancellation; the slots tell who came first.
//!
//! # Rejected
//!
//! A list without a lock (segments of cells, as in Kotlin): it saves the lock where many cores meet at one channel, and
//! costs an allocation every so many waiters and a removal that is hard to get right. With coroutines that stay on their
//! threads, one lock of a few instructions is not what a hand-over costs.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;

use crate::task::word::{Generation, Word};
use crate::util::list::{Links, List};
use crate::util::sync::Shared;

/// What waits: it has a continuation word.
pub(crate) trait Waits {
    fn word(&self) -> &Word;

    /// The name of the calling thread, for its locks (`util/biased.rs`).
    fn thread() -> u64;
}

/// A place in a list, in the frame of `K`, with the slot through which something is handed over.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Node<K, P> {
    // First, so that a pointer to the links is one to the node.
    links: Links,
    task: *const K,
    /// The suspension that this node stands for while it is linked; CLAIMED once a resumer has handed over; else none.
    /// Guarded by the list's lock.
    armed: Shared<Generation>,
    slot: Shared<P>,
}

impl<K, P> Node<K, P> {
    pub(crate) fn new(task: *const K, slot: P) -> Self {
        Self {
            links: Links::new(),
            task,
            armed: Shared::new(Generation::NONE),
            slot: Shared::new(slot),
        }
    }

    /// Owner, when the wait is over: what is in the slot now.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and the node is idle: it was never linked, or its owner has been handed back, or it has
    /// left the list.
    #[inline(always)]
    pub(crate) unsafe fn into_slot(self) -> P {
        let node = ManuallyDrop::new(self);
        // SAFETY: an idle node's slot belongs to its owner, and is not dropped with the node.
        node.slot.with(|slot| unsafe { ptr::read(slot) })
    }

    /// Owner, when the wait is over: looks at the slot.
    ///
    /// # Safety
    ///
    /// As for [`Node::into_slot`].
    #[inline(always)]
    pub(crate) unsafe fn with_slot<R>(&self, work: impl FnOnce(&mut P) -> R) -> R {
        // SAFETY: an idle node's slot belongs to its owner.
        self.slot.with_mut(|slot| work(unsafe { &mut *slot }))
    }

    /// Owner, when the wait is over: whether a resumer has claimed the suspension through this very node.
    ///
    /// # Safety
    ///
    /// As for [`with_slot`](Node::with_slot).
    pub(crate) unsafe fn was_claimed(&self) -> bool {
        // SAFETY: an idle node is its owner's; the claimant wrote before it handed the owner back.
        self.armed.with(|armed| unsafe { *armed }) == Generation::CLAIMED
    }
}

/// The two ends of a list of such nodes.
#[derive(Debug)]
pub(crate) struct WaitList<K, P> {
    list: List,
    nodes: PhantomData<*const Node<K, P>>,
}

// SAFETY: the nodes are reached only by whoever holds the lock of the list, and slots are moved from thread to thread.
unsafe impl<K: Sync, P: Send> Send for WaitList<K, P> {}
// SAFETY: every operation demands the lock.
unsafe impl<K: Sync, P: Send> Sync for WaitList<K, P> {}

impl<K: Waits, P> WaitList<K, P> {
    pub(crate) fn new() -> Self {
        Self {
            list: List::new(),
            nodes: PhantomData,
        }
    }

    /// O: appends a node that stands for the coming suspension. The word is published before the lock is released.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of this list, and owns the node, which is idle.
    /// - The node stays in place until its owner was handed back, or has left the list.
    #[inline(always)]
    pub(crate) unsafe fn link(&self, node: &Node<K, P>, generation: Generation) {
        // SAFETY: the caller vouches for lock and node.
        unsafe { self.list.push_back(Self::arm(node, generation)) };
    }

    /// O: as [`WaitList::link`], in front of all others: for one who stood there and has been woken in vain.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`].
    pub(crate) unsafe fn link_first(&self, node: &Node<K, P>, generation: Generation) {
        // SAFETY: the caller vouches for lock and node.
        unsafe { self.list.push_front(Self::arm(node, generation)) };
    }

    #[inline(always)]
    fn arm(node: &Node<K, P>, generation: Generation) -> *const Links {
        // SAFETY: the callers hold the lock.
        node.armed.with_mut(|armed| unsafe { *armed = generation });
        // From the whole node, not from its links: who finds it in the list reaches all of it.
        ptr::from_ref(node).cast()
    }

    /// R: takes out the first who still waits, and claims it. `hand_over` works on its slot. What is returned with its
    /// answer is claimed and in no queue: the caller owes it to be handed back, after the lock was released.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    #[inline(always)]
    pub(crate) unsafe fn claim_first<R>(
        &self,
        hand_over: impl FnOnce(&mut P) -> R,
    ) -> Option<(R, *const K)> {
        loop {
            // SAFETY: the lock is held.
            let node = unsafe { self.claim_front()? };
            if let Some(node) = node {
                // SAFETY: the claim gives us the slot until the owner is handed back.
                let answer = node.slot.with_mut(|slot| hand_over(unsafe { &mut *slot }));
                return Some((answer, node.task));
            }
        }
    }

    /// R: as [`WaitList::claim_first`], where what can be handed over depends on who waits: `None` if nobody does,
    /// or if `may` refuses the first, who goes on waiting.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    pub(crate) unsafe fn claim_first_if<R>(
        &self,
        may: impl Fn(&P) -> bool,
        hand_over: impl FnOnce(&mut P) -> R,
    ) -> Option<(R, *const K)> {
        loop {
            // SAFETY: the lock is held.
            if !unsafe { self.with_first(&may)? } {
                return None;
            }
            // SAFETY: as above.
            if let Some(node) = unsafe { self.claim_front()? } {
                // SAFETY: the claim gives us the slot until the owner is handed back.
                let answer = node.slot.with_mut(|slot| hand_over(unsafe { &mut *slot }));
                return Some((answer, node.task));
            }
        }
    }

    /// Takes out the first node, and claims it: `Some(None)` if X or its owner was faster.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    #[inline(always)]
    unsafe fn claim_front(&self) -> Option<Option<&Node<K, P>>> {
        // SAFETY: the lock is held.
        let links = unsafe { self.list.pop_front() };
        let node = links.cast::<Node<K, P>>();
        // SAFETY: a linked node stands: its owner takes the lock before it leaves the frame. It was linked by a
        // pointer to the whole of it.
        let node = unsafe { node.as_ref() }?;
        // SAFETY: the lock is held.
        let generation = node
            .armed
            .with_mut(|armed| unsafe { std::mem::replace(&mut *armed, Generation::NONE) });
        // SAFETY: a task is alive while its frame stands.
        let claimed = unsafe { &*node.task }.word().claim_value(generation);
        if claimed || cfg!(mutation = "wait_list_claim_unasked") {
            // SAFETY: the lock is held.
            node.armed
                .with_mut(|armed| unsafe { *armed = Generation::CLAIMED });
            Some(Some(node))
        } else {
            Some(None)
        }
    }

    /// Passes over those at the front who wait no more, and looks at the slot of the first who does.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    pub(crate) unsafe fn with_first<R>(&self, look: impl FnOnce(&P) -> R) -> Option<R> {
        loop {
            // SAFETY: the lock is held.
            let first = unsafe { self.list.first() }.cast::<Node<K, P>>();
            // SAFETY: a linked node stands, as in `claim_front`.
            let node = unsafe { first.as_ref() }?;
            // SAFETY: the lock is held.
            if unsafe { self.pass_over_if_gone(node) } {
                continue;
            }
            // SAFETY: only who holds the lock touches the slot of a linked node.
            return Some(node.slot.with(|slot| look(unsafe { &*slot })));
        }
    }

    /// Whether no more than so many wait, and `is_so` says yes of all of them. It may note something in their slots.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    pub(crate) unsafe fn all_of(&self, most: usize, mut is_so: impl FnMut(&mut P) -> bool) -> bool {
        let mut seen = 0;
        // SAFETY: the lock is held.
        let mut at = unsafe { self.list.first() };
        // SAFETY: a linked node stands, as in `claim_front`.
        while let Some(node) = unsafe { at.cast::<Node<K, P>>().as_ref() } {
            seen += 1;
            // SAFETY: only who holds the lock touches the slot of a linked node.
            if seen > most || !node.slot.with_mut(|slot| is_so(unsafe { &mut *slot })) {
                return false;
            }
            // SAFETY: the node is linked, and the lock is held.
            at = unsafe { List::after(at) };
        }
        true
    }

    /// Passes over all who wait no more. How many they were.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    pub(crate) unsafe fn pass_over_gone(&self) -> usize {
        let mut gone = 0;
        // SAFETY: the lock is held.
        let mut at = unsafe { self.list.first() };
        // SAFETY: a linked node stands, as in `claim_front`.
        while let Some(node) = unsafe { at.cast::<Node<K, P>>().as_ref() } {
            // SAFETY: the node is linked, and the lock is held.
            at = unsafe { List::after(at) };
            // SAFETY: the lock is held.
            gone += usize::from(unsafe { self.pass_over_if_gone(node) });
        }
        gone
    }

    /// # Safety
    ///
    /// The caller holds the lock of this list, and the node is linked in it.
    unsafe fn pass_over_if_gone(&self, node: &Node<K, P>) -> bool {
        // SAFETY: the lock is held.
        let generation = node.armed.with(|armed| unsafe { *armed });
        // SAFETY: a task is alive while its frame stands.
        let is_gone = !unsafe { &*node.task }.word().is_waiting(generation);
        if is_gone {
            // SAFETY: the lock is held, and the node is linked.
            unsafe { self.leave(node) };
        }
        is_gone
    }

    /// O, woken by a cancellation: takes its node out, unless a resumer has passed it over. Whether it did.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list, and owns the node, which was linked into this list.
    pub(crate) unsafe fn leave(&self, node: &Node<K, P>) -> bool {
        // SAFETY: the lock is held.
        let is_linked = unsafe { Self::disarm(node) };
        if is_linked {
            // SAFETY: the lock is held, and an armed node is linked.
            unsafe { self.list.remove(ptr::from_ref(node).cast()) };
        }
        is_linked
    }

    /// Whether the node is linked; it is not armed any more.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the list that the node was linked into.
    #[inline(always)]
    unsafe fn disarm(node: &Node<K, P>) -> bool {
        // SAFETY: the lock is held.
        let generation = node.armed.with(|armed| unsafe { *armed });
        let is_armed = generation != Generation::NONE && generation != Generation::CLAIMED;
        let is_linked = is_armed || cfg!(mutation = "wait_list_leave_blind");
        if is_linked {
            // SAFETY: the lock is held.
            node.armed
                .with_mut(|armed| unsafe { *armed = Generation::NONE });
        }
        is_linked
    }

    /// O: as [`WaitList::leave`], where the node may be in `other` as well.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::leave`], for both lists.
    pub(crate) unsafe fn leave_either(&self, other: &Self, node: &Node<K, P>) -> bool {
        // SAFETY: the lock is held.
        let is_linked = unsafe { Self::disarm(node) };
        if is_linked {
            let links = ptr::from_ref(node).cast();
            // SAFETY: the lock is held, and an armed node is linked.
            unsafe { self.list.remove_from_either(&other.list, links) };
        }
        is_linked
    }

    /// Moves all nodes of `other` behind those of this list, in order.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of both lists.
    pub(crate) unsafe fn append(&self, other: &Self) {
        // SAFETY: the lock is held.
        unsafe { self.list.append(&other.list) };
    }

    /// Looks at the first `most` nodes of `other`, and moves those that are `wanted` behind those of this list, in order. Whether
    /// these were all.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of both lists.
    pub(crate) unsafe fn take_from(
        &self,
        other: &Self,
        most: usize,
        mut wanted: impl FnMut(&mut P) -> bool,
    ) -> bool {
        // SAFETY: the lock is held.
        let mut at = unsafe { other.list.first() };
        for _ in 0..most {
            // SAFETY: a linked node stands, as in `claim_front`.
            let Some(node) = (unsafe { at.cast::<Node<K, P>>().as_ref() }) else {
                break;
            };
            // SAFETY: the node is linked, and the lock is held.
            let next = unsafe { List::after(at) };
            // SAFETY: only who holds the lock touches the slot of a linked node.
            if node.slot.with_mut(|slot| wanted(unsafe { &mut *slot })) {
                // SAFETY: the lock is held, and the node is in that list.
                unsafe { other.list.remove(at) };
                // SAFETY: the lock is held, and the node is in no list now.
                unsafe { self.list.push_back(at) };
            }
            at = next;
        }
        at.is_null()
    }

    /// Whether nobody is linked. Who is, may have been cancelled already.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of this list.
    #[inline(always)]
    pub(crate) unsafe fn is_empty(&self) -> bool {
        // SAFETY: the lock is held.
        unsafe { self.list.first() }.is_null()
    }
}
