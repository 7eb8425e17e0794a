//! The free blocks that no thread keeps, for each size.
//!
//! They go out as they came, in about that order ([`Line`]): mostly another thread just lacks them. But where there are many, blocks
//! that do not lie near each other go back into their slabs, and come out again in the order in which they lie. Two threads that end
//! what one of them has launched would leave every other block to each other, then every fourth, and so on, until any two that
//! follow each other are far apart.
//!
//! What nobody has needed for a second goes back, when a thread is about to sleep: first blocks into their slabs, then the memory of
//! slabs that have had no block in use for a second to the system. (A slab stays as it is while a thread keeps one of its blocks for
//! the next launch, and each keeps up to two piles of a size.)

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::pile::{Line, Pile};
use super::slab::Slabs;
use super::{CLASSES, PILE, bytes_of};

/// How many piles stay as they came in any case.
const FEW: usize = 8;
/// Of a pile where one block in so many does not lie beside the one before it is said that they are far apart.
const MOST_JUMPS: u32 = 4;
/// To look at a pile takes as long as to give it, so one in so many is looked at.
const ASK_EVERY: u32 = 16;
/// How many times blocks are cut from slabs for one pile.
const CUTS: usize = 8;
/// How long the depot keeps what nobody needs.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// How much is given back at a time: in piles that go back into their slabs, and with a slab for so many.
const PART: usize = 32;
const SLAB_PARTS: usize = 4;

/// The free blocks of one size that no thread keeps.
struct Depot {
    piles: Line,
    slabs: Slabs,
    /// The fewest piles and whole slabs that there were since the period began: so many were not needed in it.
    least_piles: usize,
    least_whole: usize,
    /// Whether the blocks of the last pile that was looked at were far apart, and how many are not looked at before the next.
    far: bool,
    unasked: u32,
    /// How many piles and whole slabs [`HELD`] has of this.
    told: usize,
}

// SAFETY: the blocks and slabs are plain memory, which only the depot has.
unsafe impl Send for Depot {}

static DEPOTS: [Mutex<Depot>; CLASSES] = [const {
    Mutex::new(Depot {
        piles: Line::EMPTY,
        slabs: Slabs::new(),
        least_piles: 0,
        least_whole: 0,
        far: false,
        unasked: 0,
        told: 0,
    })
}; CLASSES];
/// How many piles and whole slabs there are in all depots, which tells whether there is anything to trim.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// When the present period began.
static SINCE: Mutex<Option<Instant>> = Mutex::new(None);

fn depot(class: usize) -> MutexGuard<'static, Depot> {
    DEPOTS[class].lock().unwrap_or_else(PoisonError::into_inner)
}

impl Depot {
    /// Says how much there is, after a change.
    fn tell(&mut self) {
        let wholes = self.slabs.whole();
        self.least_piles = self.least_piles.min(self.piles.count());
        self.least_whole = self.least_whole.min(wholes);
        let held = self.piles.count() + wholes;
        if held != self.told {
            HELD.fetch_add(held.wrapping_sub(self.told), Ordering::Relaxed);
            self.told = held;
        }
    }

    /// Whether blocks that come now are far apart, as some of them tell.
    ///
    /// # Safety
    ///
    /// Nobody else has the blocks of the pile.
    unsafe fn are_far(&mut self, pile: &Pile, bytes: usize) -> bool {
        self.unasked = match self.unasked.checked_sub(1) {
            Some(unasked) => unasked,
            None => {
                // SAFETY: passed on to the caller.
                let jumps = unsafe { pile.jumps(bytes) };
                self.far = jumps > pile.count / MOST_JUMPS;
                ASK_EVERY - 1
            }
        };
        self.far
    }

    /// Puts blocks back into their slabs.
    ///
    /// # Safety
    ///
    /// They are of this size, and the caller's own.
    unsafe fn put_back(&mut self, mut pile: Pile, bytes: usize) {
        // SAFETY: the caller's own; their slabs are the depot's unless all of their blocks are in use.
        while let Some(block) = unsafe { pile.pop() } {
            // SAFETY: as above.
            unsafe { self.slabs.give(block, bytes) };
        }
    }
}

