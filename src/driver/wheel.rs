//! Timers: a hierarchical timer wheel of nodes that live in their owners' frames.
//!
//! Nearly every timer is a timeout that is taken back long before its time, so inserting and
//! removing must cost a few nanoseconds whatever else sleeps, and only those that do expire may
//! cost a little more. A wheel does that: it sorts by hashing, roughly, and puts off the rest of
//! the sorting until a timer's time is near, when most are gone.
//!
//! # The idea
//!
//! A deadline is a number of 64 bits. Its lowest 20 bits are a *tick* (1 ms); the bits above are
//! cut into eight *digits* of 6 bits, the lowest first. The wheel has a *level* of 64 slots for
//! each digit. It remembers how far the time has `elapsed`, and puts a node on the level of the
//! highest digit in which its deadline differs from that moment, in the slot of the deadline's
//! digit there. Hence:
//!
//! - all of a level comes before all of the level above it: they agree with the present in one
//!   digit more;
//! - an occupied slot lies after the present one of its level, so a level never wraps round, and
//!   the lowest bit of its bitmap is its earliest slot;
//! - the earliest slot of the lowest occupied level has the earliest deadline of all.
//!
//! A slot holds more of its timers than their nodes (`slots.rs`), so that none of these need be read before it is due.
//!
//! When the time comes to the start of a slot, the slot is *opened*: its nodes now agree with the
//! present in that digit, and each moves to a lower level or, if its tick is the present one, to
//! the heap of what is due (`due.rs`). The heap gives out its nodes in the exact order, and each
//! not before its deadline. A node moves at most eight times in all its life, and one call opens
//! only slots whose time has come, however far the time has jumped: empty ones are never visited.
//!
//! A node without a deadline ([`NEVER`]) is kept in a slot of its own that is never opened.
//!
//! # When to look
//!
//! `wake` is a moment before which there is nothing to do: no slot to open and no deadline passed.
//! So to ask in vain costs one comparison. Insertions keep it true; a removal may leave it too
//! early, which the next look corrects.
//!
//! # Rejected
//!
//! - An ordered tree or a heap alone: a logarithm and cache misses for each timeout that never
//!   happens.
//! - Rounding to ticks, as is usual with wheels: late by up to a tick, and two sleepers within one
//!   wake out of order.
//! - Slots that are lists through the nodes: no memory of the wheel's own, but a miss of the cache for each node whenever
//!   it moves, one after the other, since it has not been touched for long: a fifth of all time with ten thousand sleepers.
//! - Nodes in a slab of the wheel: an index to check for what the frame of the sleeper has room for.
//! - To open long slots piecemeal: the order among what is due at one call is only known when all
//!   of it has been seen.
//!
//! Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987:
//! <https://doi.org/10.1145/41457.37504>. The level by the highest differing digit is found in
//! tokio's wheel: <https://github.com/tokio-rs/tokio/tree/master/tokio/src/runtime/time/wheel>.

mod due;
mod node;
mod slots;

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;

use std::fmt;
use std::ptr::NonNull;

use super::clock::NEVER;
use due::Due;
use node::{Linked, Place};
use slots::{Entry, Slots};

pub use node::TimerNode;

/// A tick is 2^20 ns, about 1 ms: what sleeps shorter is sorted by the heap at once. A shorter one
/// has most timers moved once more, and a thread with many does not wake for them more often.
const TICK_BITS: u32 = 20;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// As many as it takes for the digits to cover the number; of the last one only two bits are left.
const LEVELS: usize = (u64::BITS - TICK_BITS).div_ceil(DIGIT_BITS) as usize;
/// The slot for nodes without a deadline, as if it were the first one of a further level.
const NEVER_SLOT: usize = LEVELS * SLOTS;

/// So many timers of a slot are looked at for its earliest deadline; in one with more, a worker
/// wakes to open it.
const SCAN_LIMIT: usize = 64;

