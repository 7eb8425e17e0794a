//! What a receiver has taken out of an unlimited channel at once, for itself and other receivers.
//!
//! Where a producer and a consumer run on two threads, both want the lock and the buffer for each element, and the lines of
//! memory that hold them go back and forth: that costs several times what the element does. So a receiver that finds many
//! elements of another thread takes them all, and puts what it does not return itself into the batch, which has a lock of its
//! own. Producers never touch it, and receivers take the channel's lock again when it is empty.
//!
//! # Rules
//!
//! - What is in the batch is older than what is in the channel's buffer.
//! - It is filled with both locks held, the channel's first, and only while it is empty. Under its own lock alone it only
//!   shrinks. So whoever holds the channel's lock and finds both empty knows that nothing can be received, until it releases
//!   that lock.
//! - `has_some` is false only if the batch is empty, for one who holds the channel's lock: it is set where the batch is filled.
//!   Read without that lock it is a hint.
//!
//! # Patience
//!
//! A consumer that is quicker than its producer would come back for one or two elements each time, and take the lines away
//! from the producer as often. So where a batch was found to be small, but no mere one or two, the consumer waits for some
//! microseconds before the next look, longer and longer while it is rewarded for it. Who gets little for its patience, or
//! finds that the producer is on its own thread, has none the next time; so a single element is never waited for.

use std::collections::VecDeque;

use crate::util::biased::BiasedLock;
use crate::util::sync::{AtomicU32, BATCH, Ordering, Shared};

/// After finding fewer elements than this a receiver has patience.
const SMALL: usize = 512;
/// The least and the most patience, in pauses of the processor, each some 10 to 50 ns.
const LEAST: u32 = 16;
const MOST: u32 = 128;

/// The batch, apart in memory from what producers write.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Batch<T> {
    lock: BiasedLock,
    has_some: AtomicU32,
    patience: AtomicU32,
    elements: Shared<VecDeque<T>>,
}

impl<T> Batch<T> {
    pub(crate) fn new() -> Self {
        Self {
            lock: BiasedLock::new(),
            has_some: AtomicU32::new(0),
            patience: AtomicU32::new(0),
            elements: Shared::new(VecDeque::new()),
        }
    }

    #[inline(always)]
    fn with<R>(&self, thread: u64, work: impl FnOnce(&mut VecDeque<T>) -> R) -> R {
        let _guard = self.lock.lock(thread);
        self.elements.with_mut(|elements| {
            // SAFETY: the lock is held.
            let elements = unsafe { &mut *elements };
            let result = work(elements);
            // ORDERING: relaxed, as where it is read.
            self.has_some
                .store(u32::from(!elements.is_empty()), Ordering::Relaxed);
            result
        })
    }

    /// Whether there may be something; no is certain for one who holds the channel's lock.
    #[inline(always)]
    pub(crate) fn has_some(&self) -> bool {
        // ORDERING: relaxed: a hint, or ordered by the channel's lock.
        self.has_some.load(Ordering::Relaxed) != 0
    }

    /// R: takes the oldest element. None is certain for one who holds the channel's lock.
    #[inline(always)]
    pub(crate) fn take(&self, thread: u64) -> Option<T> {
        if !self.has_some() {
            return None;
        }
        self.with(thread, VecDeque::pop_front)
    }

    /// R, which has found nothing in the batch and holds no lock: lets more come together, if that is worth while.
    #[inline(always)]
    pub(crate) fn await_more(&self) {
        // ORDERING: relaxed: it says nothing of anything else.
        for _ in 0..self.patience.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }

    /// R, for whom there is nothing to wait for.
    #[inline(always)]
    pub(crate) fn lose_patience(&self) {
        // ORDERING: relaxed, as where it is read.
        self.patience.store(0, Ordering::Relaxed);
    }

    /// R, which holds the channel's lock and has found the batch empty since: takes what is in the channel's buffer, if that
    /// is much, and returns the first.
    #[inline(always)]
    pub(crate) fn fill(&self, thread: u64, buffer: &mut VecDeque<T>) -> Option<T> {
        if buffer.len() < BATCH {
            self.lose_patience();
            return None;
        }
        if buffer.len() < SMALL {
            // ORDERING: relaxed, as where it is read.
            let patience = self.patience.load(Ordering::Relaxed);
            let more = (2 * patience).clamp(LEAST, MOST);
            self.patience.store(more, Ordering::Relaxed);
        }
        let first = buffer.pop_front();
        self.with(thread, |elements| std::mem::swap(elements, buffer));
        first
    }

    /// Whoever holds the channel's lock: how many there are.
    pub(crate) fn len(&self, thread: u64) -> usize {
        self.with(thread, |elements| elements.len())
    }

    /// Whoever holds the channel's lock: takes all.
    pub(crate) fn take_all(&self, thread: u64) -> VecDeque<T> {
        self.with(thread, std::mem::take)
    }
}
