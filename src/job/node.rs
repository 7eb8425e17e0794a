//! A job as the tree sees it: flags, counts, links, the list of those who wait.
//!
//! Everything but the atomics is guarded by the job's lock, save a child's sibling links, which its parent's lock
//! guards. Lock order: a parent before its child; no lock is taken while a child's is held. The lock is held for a few
//! instructions, and no user code runs under it.

use std::ptr;

use crate::job::state::{CANCELLING, COMPLETED, LOOSE, STARTED, State};
use crate::util::list::{Links, List};
use crate::util::lock::{SpinGuard, SpinLock};
use crate::util::sync::{AtomicPtr, AtomicU32, Ordering, Shared};

/// The part of a task block that makes it a member of the tree.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct JobNode {
    state: AtomicU32,
    lock: SpinLock,
    refs: AtomicU32,
    /// How many children have not ended.
    pub(super) live: Shared<u32>,
    parent: AtomicPtr<JobNode>,
    pub(super) sibling: Links,
    pub(super) children: List,
    pub(super) joiners: List,
}

impl JobNode {
    /// A job with `kind` bits that is New or, with `STARTED`, Active; `refs` counts the handles that exist from birth.
    pub(crate) fn new(kind: u32, refs: u32) -> Self {
        Self {
            state: AtomicU32::new(kind),
            lock: SpinLock::new(),
            refs: AtomicU32::new(refs),
            live: Shared::new(0),
            parent: AtomicPtr::new(ptr::null_mut()),
            sibling: Links::new(),
            children: List::new(),
            joiners: List::new(),
        }
    }

    /// A new job of one that nobody has met, and that never had a child: its state is written, and the rest is as it was.
    #[inline(always)]
    pub(crate) fn begin_again(&mut self, kind: u32, refs: u32) {
        debug_assert_eq!(self.refs.load(Ordering::Relaxed), refs);
        // ORDERING: relaxed, as in `new`: nobody else has it.
        self.state.store(kind, Ordering::Relaxed);
    }

    /// The flags at this moment.
    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        // ORDERING: acquire, so that what was written before a flag was set (the cause, the value) is visible.
        State(self.state.load(Ordering::Acquire))
    }

    /// The flags as the owner of the coroutine reads them after it has published its suspension.
    #[inline(always)]
    pub(crate) fn is_cancelling_seq_cst(&self) -> bool {
        // ORDERING: seq-cst pairs with `set` by the canceller (continuation/word.rs, the argument in its header).
        self.state.load(Ordering::SeqCst) & CANCELLING != 0
    }

    /// Takes the lock of this job.
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_> {
        self.lock.lock()
    }

    /// Sets flags; the guard shows that the lock is held.
    #[inline]
    pub(crate) fn set(&self, _guard: &SpinGuard<'_>, flags: u32) -> State {
        let old = self.state.load(Ordering::Relaxed);
        // ORDERING: seq-cst for CANCELLING (against a suspending owner), release for what was written before.
        self.state.store(old | flags, Ordering::SeqCst);
        State(old)
    }

    /// Sets flags that no suspending owner looks for.
    #[inline]
    pub(crate) fn set_relaxed_order(&self, _guard: &SpinGuard<'_>, flags: u32) -> State {
        let old = self.state.load(Ordering::Relaxed);
        // ORDERING: release publishes what was written before; the lock orders it against other writers.
        self.state.store(old | flags, Ordering::Release);
        State(old)
    }

    /// A loose job becomes one of the tree; the guard shows that the lock of its parent is held.
    pub(super) fn tie(&self, _parent: &SpinGuard<'_>, flags: u32) {
        let old = self.state.load(Ordering::Relaxed);
        // ORDERING: release publishes what was written before; no seq-cst, since the owner ties what it has before it
        // publishes its suspension, and so has seen this store then. One store, so that it never sees the job without the
        // parent's cancellation in between.
        self.state.store(old & !LOOSE | flags, Ordering::Release);
    }

    /// Counts a cancellation of all children; the guard shows that the lock is held.
    pub(super) fn sweep(&self, _guard: &SpinGuard<'_>) {
        let old = State(self.state.load(Ordering::Relaxed));
        // ORDERING: release, as for other flags; a loose child compares it.
        self.state.store(old.swept().0, Ordering::Release);
    }

    /// The parent, while this job has not ended. Null for a root.
    #[inline]
    pub(crate) fn parent(&self) -> *const JobNode {
        self.parent.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn set_parent(&self, parent: *const JobNode) {
        self.parent.store(parent.cast_mut(), Ordering::Release);
    }

    /// How many children have not ended; the guard shows that the lock is held.
    pub(crate) fn live(&self, _guard: &SpinGuard<'_>) -> u32 {
        // SAFETY: the lock is held.
        self.live.with(|live| unsafe { *live })
    }

    /// New becomes Active. False if it was not New.
    pub(crate) fn start(&self) -> bool {
        let guard = self.lock();
        let old = State(self.state.load(Ordering::Relaxed));
        if old.has(STARTED | CANCELLING | COMPLETED) {
            return false;
        }
        self.set_relaxed_order(&guard, STARTED);
        true
    }

    /// Whether only the job itself and one handle count on it.
    pub(crate) fn is_sole_handle(&self) -> bool {
        // ORDERING: acquire, as for the other readers of the count; a handle that is dropped meanwhile may be missed.
        self.refs.load(Ordering::Acquire) <= 2
    }

    /// One more handle.
    #[inline]
    pub(crate) fn retain(&self) {
        // ORDERING: relaxed, since the caller already has a handle.
        let old = self.refs.fetch_add(1, Ordering::Relaxed);
        assert!(old < u32::MAX / 2, "too many handles of one job");
    }

    /// One handle less; true if it was the last one, and the caller owes the freeing of the block.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // ORDERING: acquire pairs with the releases of the other handles. A lone handle cannot be copied by anybody
        // else, so it needs no read-modify-write.
        if self.refs.load(Ordering::Acquire) == 1 {
            return true;
        }
        // ORDERING: release orders what was done through this handle before the freeing; acquire, the freeing after it.
        #[cfg(not(mutation = "node_release_relaxed"))]
        let order = Ordering::AcqRel;
        #[cfg(mutation = "node_release_relaxed")]
        let order = Ordering::Relaxed;
        self.refs.fetch_sub(1, order) == 1
    }
}
