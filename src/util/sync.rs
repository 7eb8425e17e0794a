//! The seam between the protocols and the memory model that runs them.
//!
//! A protocol (the continuation word, the inbox, the sleep word, the job tree) takes its atomics and its shared cells
//! from here and from nowhere else. In the library they are those of `std`; the models in `tests/models` compile the
//! very same protocol files against a seam of the same shape made of loom's types, so that what is checked is what runs.

pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use std::cell::UnsafeCell;
use std::ptr;

/// A cell that several threads may reach and that a protocol gives to one of them at a time.
///
/// The access functions hand out raw pointers: the caller states in its SAFETY comment who owns the cell at that point.
/// loom checks the claim when a model runs.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Shared<T>(UnsafeCell<T>);

// SAFETY: every access goes through a raw pointer, and whoever dereferences it proves exclusive ownership there.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Reads through a pointer that nobody writes through meanwhile.
    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Writes through a pointer that nobody else uses meanwhile.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// A word on which a thread can sleep until another one has changed it: `futex(2)`.
#[derive(Debug)]
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) const fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps if the word is `expected`, which the kernel asks in one step with going to sleep, until [`Futex::wake`], or
    /// until a moment of the monotonic clock in nanoseconds. It may return for no reason.
    pub(crate) fn wait(&self, expected: u32, until: Option<u64>) {
        let until = until.map(|until| libc::timespec {
            tv_sec: (until / 1_000_000_000) as libc::time_t,
            tv_nsec: (until % 1_000_000_000) as libc::c_long,
        });
        let until = until.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: a word of ours and a moment that live through the call. This form of the call takes a moment, not a
        // duration.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                expected,
                until,
                ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            );
        }
    }

    /// Wakes the thread that sleeps on the word, if one does.
    pub(crate) fn wake(&self) {
        // SAFETY: a word of ours, of which the call takes nothing but the address.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }
}

/// How often in a row a thread takes a lock before the lock favours it (`biased.rs`). Ending that costs some microseconds,
/// so it must not happen to what goes from hand to hand.
pub(crate) const BIAS_AFTER: u32 = 200;

/// The same for a lock that has favoured a thread before: ending that must cost little beside what so many locks by a word do.
pub(crate) const BIAS_AGAIN: u32 = 4096;

/// So many elements of a channel are worth to be taken at once (`sync/channel/batch.rs`).
pub(crate) const BATCH: usize = 4;

/// Tells the processor, or the model, that this thread waits for another one to make progress.
#[inline]
pub(crate) fn pause(round: u32) {
    if round < 7 {
        // Longer and longer, so that whoever holds it has its lines for a while: to take turns costs more than to wait.
        for _ in 0..1u32 << round {
            std::hint::spin_loop();
        }
    } else {
        // The holder may have lost its processor: with two cores, spinning on would only delay it.
        std::thread::yield_now();
    }
}
