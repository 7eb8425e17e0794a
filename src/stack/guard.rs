//! Guard pages.
//!
//! Linux 6.13 has guard markers (`MADV_GUARD_INSTALL`): they split no mapping, so a million stacks stay a handful of
//! mappings. Where the kernel lacks them, `mprotect` does it at the price of two mappings a stack; since a process that
//! has used up `vm.max_map_count` cannot even allocate any more, that way is open for a share of the limit only.

use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{StackError, StackSize};

/// `MADV_GUARD_INSTALL`, which the libc crate does not name.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Of the mappings that a process may have, the share that stacks may use, in percent.
const SHARE: usize = 40;

/// How the guards are made.
#[derive(Debug)]
pub(super) struct Guards {
    markers: bool,
    /// How many stacks `mprotect` may still guard.
    budget: AtomicUsize,
    allowed: usize,
}

static GUARDS: OnceLock<Guards> = OnceLock::new();

/// The way that this kernel has, found out at the first call.
pub(super) fn guards() -> &'static Guards {
    GUARDS.get_or_init(|| Guards::new(has_markers(), map_limit()))
}

impl Guards {
    pub(super) fn new(markers: bool, map_limit: usize) -> Self {
        let allowed = map_limit / 2 * SHARE / 100;
        Self {
            markers,
            budget: AtomicUsize::new(allowed),
            allowed,
        }
    }

    /// Makes the low end of a slot inaccessible, once in the life of the slot.
    pub(super) fn protect(&self, base: NonNull<u8>, size: StackSize) -> Result<(), StackError> {
        let done = if self.markers {
            // SAFETY: the range is in a slot that the caller owns and nobody uses yet.
            unsafe { libc::madvise(base.as_ptr().cast(), size.guard(), MADV_GUARD_INSTALL) }
        } else {
            let spent = self
                .budget
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            if spent.is_err() {
                return Err(StackError::TooManyMappings {
                    stacks: self.allowed,
                });
            }
            // SAFETY: as above.
            unsafe { libc::mprotect(base.as_ptr().cast(), size.guard(), libc::PROT_NONE) }
        };
        if done == 0 {
            return Ok(());
        }
        if !self.markers {
            self.budget.fetch_add(1, Ordering::Relaxed);
        }
        Err(StackError::NoGuard {
            errno: super::region::errno(),
        })
    }
}

/// Tries guard markers on a page of our own.
fn has_markers() -> bool {
    const PAGE: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: the page is ours and unused.
    let answer = unsafe { libc::madvise(page, PAGE, MADV_GUARD_INSTALL) };
    // SAFETY: mapped above.
    unsafe { libc::munmap(page, PAGE) };
    answer == 0
}

fn map_limit() -> usize {
    std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(65_530)
}
