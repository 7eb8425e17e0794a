//! The protocol of a channel: a buffer, those who wait at either end, and its end.
//!
//! One lock guards everything. It knows nothing of suspension: what must wait is told so, and links its node while the
//! lock is still held; what was woken is told to the caller, who hands it back after the lock was released. No value and no
//! cause is dropped under the lock, and the buffer grows outside it. (Of an unlimited channel the oldest elements may be in a
//! batch with a lock of its own, see `batch.rs`: together the two are the buffer of which is spoken here.)
//!
//! # Who waits
//!
//! - Receivers wait only while the buffer is empty and no sender waits and the channel is open.
//! - Senders wait only while the buffer is full, into a channel that suspends on overflow.
//!
//! (Nodes of those who were cancelled and have not left yet do not count: they are passed over.)
//!
//! # What a slot means
//!
//! | waits | slot when linked | handed over | woken by the end |
//! |---|---|---|---|
//! | receiver | empty | filled | empty |
//! | sender | filled | empty | filled: it gets its element back |
//!
//! # The end
//!
//! S is a sender's side, R a receiver's:
//!
//! ```text
//! open -S> closed       nothing more goes in; what is in, and what waiting senders bring, can still be received
//! open -R> cancelled    nothing more goes in; what is in is dropped, waiting senders get their elements back
//! closed -R> cancelled  what is left is dropped; the cause stays the first
//! ```
//!
//! A sender that waited when the channel was closed came before the close, so its element is received.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::sync::channel::batch::Batch;
use crate::sync::channel::state::{End, State};
use crate::sync::wait_list::{Node, WaitList, Waits};
use crate::task::word::Generation;
use crate::util::biased::{BiasedGuard, BiasedLock, STRANGER};
use crate::util::sync::Shared;

/// What a send into a full channel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    Suspend,
    DropOldest,
    DropLatest,
}

/// What has become of an element that was offered.
#[derive(Debug)]
#[must_use]
pub(crate) enum Offer<T, C> {
    /// A receiver has it, or the buffer.
    Taken,
    /// The send has succeeded, and this element gave way.
    Dropped(T),
    /// There is no room: wait, or give up.
    Full(T),
    /// There would be room: give the buffer so much memory, then offer again.
    Grow(T, usize),
    /// Nothing more goes in.
    Ended(T, Option<C>),
}

/// What a receiver finds.
#[derive(Debug)]
#[must_use]
pub(crate) enum Take<T, C> {
    Element(T),
    /// Nothing yet: wait, or give up.
    Empty,
    /// Nothing any more.
    Ended(Option<C>),
}

/// The slot of a waiter: with an element in it, or without.
pub(crate) type Slot<T> = Option<T>;

/// A channel, as far as it is a protocol. `K` is who waits, `C` the cause with which it ends.
#[derive(Debug)]
pub(crate) struct Core<K, T, C> {
    lock: BiasedLock,
    limit: usize,
    overflow: Overflow,
    state: Shared<State<K, T, C>>,
    /// Of an unlimited channel.
    batch: Option<Arc<Batch<T>>>,
}

/// What a cancel has done.
#[derive(Debug)]
pub(crate) struct Rest<T> {
    /// Whether this was the end, and not something after it.
    pub(crate) is_first: bool,
    /// What was left in the channel: what was in the batch, and what in the buffer.
    pub(crate) elements: [VecDeque<T>; 2],
}

impl<K: Waits, T, C: Clone> Core<K, T, C> {
    pub(crate) fn new(limit: usize, overflow: Overflow) -> Self {
        Self {
            lock: BiasedLock::new(),
            limit,
            overflow,
            state: Shared::new(State {
                buffer: VecDeque::new(),
                sender: STRANGER,
                end: End::Open,
                receivers: WaitList::new(),
                senders: WaitList::new(),
            }),
            batch: (limit == usize::MAX).then(|| Arc::new(Batch::new())),
        }
    }

