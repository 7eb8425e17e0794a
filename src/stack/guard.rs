//! Guards: the low end of each slot, where any access faults.
//!
//! `MADV_GUARD_INSTALL` (Linux 6.13) marks page-table entries and splits no mapping, so that a million guards are in
//! one mapping; and it stays through `MADV_DONTNEED`, so it is done once per slot. Older kernels have only `mprotect`,
//! which costs two mappings per stack. Used without restraint that ends with the process out of mappings, in which
//! state not even `malloc` works; hence a budget well under the limit, and an error beyond it.

use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use libc::c_int;

use super::advice::{self, NO_RANGE};
use super::error::StackError;
use super::size::{StackSize, page_bytes};

/// The advice, which the `libc` crate does not know yet.
const MADV_GUARD_INSTALL: c_int = 102;

/// Slots that get their guards in one go.
const AHEAD: usize = 64;

/// The most address space that gets guards in one go, for large slots each take a page table of their own.
const AHEAD_BYTES: usize = 64 << 20;

/// Limit of mappings that a kernel has unless told otherwise.
const USUAL_MAP_COUNT: usize = 65_530;

const UNKNOWN: u8 = 0;
const BY_ADVICE: u8 = 1;
const BY_PROTECTION: u8 = 2;

/// How guards are made, and how many may be.
#[derive(Debug)]
pub(super) struct Guards {
    /// `UNKNOWN`, `BY_ADVICE` or `BY_PROTECTION`.
    method: AtomicU8,
    /// Guards made by `mprotect`.
    protected: AtomicUsize,
    /// The most guards by `mprotect`; none means what the limit of mappings allows.
    budget: Option<usize>,
}

impl Guards {
    /// Guards as the kernel has them.
    pub(super) const fn new() -> Self {
        Self {
            method: AtomicU8::new(UNKNOWN),
            protected: AtomicUsize::new(0),
            budget: None,
        }
    }

    /// Guards as on an old kernel, and at most `budget` of them.
    #[cfg(test)]
    pub(super) const fn by_protection(budget: Option<usize>) -> Self {
        Self {
            method: AtomicU8::new(BY_PROTECTION),
            protected: AtomicUsize::new(0),
            budget,
        }
    }

    /// Makes guards in the slots from `first` on, of which there are `count`: in at least one, and tells in how many.
    ///
    /// # Safety
    ///
    /// The slots are mapped, of this size, and nobody uses them yet.
    pub(super) unsafe fn install(
        &self,
        first: NonNull<u8>,
        count: usize,
        size: StackSize,
    ) -> Result<usize, StackError> {
        debug_assert!(count > 0);
        if self.method() == BY_ADVICE {
            let count = count.min(AHEAD).min(AHEAD_BYTES / size.slot_bytes()).max(1);
            // SAFETY: as the caller says.
            match unsafe { advise_guards(first, count, size) } {
                Ok(()) => return Ok(count),
                // Locked memory (mlockall) takes no such guards, whatever the kernel.
                Err(libc::EINVAL) => self.method.store(BY_PROTECTION, Ordering::Relaxed),
                Err(errno) => {
                    return Err(StackError::OutOfMemory {
                        stack_bytes: size.bytes(),
                        errno,
                    });
                }
            }
        }
        // SAFETY: as the caller says.
        unsafe { self.protect_guard(first, size) }.map(|()| 1)
    }

    fn method(&self) -> u8 {
        // ORDERING: relaxed, here and below: whoever finds it unknown asks the kernel, which answers all the same.
        let method = self.method.load(Ordering::Relaxed);
        if method != UNKNOWN {
            return method;
        }
        let method = if kernel_has_guards() {
            BY_ADVICE
        } else {
            BY_PROTECTION
        };
        self.method.store(method, Ordering::Relaxed);
        method
    }

    /// # Safety
    ///
    /// The slot is mapped, of this size, and nobody uses it yet.
    unsafe fn protect_guard(&self, slot: NonNull<u8>, size: StackSize) -> Result<(), StackError> {
        let limit = self.budget.unwrap_or_else(|| budget_of(map_count()));
        let refused = StackError::LimitReached {
            limit,
            map_count: map_count(),
        };
        // ORDERING: relaxed, a count alone.
        self.protected
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
                (made < limit).then_some(made + 1)
            })
            .map_err(|_| refused.clone())?;
        // SAFETY: the guard is within the slot, which nobody uses.
        let done =
            unsafe { libc::mprotect(slot.as_ptr().cast(), bytes_for(size), libc::PROT_NONE) };
        if done == 0 {
            return Ok(());
        }
        self.protected.fetch_sub(1, Ordering::Relaxed);
        // It fails only for want of mappings, whoever took the others.
        Err(refused)
    }
}

/// Bytes of the guard in a slot of this size.
///
/// One page is enough for Rust code, which probes its frames page by page. C code need not, so larger slots have a
/// larger guard, which costs nothing: its entries are in a page table that is there anyway.
#[inline]
pub(super) fn bytes_for(size: StackSize) -> usize {
    let wanted = if size.bytes() > StackSize::MIN.bytes() {
        16 << 10
    } else {
        4 << 10
    };
    wanted.max(page_bytes())
}

/// # Safety
///
/// The slots are mapped, of this size, and nobody uses them yet.
unsafe fn advise_guards(first: NonNull<u8>, count: usize, size: StackSize) -> Result<(), c_int> {
    let mut ranges = [NO_RANGE; AHEAD];
    let ranges = &mut ranges[..count];
    for (index, range) in ranges.iter_mut().enumerate() {
        // SAFETY: the caller says that there are `count` slots.
        range.iov_base = unsafe { first.add(index * size.slot_bytes()) }
            .as_ptr()
            .cast();
        range.iov_len = bytes_for(size);
    }
    // SAFETY: the slots are not in use, so that emptying their low ends harms nobody.
    unsafe { advice::advise(ranges, MADV_GUARD_INSTALL) }
}

/// Asks the kernel, on a page of scratch memory, whether it knows the advice.
fn kernel_has_guards() -> bool {
    let bytes = page_bytes();
    // SAFETY: a fresh private mapping at an address of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: the page is ours, and empty.
    let known = unsafe { libc::madvise(page, bytes, MADV_GUARD_INSTALL) } == 0;
    // SAFETY: the page is ours, and nobody knows of it.
    unsafe { libc::munmap(page, bytes) };
    known
}

/// How many stacks may be made where each takes two of so many mappings: 40 per cent of them go to stacks.
pub(super) const fn budget_of(map_count: usize) -> usize {
    map_count / 10 * 4 / 2
}

/// The process's limit of mappings.
fn map_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/vm/max_map_count")
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(USUAL_MAP_COUNT)
    })
}
