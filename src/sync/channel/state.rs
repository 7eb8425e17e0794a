//! What is in a channel, and who waits at it: the part that its lock guards.

use std::collections::VecDeque;

use crate::sync::channel::core::{Offer, Overflow, Slot, Take};
use crate::sync::wait_list::{WaitList, Waits};
use crate::util::prefetch;

/// So many bytes in front of the last element memory is asked for.
const AHEAD: usize = 256;

/// How the channel has ended, if it has: `core.rs` has the arrows.
#[derive(Debug)]
pub(super) enum End<C> {
    Open,
    Closed(Option<C>),
    Cancelled(Option<C>),
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct State<K, T, C> {
    pub(super) buffer: VecDeque<T>,
    /// The thread that has put in the last element, at an unlimited channel.
    pub(super) sender: u64,
    pub(super) end: End<C>,
    pub(super) receivers: WaitList<K, Slot<T>>,
    pub(super) senders: WaitList<K, Slot<T>>,
}

// Functions and not closures, which cannot be asked to be inlined: elsewhere each element and each answer goes through memory.
impl<K: Waits, T, C: Clone> State<K, T, C> {
    /// S: an element is about to come from that thread, at an unlimited channel.
    #[inline(always)]
    pub(super) fn note_sender(&mut self, thread: u64) {
        self.sender = thread;
        // Where another thread has read the buffer, each line of it must be fetched back: better in advance.
        prefetch::line_to_write(end_of(&self.buffer).wrapping_byte_add(AHEAD));
    }

    /// [`Locked::offer`](super::core::Locked::offer).
    ///
    /// # Safety
    ///
    /// The lock is held.
    #[inline(always)]
    pub(super) unsafe fn offer(
        &mut self,
        limit: usize,
        overflow: Overflow,
        value: T,
        woken: impl FnOnce(*const K),
    ) -> Offer<T, C> {
        if let End::Closed(cause) | End::Cancelled(cause) = &self.end
            && !cfg!(mutation = "channel_offer_after_end")
        {
            return Offer::Ended(value, cause.clone());
        }
        let mut value = Some(value);
        // SAFETY: the lock is held.
        let receiver = unsafe { self.receivers.claim_first(|slot| *slot = value.take()) };
        if let Some(((), task)) = receiver {
            woken(task);
            return Offer::Taken;
        }
        let value = value.expect("only a receiver takes it");
        let buffer = &mut self.buffer;
        if buffer.len() < limit {
            if buffer.len() == buffer.capacity() {
                let more = buffer.len().saturating_mul(2).clamp(4, limit.max(4));
                return Offer::Grow(value, more);
            }
            buffer.push_back(value);
            return Offer::Taken;
        }
        match overflow {
            Overflow::Suspend => Offer::Full(value),
            Overflow::DropLatest => Offer::Dropped(value),
            Overflow::DropOldest => match buffer.pop_front() {
                None => Offer::Dropped(value),
                Some(oldest) => {
                    buffer.push_back(value);
                    Offer::Dropped(oldest)
                }
            },
        }
    }

    /// [`Locked::take_unbatched`](super::core::Locked::take_unbatched).
    ///
    /// # Safety
    ///
    /// The lock is held.
    #[inline(always)]
    pub(super) unsafe fn take(
        &mut self,
        overflow: Overflow,
        woken: impl FnOnce(*const K),
    ) -> Take<T, C> {
        let first = self.buffer.pop_front();
        if first.is_some() && overflow != Overflow::Suspend {
            return first.map_or(Take::Empty, Take::Element);
        }
        // SAFETY: the lock is held.
        let sender = unsafe { self.senders.claim_first(Option::take) };
        let brought = sender.and_then(|(element, task)| {
            woken(task);
            element
        });
        match (first, brought) {
            (Some(first), brought) => {
                // There is memory for it: the first has just left.
                if let Some(brought) = brought {
                    self.buffer.push_back(brought);
                }
                Take::Element(first)
            }
            (None, Some(brought)) => Take::Element(brought),
            (None, None) => match &self.end {
                End::Open => Take::Empty,
                End::Closed(cause) | End::Cancelled(cause) => Take::Ended(cause.clone()),
            },
        }
    }
}

/// Where the next element will be put, if there is memory behind the last one.
#[inline(always)]
fn end_of<T>(buffer: &VecDeque<T>) -> *const T {
    let (front, back) = buffer.as_slices();
    let last = if back.is_empty() { front } else { back };
    last.as_ptr_range().end
}