    pub(crate) fn lock(&self) -> Locked<'_, K, T, C> {
        self.lock_by(K::thread())
    }

    /// The same, for a caller that knows its thread.
    #[inline(always)]
    pub(crate) fn lock_by(&self, thread: u64) -> Locked<'_, K, T, C> {
        Locked {
            core: self,
            thread,
            _guard: self.lock.lock(thread),
        }
    }

    /// What receivers have taken at once, of an unlimited channel.
    #[inline(always)]
    pub(crate) fn batch(&self) -> Option<&Arc<Batch<T>>> {
        self.batch.as_ref()
    }

    /// The lock itself, for one who must hold several.
    pub(crate) fn lock_alone(&self) -> &BiasedLock {
        &self.lock
    }

    /// The channel, for one who holds its lock already.
    ///
    /// # Safety
    ///
    /// The caller holds [`lock_alone`](Core::lock_alone).
    pub(crate) unsafe fn locked_already(&self) -> ManuallyDrop<Locked<'_, K, T, C>> {
        // SAFETY: passed on to the caller. The guard goes from one wrapper into another, and is not dropped.
        let guard = ManuallyDrop::into_inner(unsafe { self.lock.assume_held() });
        ManuallyDrop::new(Locked {
            core: self,
            thread: K::thread(),
            _guard: guard,
        })
    }
}

/// A channel while its lock is held.
#[derive(Debug)]
pub(crate) struct Locked<'a, K, T, C> {
    core: &'a Core<K, T, C>,
    thread: u64,
    _guard: BiasedGuard<'a>,
}

