//! Who sends a task without a stack to a thread again, once its wait is over.
//!
//! A started coroutine lives on its thread, and that thread's queue brings it back. A task without a stack lives nowhere
//! while it waits: whoever has claimed its word (`task/word.rs`) sends it to its dispatcher, as if it had not started. But
//! its last turn may still be running at that moment: between the publishing of the word and the end of the turn there is
//! a little way to go. So two bits decide, and whoever comes second sends it.
//!
//! Roles: O is the thread that runs the turn, C has claimed the word.
//!
//! ```text
//! 0 -O> LEFT -C> LEFT|WOKEN      the turn was over: C sends it
//! 0 -C> WOKEN -O> LEFT|WOKEN     it was not: O sends it
//! LEFT|WOKEN -O> 0               the next turn begins
//! ```
//!
//! Each touches the task for the last time with its own exchange, unless it is the second: the other may end the task at
//! once.

use crate::util::sync::{AtomicU32, Ordering};

/// The turn is over.
const LEFT: u32 = 1 << 5;
/// The wait is over.
const WOKEN: u32 = 1 << 6;

/// O: a turn begins.
pub(crate) fn arrive(bits: &AtomicU32) {
    // ORDERING: relaxed, since whoever sent the task has synchronised with this thread.
    bits.fetch_and(!(LEFT | WOKEN), Ordering::Relaxed);
}

/// O: the turn is over, and the wait was published. True if it is over already: then the caller sends the task, else it
/// must not touch it any more.
pub(crate) fn depart(bits: &AtomicU32) -> bool {
    // ORDERING: release for what the turn has done, acquire for what C has brought.
    let order = if cfg!(mutation = "departure_relaxed") {
        Ordering::Relaxed
    } else {
        Ordering::AcqRel
    };
    bits.fetch_or(LEFT, order) & WOKEN != 0
}

/// C: the wait is over. True if the turn is over as well: then the caller sends the task, else it must not touch it any
/// more.
pub(crate) fn wake(bits: &AtomicU32) -> bool {
    // ORDERING: as in `depart`.
    let old = bits.fetch_or(WOKEN, Ordering::AcqRel);
    old & LEFT != 0 || cfg!(mutation = "departure_wake_always")
}
