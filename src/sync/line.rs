//! A state, and those who wait until it changes, under one lock: what the tools beside the channel are made of.
//!
//! A tool is a state and a few transitions on it. Each transition runs under the lock, moves values and calls no user
//! code, and gives back who was claimed; whoever made it hands those back after the lock was released
//! (`sync/wait_list.rs` says why).

use std::mem::ManuallyDrop;

use crate::sync::wait_list::{Node, WaitList, Waits};
use crate::task::word::Generation;
use crate::util::biased::{BiasedGuard, BiasedLock};
use crate::util::sync::Shared;

/// The state `S`, and those who wait, each with a slot `P`.
#[derive(Debug)]
pub(crate) struct Line<K, S, P> {
    lock: BiasedLock,
    inner: Shared<Inner<K, S, P>>,
}

#[derive(Debug)]
struct Inner<K, S, P> {
    state: S,
    waiters: WaitList<K, P>,
    /// Those who were set aside: nobody claims them there.
    aside: WaitList<K, P>,
}

impl<K: Waits, S, P> Line<K, S, P> {
    pub(crate) fn new(state: S) -> Self {
        Self {
            lock: BiasedLock::new(),
            inner: Shared::new(Inner {
                state,
                waiters: WaitList::new(),
                aside: WaitList::new(),
            }),
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Held<'_, K, S, P> {
        self.lock_by(K::thread())
    }

    /// The same, for a caller that knows its thread.
    #[inline(always)]
    pub(crate) fn lock_by(&self, thread: u64) -> Held<'_, K, S, P> {
        Held {
            line: self,
            _guard: self.lock.lock(thread),
        }
    }
}

impl<K: Waits, S, P> Line<K, S, P> {
    /// The lock itself, for one who must hold several.
    pub(crate) fn lock_alone(&self) -> &BiasedLock {
        &self.lock
    }

    /// The line, for one who holds its lock already.
    ///
    /// # Safety
    ///
    /// The caller holds [`lock_alone`](Line::lock_alone).
    pub(crate) unsafe fn held_already(&self) -> ManuallyDrop<Held<'_, K, S, P>> {
        // SAFETY: passed on to the caller. The guard goes from one wrapper into another, and is not dropped.
        let guard = ManuallyDrop::into_inner(unsafe { self.lock.assume_held() });
        ManuallyDrop::new(Held {
            line: self,
            _guard: guard,
        })
    }
}

/// The line while its lock is held.
#[derive(Debug)]
pub(crate) struct Held<'a, K, S, P> {
    line: &'a Line<K, S, P>,
    _guard: BiasedGuard<'a>,
}