/// The timers of one worker.
///
/// It is not shared: who owns it inserts, removes and pops. A wheel that is dropped does not touch
/// what is linked.
pub struct Wheel {
    /// How far the time has come, as far as this wheel was told. The level of a node is relative to
    /// it.
    elapsed: u64,
    /// Not later than the start of any occupied slot and than any deadline in the heap.
    wake: u64,
    sequence: u64,
    len: usize,
    due: Due,
    /// For each level a bitmap of its slots that are not empty, and one more for the slot of those
    /// without a deadline.
    occupied: [u64; LEVELS + 1],
    slots: Slots<{ NEVER_SLOT + 1 }>,
}

/// An occupied slot and the first moment of its span.
struct Slot {
    level: usize,
    index: usize,
    start: u64,
}

impl Wheel {
    /// Makes an empty wheel whose time begins at `now`.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self {
            elapsed: now,
            wake: NEVER,
            sequence: 0,
            len: 0,
            due: Due::new(),
            occupied: [0; LEVELS + 1],
            slots: Slots::new(),
        }
    }

    /// Links a node that will expire at `deadline`, in constant time. The deadline may have passed
    /// already; with [`NEVER`] the node only waits for its removal.
    ///
    /// # Safety
    ///
    /// - `node` points to a node that is not linked.
    /// - The node stays alive and at its address until it is removed, or popped as expired, or this
    ///   wheel is dropped.
    /// - Until then nobody makes a `&mut` to it, and only the thread of this wheel touches it.
    /// - The pointer is one from which whoever pops it may reach what the node's function wants to
    ///   reach.
    #[inline]
    pub unsafe fn insert(&mut self, node: NonNull<TimerNode>, deadline: u64) {
        // SAFETY: the caller promises that the node is alive and stays where it is.
        let node = unsafe { Linked::new(node) };
        debug_assert!(!node.is_linked(), "a timer was inserted twice");
        node.deadline.set(deadline);
        node.sequence.set(self.sequence);
        self.sequence += 1;
        self.len += 1;
        self.place(Entry { deadline, node });
    }

    /// Unlinks a node before it has expired, in constant time (logarithmic in the last tick before
    /// its deadline).
    ///
    /// # Safety
    ///
    /// `node` is linked into this wheel.
    #[inline]
    pub unsafe fn remove(&mut self, node: NonNull<TimerNode>) {
        // SAFETY: it is linked, so it is alive and in place (the promise made to `insert`).
        let node = unsafe { Linked::new(node) };
        match node.place.get() {
            Place::Slot(chunk, at) => {
                if let Some(emptied) = self.slots.remove(chunk, at) {
                    self.occupied[emptied / SLOTS] &= !(1 << (emptied % SLOTS));
                }
                node.place.set(Place::Unlinked);
            }
            Place::Due => self.due.remove(node),
            Place::Unlinked => panic!("a timer was removed that is not linked"),
        }
        self.count_down();
    }

    /// Returns the moment until which the owner may sleep: never later than the earliest deadline.
    ///
    /// It is exactly that deadline, unless all that is near stands in a slot of more than a few
    /// nodes: then it is the moment at which that slot is to be opened, and asking again after
    /// [`pop_expired`](Self::pop_expired) brings it nearer, at most once a level. `None` if nothing
    /// in the wheel has a deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        // All in the heap comes before all in the slots.
        if let Some(first) = self.due.first() {
            return Some(first.deadline.get());
        }
        let slot = self.earliest_slot()?;
        match self.slots.deadlines(slot.index, SCAN_LIMIT) {
            Some(deadlines) => deadlines.min(),
            None => Some(slot.start),
        }
    }

    /// Unlinks and returns the node that expires first, if its deadline is not after `now`; to be
    /// called until it returns `None`. Between two calls the owner may insert and remove any node.
    ///
    /// Each call returns the least node by deadline, then by order of insertion, of all that are
    /// linked then. An owner that reads the time anew for every call and inserts what is due at
    /// once may never come to the end.
    #[inline]
    pub fn pop_expired(&mut self, now: u64) -> Option<NonNull<TimerNode>> {
        if now < self.wake {
            // No slot starts before `wake`, so none is passed over.
            self.elapsed = self.elapsed.max(now);
            return None;
        }
        self.pop_expired_slow(now)
    }

    /// Returns the number of nodes that are linked.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no node is linked.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(never)]
    fn pop_expired_slow(&mut self, now: u64) -> Option<NonNull<TimerNode>> {
        self.wake = loop {
            if let Some(first) = self.due.first() {
                let deadline = first.deadline.get();
                if deadline > now {
                    break deadline;
                }
                self.due.remove(first);
                self.count_down();
                if let Some(next) = self.due.first() {
                    next.prefetch_subject();
                }
                return Some(first.as_ptr());
            }
            match self.earliest_slot() {
                Some(slot) if slot.start <= now => self.open(&slot),
                Some(slot) => break slot.start,
                None => break NEVER,
            }
        };
        self.elapsed = self.elapsed.max(now);
        None
    }

    #[inline]
    fn count_down(&mut self) {
        self.len -= 1;
        if self.len == 0 {
            self.slots.all_empty();
        }
    }

    /// Puts a timer where its deadline belongs at the present moment of the wheel.
    #[inline]
    fn place(&mut self, timer: Entry) {
        let deadline = timer.deadline;
        if deadline == NEVER {
            self.add_to_slot(timer, NEVER_SLOT);
        } else if deadline <= self.elapsed | TICK_MASK {
            self.due.push(timer.node);
            self.wake = self.wake.min(deadline);
        } else {
            // It is in a later tick, so the highest bit that differs is above those of a tick.
            let highest = (deadline ^ self.elapsed).ilog2();
            let level = (highest - TICK_BITS) / DIGIT_BITS;
            let shift = TICK_BITS + level * DIGIT_BITS;
            let digit = (deadline >> shift) as usize % SLOTS;
            self.add_to_slot(timer, level as usize * SLOTS + digit);
            self.wake = self.wake.min(deadline >> shift << shift);
        }
    }

    #[inline]
    fn add_to_slot(&mut self, timer: Entry, index: usize) {
        if self.slots.add(index, timer) {
            self.occupied[index / SLOTS] |= 1 << (index % SLOTS);
        }
    }

    /// Returns the slot that is to be opened first; all deadlines in the slots are in it or after
    /// it.
    fn earliest_slot(&self) -> Option<Slot> {
        let level = self.occupied[..LEVELS]
            .iter()
            .position(|&bitmap| bitmap != 0)?;
        let digit = self.occupied[level].trailing_zeros();
        let shift = TICK_BITS + level as u32 * DIGIT_BITS;
        // Above the highest level's digit there is nothing left to keep.
        let above = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        Some(Slot {
            level,
            index: level * SLOTS + digit as usize,
            start: self.elapsed & above | u64::from(digit) << shift,
        })
    }

    /// Moves the time to the start of the earliest slot, and its nodes to where they then belong.
    /// The levels below it are empty, and no other slot starts at or before that moment, so all
    /// others are where they belong already.
    fn open(&mut self, slot: &Slot) {
        debug_assert!(slot.start > self.elapsed);
        self.elapsed = slot.start;
        self.occupied[slot.level] &= !(1 << (slot.index % SLOTS));
        let mut opened = self.slots.open(slot.index);
        if slot.level == 0 {
            // All are due. From the newest on, because many that sleep equally long then come to
            // the heap in falling order, which it likes best.
            while let Some(timer) = self.slots.next_of(&mut opened, true) {
                self.due.push(timer.node);
            }
        } else {
            while let Some(timer) = self.slots.next_of(&mut opened, false) {
                self.place(timer);
            }
        }
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("len", &self.len)
            .field("elapsed", &self.elapsed)
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
