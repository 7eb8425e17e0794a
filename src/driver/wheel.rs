//! Timers: a hierarchical timer wheel of nodes that live in their owners' frames.
//!
//! Nearly every timer is a timeout that is taken back long before its time, so inserting and
//! removing must cost a few nanoseconds whatever else sleeps, and only those that do expire may
//! cost a little more. A wheel does that: it sorts by hashing, roughly, and puts off the rest of
//! the sorting until a timer's time is near, when most are gone.
//!
//! # The idea
//!
//! A deadline is a number of 64 bits. Its lowest 20 bits are within a *tick* (1 ms). The wheel remembers how far the time has
//! `elapsed`. What is due within the next 1024 ticks is *near*, and stands in a ring with a slot for each tick.
//!
//! Of what is due later, the bits above those of the ring are cut into six *digits* of 6 bits, the lowest first, with a *level*
//! of 64 slots for each digit. A node is put on the level of the highest digit in which its deadline differs from `elapsed`,
//! in the slot of the deadline's digit there. Hence:
//!
//! - all of a level comes before all of the level above it: they agree with the present in one
//!   digit more;
//! - an occupied slot lies after the present one of its level, so a level never wraps round, and
//!   the lowest bit of its bitmap is its earliest slot;
//! - the earliest slot of the lowest occupied level, or the earliest of the ring, has the earliest deadline of all.
//!
//! A slot holds more of its timers than their nodes (`slots.rs`), so that none of these need be read before it is due.
//!
//! When the time comes to the start of a slot, the slot is *opened*: its nodes now agree with the
//! present in that digit, and each moves to a lower level, to the ring or, if its tick is the present one, to
//! the heap of what is due (`due.rs`). The heap gives out its nodes in the exact order, and each
//! not before its deadline. A node moves at most seven times in all its life, one that sleeps for less than a second once, and one
//! call opens only slots whose time has come, however far the time has jumped: empty ones are never visited.
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
//! - Levels alone, the lowest with 64 ticks: most who sleep for less than a second move once more, and a move writes to a page
//!   that has not been touched for long, whose address must be translated first: 5 % of all time with a hundred thousand sleepers.
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
/// How many ticks the ring covers.
const RING_BITS: u32 = 10;
const RING: u64 = 1 << RING_BITS;
/// The words of its bitmap.
const RING_WORDS: usize = RING as usize / SLOTS;
/// Where the lowest digit begins.
const DIGITS_FROM: u32 = TICK_BITS + RING_BITS;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// As many as it takes for the digits to cover the number; of the last one only four bits are left.
const LEVELS: usize = (u64::BITS - DIGITS_FROM).div_ceil(DIGIT_BITS) as usize;
/// The slot for nodes without a deadline, as if it were the first one of a further level.
const NEVER_SLOT: usize = RING as usize + LEVELS * SLOTS;
/// The words of the bitmaps, which follow each other as the slots do.
const WORDS: usize = NEVER_SLOT / SLOTS + 1;

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
    /// The slots that are not empty: of the ring, of each level, and the one of those without a deadline.
    occupied: [u64; WORDS],
    slots: Slots<{ NEVER_SLOT + 1 }>,
}

/// An occupied slot and the first moment of its span.
#[derive(Clone, Copy)]
struct Slot {
    index: usize,
    start: u64,
}