impl<'a, K: Waits, S, P> Held<'a, K, S, P> {
    #[inline(always)]
    pub(crate) fn line(&self) -> &'a Line<K, S, P> {
        self.line
    }

    #[inline(always)]
    fn inner<R>(&self, work: impl FnOnce(&mut Inner<K, S, P>) -> R) -> R {
        // SAFETY: the lock is held, and no work nests in another.
        self.line
            .inner
            .with_mut(|inner| work(unsafe { &mut *inner }))
    }

    /// Reads or changes the state. The work runs no user code, and touches the line by nothing else.
    #[inline(always)]
    pub(crate) fn state<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        self.inner(|inner| work(&mut inner.state))
    }

    /// Whether somebody waits.
    pub(crate) fn has_waiters(&self) -> bool {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.waiters.with_first(|_| ()) }.is_some())
    }

    /// R: claims the first who waits. The work runs on the state and on the slot.
    #[inline(always)]
    pub(crate) fn claim_first<R>(
        &self,
        hand_over: impl FnOnce(&mut S, &mut P) -> R,
    ) -> Option<(R, *const K)> {
        self.inner(|Inner { state, waiters, .. }| {
            // SAFETY: the lock is held.
            unsafe { waiters.claim_first(|slot| hand_over(state, slot)) }
        })
    }

    /// R: claims the first who waits, if `may` says so of it.
    pub(crate) fn claim_first_if(
        &self,
        may: impl Fn(&S, &P) -> bool,
        hand_over: impl FnOnce(&mut S, &mut P),
    ) -> Option<*const K> {
        self.inner(|Inner { state, waiters, .. }| {
            let state = std::cell::RefCell::new(state);
            // SAFETY: the lock is held.
            let claimed = unsafe {
                waiters.claim_first_if(
                    |slot| may(&state.borrow(), slot),
                    |slot| hand_over(&mut state.borrow_mut(), slot),
                )
            };
            claimed.map(|((), task)| task)
        })
    }

    /// R: claims all who wait.
    pub(crate) fn claim_all(
        &self,
        mut hand_over: impl FnMut(&mut P),
        mut claimed: impl FnMut(*const K),
    ) {
        while let Some(((), task)) = self.claim_first(|_, slot| hand_over(slot)) {
            claimed(task);
        }
    }

    /// Whether no more than so many wait, and `is_so` says yes of all of them. It may note something in their slots.
    pub(crate) fn all_of(&self, most: usize, is_so: impl FnMut(&mut P) -> bool) -> bool {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.waiters.all_of(most, is_so) })
    }

    /// Passes over all who wait no more. How many they were.
    pub(crate) fn pass_over_gone(&self) -> usize {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.waiters.pass_over_gone() })
    }

    /// O: waits in line. `publish` runs before the lock is released.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    #[inline(always)]
    pub(crate) unsafe fn wait(
        self,
        node: &Node<K, P>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.inner(|inner| unsafe { inner.waiters.link(node, generation) });
        #[cfg(mutation = "line_publish_unlocked")]
        drop(self);
        publish();
    }

    /// O: as [`Held::wait`], set aside.
    ///
    /// # Safety
    ///
    /// As for [`Held::wait`].
    pub(crate) unsafe fn wait_aside(
        self,
        node: &Node<K, P>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.inner(|inner| unsafe { inner.aside.link(node, generation) });
        publish();
    }

    /// Whether nobody stands in line, and whether nobody was set aside. Who does may have been cancelled already.
    #[inline(always)]
    pub(crate) fn are_empty(&self) -> (bool, bool) {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { (inner.waiters.is_empty(), inner.aside.is_empty()) })
    }

    /// The slot of the first one who was set aside.
    pub(crate) fn with_first_aside<R>(&self, look: impl FnOnce(&P) -> R) -> Option<R> {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.aside.with_first(look) })
    }

    /// Sets all aside who stand in line, behind those who are there.
    pub(crate) fn set_all_aside(&self) {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.aside.append(&inner.waiters) });
    }

    /// Looks at the first `most` who were set aside; those that are `wanted` go to the end of the line. Whether these were all.
    pub(crate) fn bring_back(&self, most: usize, wanted: impl FnMut(&mut P) -> bool) -> bool {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.waiters.take_from(&inner.aside, most, wanted) })
    }

    /// As [`Held::all_of`], of those who were set aside.
    pub(crate) fn all_aside(&self, most: usize, is_so: impl FnMut(&mut P) -> bool) -> bool {
        // SAFETY: the lock is held.
        self.inner(|inner| unsafe { inner.aside.all_of(most, is_so) })
    }

    /// O: links, in order to publish later, under the same lock.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    pub(crate) unsafe fn link(&self, node: &Node<K, P>, generation: Generation) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.inner(|inner| unsafe { inner.waiters.link(node, generation) });
    }

    /// O: as [`Held::wait`], in front of all others.
    ///
    /// # Safety
    ///
    /// As for [`Held::wait`].
    pub(crate) unsafe fn wait_first(
        self,
        node: &Node<K, P>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.inner(|inner| unsafe { inner.waiters.link_first(node, generation) });
        publish();
    }

    /// O, woken by a cancellation: leaves the line. Whether it still stood there.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::leave`], but for the lock.
    pub(crate) unsafe fn leave(&self, node: &Node<K, P>) -> bool {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.inner(|inner| unsafe { inner.waiters.leave_either(&inner.aside, node) })
    }
}