impl<K: Waits, T, C: Clone> Locked<'_, K, T, C> {
    #[inline(always)]
    fn state<R>(&self, work: impl FnOnce(&mut State<K, T, C>) -> R) -> R {
        // SAFETY: the lock is held, and no work nests in another.
        self.core
            .state
            .with_mut(|state| work(unsafe { &mut *state }))
    }

    /// S: hands an element to a waiting receiver, or to the buffer.
    #[inline(always)]
    pub(crate) fn offer(&self, value: T, woken: impl FnOnce(*const K)) -> Offer<T, C> {
        let (limit, overflow) = (self.core.limit, self.core.overflow);
        if limit == usize::MAX {
            self.state(|state| state.note_sender(self.thread));
        }
        // SAFETY: the lock is held.
        self.state(|state| unsafe { state.offer(limit, overflow, value, woken) })
    }

    /// R: takes the oldest element; the first waiting sender moves up.
    #[inline]
    pub(crate) fn take(&self, woken: impl FnOnce(*const K)) -> Take<T, C> {
        let batch = self.core.batch();
        match batch
            .filter(|_| !cfg!(mutation = "channel_batch_overtaken"))
            .and_then(|batch| batch.take(self.thread))
        {
            Some(element) => Take::Element(element),
            None => self.take_unbatched(woken),
        }
    }

    /// The same, where nothing is in a batch.
    #[inline(always)]
    pub(crate) fn take_unbatched(&self, woken: impl FnOnce(*const K)) -> Take<T, C> {
        let overflow = self.core.overflow;
        // SAFETY: the lock is held.
        self.state(|state| unsafe { state.take(overflow, woken) })
    }

    /// R, which has found no batch: takes many elements of another thread at once, and returns the oldest. None if there are few,
    /// and nothing is in a batch.
    #[inline(never)]
    pub(crate) fn take_many(&self, batch: &Batch<T>) -> Option<T> {
        if !cfg!(mutation = "channel_fill_blind")
            && let Some(element) = batch.take(self.thread)
        {
            return Some(element);
        }
        self.state(|state| {
            let is_from_here = state.sender == self.thread && self.thread > STRANGER;
            if is_from_here {
                batch.lose_patience();
                return None;
            }
            batch.fill(self.thread, &mut state.buffer)
        })
    }

    /// S, after [`Offer::Full`]: waits in line. `publish` runs before the lock is released.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    #[inline(always)]
    pub(crate) unsafe fn wait_to_send(
        self,
        node: &Node<K, Slot<T>>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.senders.link(node, generation) });
        #[cfg(mutation = "channel_publish_unlocked")]
        drop(self);
        publish();
    }

    /// R, after [`Take::Empty`]: waits in line. `publish` runs before the lock is released.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    #[inline(always)]
    pub(crate) unsafe fn wait_to_receive(
        self,
        node: &Node<K, Slot<T>>,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.receivers.link(node, generation) });
        #[cfg(mutation = "channel_publish_unlocked")]
        drop(self);
        publish();
    }

    /// S: links, in order to publish later, under the same lock.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    pub(crate) unsafe fn link_sender(&self, node: &Node<K, Slot<T>>, generation: Generation) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.senders.link(node, generation) });
    }

    /// R: links, in order to publish later, under the same lock.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::link`], but for the lock.
    pub(crate) unsafe fn link_receiver(&self, node: &Node<K, Slot<T>>, generation: Generation) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.receivers.link(node, generation) });
    }

    /// S, woken by a cancellation: leaves the line.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::leave`], but for the lock.
    pub(crate) unsafe fn leave_senders(self, node: &Node<K, Slot<T>>) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.senders.leave(node) });
    }

    /// R, woken by a cancellation: leaves the line.
    ///
    /// # Safety
    ///
    /// As for [`WaitList::leave`], but for the lock.
    pub(crate) unsafe fn leave_receivers(self, node: &Node<K, Slot<T>>) {
        // SAFETY: the lock is held, and the caller vouches for the node.
        self.state(|state| unsafe { state.receivers.leave(node) });
    }

    /// S: closes. Gives the cause back if the channel had ended before.
    pub(crate) fn close(
        &self,
        cause: Option<C>,
        woken: impl FnMut(*const K),
    ) -> Result<(), Option<C>> {
        self.state(|state| {
            if !matches!(state.end, End::Open) {
                return Err(cause);
            }
            state.end = End::Closed(cause);
            if !cfg!(mutation = "channel_close_wakes_nobody") {
                release(&state.receivers, woken);
            }
            Ok(())
        })
    }

    /// R: ends the channel and gives what was in it. The cause is given back if there was one already.
    pub(crate) fn cancel(
        &self,
        cause: Option<C>,
        mut woken: impl FnMut(*const K),
    ) -> (Rest<T>, Option<C>) {
        self.state(|state| {
            let (is_first, cause, unused) = match std::mem::replace(&mut state.end, End::Open) {
                End::Open => (true, cause, None),
                End::Closed(first) | End::Cancelled(first) => (false, first, cause),
            };
            state.end = End::Cancelled(cause);
            release(&state.receivers, &mut woken);
            if !cfg!(mutation = "channel_cancel_forgets_senders") {
                release(&state.senders, woken);
            }
            let batch = match &self.core.batch {
                Some(batch) if !cfg!(mutation = "channel_cancel_forgets_batch") => {
                    batch.take_all(self.thread)
                }
                _ => VecDeque::new(),
            };
            let elements = [batch, std::mem::take(&mut state.buffer)];
            (Rest { is_first, elements }, unused)
        })
    }

    /// After [`Offer::Grow`]: takes over memory for the buffer, and gives back what is not needed.
    pub(crate) fn grow(&self, mut memory: VecDeque<T>) -> VecDeque<T> {
        self.state(|state| {
            if memory.capacity() > state.buffer.capacity() {
                memory.append(&mut state.buffer);
                std::mem::swap(&mut memory, &mut state.buffer);
            }
            memory
        })
    }

    /// The cause with which the channel has ended, if it has.
    pub(crate) fn end(&self) -> Option<Option<C>> {
        self.state(|state| match &state.end {
            End::Open => None,
            End::Closed(cause) | End::Cancelled(cause) => Some(cause.clone()),
        })
    }

    pub(crate) fn is_closed_for_send(&self) -> bool {
        self.state(|state| !matches!(state.end, End::Open))
    }

    pub(crate) fn is_closed_for_receive(&self) -> bool {
        self.is_closed_for_send() && self.has_nothing()
    }

    /// Whether there is nothing to receive at this moment.
    pub(crate) fn has_nothing(&self) -> bool {
        // SAFETY: the lock is held.
        self.len() == 0 && self.state(|state| unsafe { state.senders.is_empty() })
    }

    /// How many elements are in the buffer.
    pub(crate) fn len(&self) -> usize {
        let batch = self.core.batch.as_ref();
        let in_batch = batch.map_or(0, |batch| batch.len(self.thread));
        in_batch + self.state(|state| state.buffer.len())
    }
}

/// Claims all who wait in a list, and leaves their slots as they are.
fn release<K: Waits, P>(list: &WaitList<K, P>, mut woken: impl FnMut(*const K)) {
    // SAFETY: the caller holds the lock.
    while let Some(((), task)) = unsafe { list.claim_first(|_| ()) } {
        woken(task);
    }
}