/// Some blocks, at least one: a pile of the depot if it has one, else about as many as are wanted.
pub(super) fn take(class: usize, wanted: u32) -> Pile {
    let bytes = bytes_of(class);
    let mut cuts = [None; CUTS];
    let mut left = wanted as usize;
    let mut depot = depot(class);
    if let Some(pile) = depot.piles.pop() {
        depot.tell();
        return pile;
    }
    for place in &mut cuts {
        if left == 0 {
            break;
        }
        let cut = depot.slabs.cut(bytes, left);
        left -= cut.count();
        *place = Some(cut);
    }
    depot.tell();
    // Not under the lock, since the blocks may be far away.
    drop(depot);
    let mut pile = Pile::EMPTY;
    for cut in cuts.into_iter().rev().flatten() {
        // SAFETY: from a slab of this class, just now.
        unsafe { cut.put(bytes, &mut pile) };
    }
    pile
}

/// Takes blocks of this class.
///
/// # Safety
///
/// They are the caller's own.
pub(super) unsafe fn give(pile: Pile, class: usize) {
    if pile.count == 0 {
        return;
    }
    let bytes = bytes_of(class);
    let mut depot = depot(class);
    // SAFETY: passed on to the caller.
    unsafe {
        if depot.piles.count() >= FEW && depot.are_far(&pile, bytes) {
            depot.put_back(pile, bytes);
        } else {
            depot.piles.push(pile);
        }
    }
    depot.tell();
}

/// One block.
pub(super) fn take_one(class: usize) -> NonNull<u8> {
    let mut pile = take(class, 1);
    // SAFETY: just taken.
    let block = unsafe { pile.pop() };
    // SAFETY: as above.
    unsafe { give(pile, class) };
    block.expect("no pile without a block is taken")
}

/// Takes one block of this class.
///
/// # Safety
///
/// It is the caller's own.
pub(super) unsafe fn give_one(block: NonNull<u8>, class: usize) {
    let mut depot = depot(class);
    let mut pile = match depot.piles.pop_newest() {
        Some(last) if last.count < PILE => last,
        Some(last) => {
            // SAFETY: the depot's own.
            unsafe { depot.piles.push(last) };
            Pile::EMPTY
        }
        None => Pile::EMPTY,
    };
    // SAFETY: the caller's own, and the depot's.
    unsafe {
        pile.push(block);
        depot.piles.push(pile);
    }
    depot.tell();
}

/// Gives some of what was not needed for a while back, if a period has passed. To be called when the owner of a
/// home is about to sleep.
///
/// Returns how long until there may be more to give back, if there is anything: zero if there is already.
#[inline]
pub(crate) fn trim() -> Option<Duration> {
    if HELD.load(Ordering::Relaxed) == 0 {
        return None;
    }
    trim_at(Instant::now())
}

#[cold]
pub(super) fn trim_at(now: Instant) -> Option<Duration> {
    let mut since = match SINCE.try_lock() {
        Ok(since) => since,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Somebody else is at it, and asks to be called again.
        Err(TryLockError::WouldBlock) => return None,
    };
    let passed = now.saturating_duration_since(*since.get_or_insert(now));
    if passed < PERIOD {
        return Some(PERIOD - passed);
    }
    let mut left = PART;
    for class in 0..CLASSES {
        while left > 0 {
            match trim_class(class) {
                0 => break,
                parts => left = left.saturating_sub(parts),
            }
        }
    }
    if left == 0 {
        return Some(Duration::ZERO);
    }
    for class in 0..CLASSES {
        let mut depot = depot(class);
        depot.least_piles = depot.piles.count();
        depot.least_whole = depot.slabs.whole();
    }
    *since = Some(now);
    Some(PERIOD)
}

/// Gives a little of one class back that was not needed. How many parts of the work it was: none if there is no more.
fn trim_class(class: usize) -> usize {
    let mut depot = depot(class);
    if depot.least_piles > 0 {
        let (least_piles, least_whole) = (depot.least_piles, depot.least_whole);
        if let Some(pile) = depot.piles.pop() {
            // SAFETY: the depot's own.
            unsafe { depot.put_back(pile, bytes_of(class)) };
        }
        depot.tell();
        (depot.least_piles, depot.least_whole) = (least_piles - 1, least_whole);
        return 1;
    }
    if depot.least_whole == 0 {
        return 0;
    }
    let least_whole = depot.least_whole - 1;
    depot.slabs.discard_one();
    depot.tell();
    depot.least_whole = least_whole;
    SLAB_PARTS
}

/// What the depot has of a class.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) blocks: usize,
    pub(super) piles: usize,
    pub(super) whole: usize,
    pub(super) discarded: usize,
}

#[cfg(test)]
pub(super) fn held(class: usize) -> Held {
    let depot = depot(class);
    Held {
        blocks: depot.piles.blocks() + depot.slabs.count,
        piles: depot.piles.count(),
        whole: depot.slabs.whole(),
        discarded: depot.slabs.discarded(),
    }
}
