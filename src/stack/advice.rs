//! Telling the kernel about many ranges of our own memory at once.
//!
//! One `madvise` per stack costs 2 us, and 5 us while another thread of the process runs, because each call interrupts
//! the other cores to flush their address translations. `process_madvise` on ourselves takes many ranges in one call
//! and flushes once: 0.3 us per stack. The kernel allows that with all advice since 6.13; we name ourselves by
//! `PIDFD_SELF`, and by no descriptor, because one that is inherited through a fork would mean the parent.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, iovec};

use super::slot::Stack;

/// The most ranges in one call.
pub(super) const BATCH: usize = 256;

/// Names the calling process where a descriptor of one is expected.
const PIDFD_SELF: c_int = -10000;

/// Cleared when the kernel refuses the call.
static BATCHES: AtomicBool = AtomicBool::new(true);

/// A range that covers nothing.
pub(super) const NO_RANGE: iovec = iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

/// Gives the kernel one piece of advice on several ranges; the error is the system's number.
///
/// # Safety
///
/// The advice does no harm to what the ranges hold, given once or twice.
pub(super) unsafe fn advise(ranges: &[iovec], advice: c_int) -> Result<(), c_int> {
    debug_assert!(ranges.len() <= BATCH);
    // ORDERING: relaxed, a hint alone.
    if ranges.len() > 1 && BATCHES.load(Ordering::Relaxed) {
        // SAFETY: the array is valid for the call; the caller vouches for the advice.
        let done = unsafe {
            libc::syscall(
                libc::SYS_process_madvise,
                PIDFD_SELF,
                ranges.as_ptr(),
                ranges.len(),
                advice,
                0_u32,
            )
        };
        let wanted: usize = ranges.iter().map(|range| range.iov_len).sum();
        if usize::try_from(done) == Ok(wanted) {
            return Ok(());
        }
        if done < 0 {
            BATCHES.store(false, Ordering::Relaxed);
        }
        // Some may be done already; saying it twice is harmless, so all are done one by one.
    }
    for range in ranges {
        // SAFETY: the caller vouches for the advice.
        if unsafe { libc::madvise(range.iov_base, range.iov_len, advice) } != 0 {
            return Err(last_error());
        }
    }
    Ok(())
}

/// Gives the memory of free stacks back to the kernel, of those that were used since the last time. Guards stay.
pub(super) fn give_back(stacks: &mut [Stack]) {
    for batch in stacks.chunks_mut(BATCH) {
        let mut ranges = [NO_RANGE; BATCH];
        let mut count = 0;
        for stack in batch.iter().filter(|stack| !stack.is_clean()) {
            let guard = super::guard::bytes_for(stack.size());
            // SAFETY: the guard is smaller than the slot.
            let usable = unsafe { stack.limit().add(guard) };
            ranges[count] = iovec {
                iov_base: usable.as_ptr().cast(),
                iov_len: stack.size().slot_bytes() - guard,
            };
            count += 1;
        }
        if count > 0 {
            // A refusal (locked memory) leaves things as they are; asking again would not change that.
            // SAFETY: the stacks are free, so nothing in them is needed.
            let _ = unsafe { advise(&ranges[..count], libc::MADV_DONTNEED) };
        }
        batch.iter_mut().for_each(Stack::set_clean);
    }
}

/// The error number of the system call that has just failed.
pub(super) fn last_error() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
