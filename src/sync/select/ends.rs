//! What can be given and taken in an exchange: an element, at either end of a channel, and a permit.

use std::collections::VecDeque;

use crate::sync::channel::core::{Core, Offer, Slot, Take};
use crate::sync::line::{Held, Line};
use crate::sync::select::exchange::{Exchange, Look};
use crate::sync::wait_list::{Node, Waits};
use crate::task::word::Generation;
use crate::util::biased::BiasedLock;
use crate::util::sync::Shared;

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
    fn lock(&self) -> &BiasedLock {
        self.core.lock_alone()
    }

    /// # Safety
    ///
    /// The trait's.
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

    /// # Safety
    ///
    /// The trait's.
    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { locked.link_receiver(&self.node, generation) };
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.core.lock().leave_receivers(&self.node) };
    }

    /// # Safety
    ///
    /// The trait's.
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
    fn lock(&self) -> &BiasedLock {
        self.core.lock_alone()
    }

    /// # Safety
    ///
    /// The trait's.
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

    /// # Safety
    ///
    /// The trait's.
    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let locked = unsafe { self.core.locked_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { locked.link_sender(&self.node, generation) };
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.core.lock().leave_senders(&self.node) };
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn was_claimed(&self) -> bool {
        // SAFETY: the node is idle.
        unsafe { self.node.was_claimed() }
    }

    fn grow(&self, capacity: usize) {
        let memory = VecDeque::with_capacity(capacity);
        let _old = self.core.lock().grow(memory);
    }
}

/// A clause that takes a turn at a line: a permit, a lock. When it has won, it has it.
#[derive(Debug)]
pub(crate) struct TurnEnd<'a, K, S, P, F> {
    line: &'a Line<K, S, P>,
    node: Node<K, P>,
    take: F,
}

impl<'a, K, S, P, F> TurnEnd<'a, K, S, P, F>
where
    K: Waits,
    F: Fn(&Held<'_, K, S, P>) -> bool,
{
    /// `take` takes the turn, if that is possible at once; else it is handed over to the place `waits`.
    pub(crate) fn new(line: &'a Line<K, S, P>, task: *const K, waits: P, take: F) -> Self {
        Self {
            line,
            node: Node::new(task, waits),
            take,
        }
    }
}

impl<K, S, P, F> Exchange<K> for TurnEnd<'_, K, S, P, F>
where
    K: Waits,
    F: Fn(&Held<'_, K, S, P>) -> bool,
{
    fn lock(&self) -> &BiasedLock {
        self.line.lock_alone()
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn look(&self, _woken: &mut dyn FnMut(*const K)) -> Look {
        // SAFETY: the lock is held.
        let held = unsafe { self.line.held_already() };
        if (self.take)(&held) {
            Look::Won
        } else {
            Look::Nothing
        }
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn link(&self, generation: Generation) {
        // SAFETY: the lock is held.
        let held = unsafe { self.line.held_already() };
        // SAFETY: the caller vouches for the node.
        unsafe { held.link(&self.node, generation) };
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn leave(&self) {
        // SAFETY: the caller vouches that the wait is over; a node that is not linked is left alone.
        unsafe { self.line.lock().leave(&self.node) };
    }

    /// # Safety
    ///
    /// The trait's.
    unsafe fn was_claimed(&self) -> bool {
        // SAFETY: the node is idle.
        unsafe { self.node.was_claimed() }
    }
}
