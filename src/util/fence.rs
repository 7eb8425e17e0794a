//! A fence in two halves: one side's is free, the other side's costs a system call.
//!
//! Two threads that each store to one place and then load from the other need a full fence each, or both may miss the
//! other's store (Dekker). Where one of the two comes there a million times as often, it can do with a fence that only
//! the compiler sees, if the other one makes every processor that runs this process pass a full fence at that moment:
//! `membarrier(2)`. As in P1202 of the C++ committee, "Asymmetric fences".

use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};
use std::time::Duration;

const QUERY: libc::c_int = 0;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

const UNKNOWN: u32 = 0;
const AVAILABLE: u32 = 1;
const MISSING: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);

fn membarrier(command: libc::c_int) -> libc::c_long {
    // SAFETY: the call touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// Whether there is such a fence: the kernel has it, and this process is registered for it.
#[cold]
pub(crate) fn is_available() -> bool {
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        let has_it = membarrier(QUERY) & libc::c_long::from(PRIVATE_EXPEDITED) > 0;
        let is_registered = has_it && membarrier(REGISTER_PRIVATE_EXPEDITED) == 0;
        let state = if is_registered { AVAILABLE } else { MISSING };
        STATE.store(state, Ordering::Relaxed);
    }
    STATE.load(Ordering::Relaxed) == AVAILABLE
}

/// The free half: keeps the compiler from moving a load before an earlier store. Counts as a full fence against
/// [`heavy`].
#[inline(always)]
pub(crate) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// How long it takes at the most, with room to spare, until what a processor has stored is seen by all: it writes it out by
/// itself, within microseconds, and at its next interrupt at the latest. No manual names a figure, so this is the one place
/// where something rests on time: in a process that has forbidden itself a call which it had used before.
const UNTIL_SEEN: Duration = Duration::from_millis(20);

/// The dear half: a full fence, here and wherever this process runs at this moment. Only where it [`is_available`], or was.
#[cold]
pub(crate) fn heavy() {
    if membarrier(PRIVATE_EXPEDITED) == 0 {
        return;
    }
    // A child process has to be registered anew.
    membarrier(REGISTER_PRIVATE_EXPEDITED);
    if membarrier(PRIVATE_EXPEDITED) != 0 {
        // The process has taken the call away from itself since, by a filter (seccomp): nothing is favoured any more, and
        // what was is waited for. To panic would leave the lock held for ever.
        STATE.store(MISSING, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::SeqCst);
        std::thread::sleep(UNTIL_SEEN);
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}
