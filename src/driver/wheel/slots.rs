//! The slots of a wheel: bags of timers, and no order in any of them.
//!
//! A timer stands in its sleeper's frame, which is cold: nobody has touched it since it went to sleep, and it lies in a
//! page of its own. A slot that was a list through the nodes would wait for memory at each of them, one after the other,
//! each time it is opened, and a timer of a minute is moved through two. So a slot keeps what moving needs beside
//! itself: the deadline and the node's address. Of the node only its place is written, for its removal, and that line is
//! asked for some timers ahead.
//!
//! The entries of a slot stand in chunks, the newest first; all but the newest one are full, so that a removal fills its gap
//! with the last entry of the newest. The chunks are in one array, by number, and those that are free in a list.

use super::node::{Linked, Place};

/// So that a chunk has some 500 bytes.
const ROOM: usize = 31;
/// Of a slot that was opened, the node that comes so many later is asked for.
const AHEAD: usize = 4;
/// No chunk.
const NONE: u32 = u32::MAX;
/// The memory of so many chunks is kept when no timer is left.
const KEPT: usize = 64;
/// Of so many, which have 1 MiB, until none is left once more and much fewer were used since.
const KEPT_FOR_NOW: usize = 2048;

/// A timer as its slot knows it.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) deadline: u64,
    pub(super) node: Linked,
}

struct Chunk {
    /// The next older chunk of the slot, or the next free one.
    below: u32,
    slot: u16,
    len: u16,
    entries: [Option<Entry>; ROOM],
}

/// `COUNT` slots.
pub(super) struct Slots<const COUNT: usize> {
    chunks: Vec<Chunk>,
    free: u32,
    /// The newest chunk of each slot.
    newest: Box<[u32; COUNT]>,
}

impl<const COUNT: usize> Slots<COUNT> {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
            newest: Box::new([NONE; COUNT]),
        }
    }

    /// Adds a timer that is in no other place. True if the slot was empty.
    #[inline]
    pub(super) fn add(&mut self, slot: usize, entry: Entry) -> bool {
        let mut number = self.newest[slot];
        let was_empty = number == NONE;
        if was_empty || usize::from(self.chunks[number as usize].len) == ROOM {
            number = self.begin_chunk(slot);
        }
        let chunk = &mut self.chunks[number as usize];
        entry.node.place.set(Place::Slot(number, chunk.len));
        chunk.entries[usize::from(chunk.len)] = Some(entry);
        chunk.len += 1;
        was_empty
    }

    /// Takes the timer out that stands at this place of a chunk. The slot, if it is empty now.
    #[inline]
    pub(super) fn remove(&mut self, number: u32, at: u16) -> Option<usize> {
        let slot = usize::from(self.chunks[number as usize].slot);
        let newest = self.newest[slot];
        let chunk = &mut self.chunks[newest as usize];
        chunk.len -= 1;
        let (left, below) = (chunk.len, chunk.below);
        let last = chunk.entries[usize::from(left)].take();
        if (newest, left) != (number, at)
            && let Some(last) = last
        {
            last.node.place.set(Place::Slot(number, at));
            self.chunks[number as usize].entries[usize::from(at)] = Some(last);
        }
        if left > 0 {
            return None;
        }
        self.newest[slot] = below;
        self.end_chunk(newest);
        (below == NONE).then_some(slot)
    }

    /// The deadlines of a slot, but `None` if they are more than `limit`.
    pub(super) fn deadlines(&self, slot: usize, limit: usize) -> Option<impl Iterator<Item = u64>> {
        let mut number = self.newest[slot];
        let mut count = 0;
        while number != NONE {
            let chunk = &self.chunks[number as usize];
            count += usize::from(chunk.len);
            number = chunk.below;
            if count > limit {
                return None;
            }
        }
        let mut number = self.newest[slot];
        let chunks = std::iter::from_fn(move || {
            let chunk = self.chunks.get(number as usize)?;
            number = chunk.below;
            Some(chunk)
        });
        Some(chunks.flat_map(|chunk| {
            chunk
                .entries
                .iter()
                .map_while(|entry| entry.map(|e| e.deadline))
        }))
    }

    /// Empties a slot, and leaves its timers to be taken by [`next_of`](Self::next_of).
    pub(super) fn open(&mut self, slot: usize) -> Opened {
        Opened(std::mem::replace(&mut self.newest[slot], NONE))
    }

    /// One timer of a slot that was opened. Of a later one the memory is asked for: of all its node if `is_due`, else of what
    /// a move writes.
    #[inline]
    pub(super) fn next_of(&mut self, opened: &mut Opened, is_due: bool) -> Option<Entry> {
        let number = opened.0;
        let chunk = self.chunks.get_mut(number as usize)?;
        chunk.len -= 1;
        let at = usize::from(chunk.len);
        if let Some(Some(later)) = chunk.entries.get(at.wrapping_sub(AHEAD)) {
            if is_due {
                later.node.prefetch();
            } else {
                later.node.prefetch_place();
            }
        }
        let entry = chunk.entries[at].take();
        if chunk.len == 0 {
            opened.0 = chunk.below;
            self.end_chunk(number);
        }
        entry
    }

    /// No timer is left.
    #[inline]
    pub(super) fn all_empty(&mut self) {
        let used = self.chunks.len().max(KEPT);
        if used > KEPT {
            self.chunks.clear();
            self.free = NONE;
        }
        if self.chunks.capacity() > (2 * used).min(KEPT_FOR_NOW) {
            self.chunks.shrink_to(used.min(KEPT_FOR_NOW));
        }
    }

    /// Puts a chunk on top of the others of a slot.
    #[inline]
    fn begin_chunk(&mut self, slot: usize) -> u32 {
        let number = self.free;
        let below = std::mem::replace(&mut self.newest[slot], number);
        // There are far fewer slots.
        let slot_number = slot as u16;
        if let Some(chunk) = self.chunks.get_mut(number as usize) {
            self.free = chunk.below;
            (chunk.below, chunk.slot) = (below, slot_number);
            return number;
        }
        self.add_chunk(slot_number, below)
    }

    #[cold]
    fn add_chunk(&mut self, slot: u16, below: u32) -> u32 {
        // Of four billion chunks nobody has the memory.
        let number = self.chunks.len() as u32;
        self.chunks.push(Chunk {
            below,
            slot,
            len: 0,
            entries: [None; ROOM],
        });
        self.newest[usize::from(slot)] = number;
        number
    }

    #[inline]
    fn end_chunk(&mut self, number: u32) {
        self.chunks[number as usize].below = std::mem::replace(&mut self.free, number);
    }
}

/// What was in a slot.
pub(super) struct Opened(u32);