/// The slot of a tick in the ring.
#[inline]
fn in_ring(tick: u64) -> usize {
    (tick % RING) as usize
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
            occupied: [0; WORDS],
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
                    self.note_empty(emptied);
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
        let near = self.earliest_near().and_then(|slot| self.earliest_of(slot));
        let far = self.earliest_far();
        match (near, far) {
            (Some(near), Some(far)) if far.start < near => {
                self.earliest_of(far).map(|far| far.min(near))
            }
            (Some(near), _) => Some(near),
            (None, far) => self.earliest_of(far?),
        }
    }

    /// The earliest deadline in a slot, or the start of the slot if it has many.
    fn earliest_of(&self, slot: Slot) -> Option<u64> {
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
                Some(slot) if slot.start <= now => self.open(slot),
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
            let tick = deadline >> TICK_BITS;
            let (index, shift) = if tick - (self.elapsed >> TICK_BITS) < RING {
                (in_ring(tick), TICK_BITS)
            } else {
                // It is so much later that a bit above those of the ring differs.
                let highest = (deadline ^ self.elapsed).ilog2();
                let level = (highest - DIGITS_FROM) / DIGIT_BITS;
                let shift = DIGITS_FROM + level * DIGIT_BITS;
                let digit = (deadline >> shift) as usize % SLOTS;
                (RING as usize + level as usize * SLOTS + digit, shift)
            };
            self.add_to_slot(timer, index);
            self.wake = self.wake.min(deadline >> shift << shift);
        }
    }

    #[inline]
    fn add_to_slot(&mut self, timer: Entry, index: usize) {
        if self.slots.add(index, timer) {
            self.occupied[index / SLOTS] |= 1 << (index % SLOTS);
        }
    }

    fn is_occupied(&self, index: usize) -> bool {
        self.occupied[index / SLOTS] & 1 << (index % SLOTS) != 0
    }

    #[inline]
    fn note_empty(&mut self, index: usize) {
        self.occupied[index / SLOTS] &= !(1 << (index % SLOTS));
    }

    /// Returns the slot that is to be opened first; no deadline in the slots is before its start. Of two that start together it is
    /// not that of the ring, which is opened along with the other.
    fn earliest_slot(&self) -> Option<Slot> {
        match (self.earliest_far(), self.earliest_near()) {
            (Some(far), Some(near)) if near.start < far.start => Some(near),
            (far, near) => far.or(near),
        }
    }

    /// Returns the slot of the ring that is to be opened first: from the tick after the present one on, all round.
    fn earliest_near(&self) -> Option<Slot> {
        let next = (self.elapsed >> TICK_BITS) + 1;
        let first = in_ring(next);
        let (word, bit) = (first / SLOTS, first % SLOTS);
        let from_first = u64::MAX << bit;
        (0..=RING_WORDS).find_map(|round| {
            let at = (word + round) % RING_WORDS;
            let wanted = match round {
                0 => from_first,
                RING_WORDS => !from_first,
                _ => u64::MAX,
            };
            let bits = self.occupied[at] & wanted;
            (bits != 0).then(|| {
                let index = at * SLOTS + bits.trailing_zeros() as usize;
                let ahead = (index as u64).wrapping_sub(first as u64) % RING;
                Slot {
                    index,
                    start: (next + ahead) << TICK_BITS,
                }
            })
        })
    }

    /// Returns the slot of the levels that is to be opened first.
    fn earliest_far(&self) -> Option<Slot> {
        let levels = &self.occupied[RING_WORDS..RING_WORDS + LEVELS];
        let level = levels.iter().position(|&bitmap| bitmap != 0)?;
        let digit = levels[level].trailing_zeros();
        let shift = DIGITS_FROM + level as u32 * DIGIT_BITS;
        // Above the highest level's digit there is nothing left to keep.
        let above = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        Some(Slot {
            index: RING as usize + level * SLOTS + digit as usize,
            start: self.elapsed & above | u64::from(digit) << shift,
        })
    }

    /// Moves the time to the start of the earliest slot, and its nodes to where they then belong.
    /// The levels below it are empty, and no slot starts before that moment, so all others are where they belong
    /// already, but for one of the ring that starts at the same moment.
    fn open(&mut self, slot: Slot) {
        debug_assert!(slot.start > self.elapsed);
        self.elapsed = slot.start;
        if slot.index >= RING as usize {
            self.note_empty(slot.index);
            let mut opened = self.slots.open(slot.index);
            while let Some(timer) = self.slots.next_of(&mut opened, false) {
                self.place(timer);
            }
        }
        let present = in_ring(slot.start >> TICK_BITS);
        if self.is_occupied(present) {
            self.note_empty(present);
            let mut opened = self.slots.open(present);
            // All are due. From the newest on, because many that sleep equally long then come to
            // the heap in falling order, which it likes best.
            while let Some(timer) = self.slots.next_of(&mut opened, true) {
                self.due.push(timer.node);
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
