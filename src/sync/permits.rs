//! So many permits, and those who wait for one: what a lock (one permit) and a semaphore have in common.
//!
//! A permit is free, or somebody has it. Who gives one back while others wait hands it to the first of them: it is never
//! free in between, so nobody who comes along can take it. Where permits are free nobody waits, but for nodes of cancelled
//! ones that have not left yet.
//!
//! O waits, G gives back, X cancels:
//!
//! ```text
//! free  -O> held            taken at once
//! held  -G> free            nobody waited
//! held  -G> held by O       handed over: O's word was claimed
//! ```
//!
//! Handed over and cancelled before it runs, O has the permit and must give it back itself: cancellation wins until the
//! moment of resumption, and the permit goes on to the next.

use std::mem::ManuallyDrop;

use crate::sync::wait_list::{Node, WaitList, Waits};
use crate::task::word::Generation;
use crate::util::lock::{SpinGuard, SpinLock};
use crate::util::sync::Shared;

/// The permits. `H` is what is noted of the holder of the last permit that was taken.
#[derive(Debug)]
pub(crate) struct Permits<K, H> {
    lock: SpinLock,
    state: Shared<State<K, H>>,
}

#[derive(Debug)]
struct State<K, H> {
    free: usize,
    holder: Option<H>,
    waiters: WaitList<K, H>,
}

impl<K: Waits, H: Copy> Permits<K, H> {
    pub(crate) fn new(free: usize) -> Self {
        Self {
            lock: SpinLock::new(),
            state: Shared::new(State {
                free,
                holder: None,
                waiters: WaitList::new(),
            }),
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Locked<'_, K, H> {
        Locked {
            permits: self,
            _guard: self.lock.lock(),
        }
    }

    /// The lock itself, for one who must hold several.
    pub(crate) fn lock_alone(&self) -> &SpinLock {
        &self.lock
    }

    /// The permits, for one who holds their lock already.
    ///
    /// # Safety
    ///
    /// The caller holds [`lock_alone`](Permits::lock_alone).
    pub(crate) unsafe fn locked_already(&self) -> ManuallyDrop<Locked<'_, K, H>> {
        // SAFETY: passed on to the caller. The guard goes from one wrapper into another, and is not dropped.
        let guard = ManuallyDrop::into_inner(unsafe { self.lock.assume_held() });
        ManuallyDrop::new(Locked {
            permits: self,
            _guard: guard,
        })
    }
}

/// The permits while their lock is held.
#[derive(Debug)]
pub(crate) struct Locked<'a, K, H> {
    permits: &'a Permits<K, H>,
    _guard: SpinGuard<'a>,
}

impl<K: Waits, H: Copy> Locked<'_, K, H> {
    #[inline(always)]
    fn state<R>(&self, work: impl FnOnce(&mut State<K, H>) -> R) -> R {
        // SAFETY: the lock is held, and no work nests in another.
        self.permits
            .state
            .with_mut(|state| work(unsafe { &mut *state }))
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.state(|state| state.free)
    }

    /// Who has taken one last, if it was not given back.
    pub(crate) fn holder(&self) -> Option<H> {
        self.state(|state| state.holder)
    }

    /// Takes a permit if one is free.
    #[inline(always)]
    #[must_use]
    pub(crate) fn take(&self, holder: H) -> bool {
        self.state(|state| {
            let has_one = state.free > 0;
            if has_one {
                state.free -= 1;
                state.holder = Some(holder);
            }
            has_one
        })
    }

    /// O: waits in line. `publish` runs before the lock is released.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    #[inline(always)]
    pub(crate) unsafe fn wait(
        self,
        node: &Node<K, H>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.waiters.link(node, generation) });
        #[cfg(mutation = "permits_publish_unlocked")]
        drop(self);
        publish();
    }

    /// O: links, in order to publish later, under the same lock.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    pub(crate) unsafe fn link(&self, node: &Node<K, H>, generation: Generation) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.waiters.link(node, generation) });
    }

    /// O, woken by a cancellation: leaves the line.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::leave`], but for the lock.
    pub(crate) unsafe fn leave(self, node: &Node<K, H>) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.waiters.leave(node) });
    }

    /// G: gives a permit back. Whoever is returned has it now, and must be handed back after the lock was released.
    #[inline(always)]
    #[must_use]
    pub(crate) fn give_back(&self) -> Option<*const K> {
        self.state(|state| {
            #[cfg(mutation = "permits_hand_over_and_free")]
            {
                state.free += 1;
            }
            // SAFETY: the lock is held.
            let next = unsafe { state.waiters.claim_first(|holder| *holder) };
            if let Some((holder, task)) = next {
                state.holder = Some(holder);
                Some(task)
            } else {
                state.holder = None;
                #[cfg(not(mutation = "permits_hand_over_and_free"))]
                {
                    state.free += 1;
                }
                None
            }
        })
    }
}
