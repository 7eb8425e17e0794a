//! The size classes of stacks.

use std::fmt;

/// A size class: a power of two between [`StackSize::MIN`] and 1 GiB.
///
/// A power of two, because few classes keep the lists of free stacks few.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackSize {
    /// Base-2 logarithm of the bytes.
    log2: u8,
}

impl StackSize {
    /// The least: 64 KiB. The first panic with a backtrace takes 22 KiB, a signal frame may take 12 KiB.
    pub(crate) const MIN: Self = Self { log2: 16 };
    /// What a coroutine gets that does not say otherwise: 256 KiB.
    pub(crate) const DEFAULT: Self = Self { log2: 18 };
    /// What coroutines on the IO dispatcher get, where foreign code is called more often: 1 MiB.
    pub(crate) const IO: Self = Self { log2: 20 };
    /// The most: 1 GiB.
    pub(super) const MAX: Self = Self { log2: 30 };

    /// How many classes there are.
    pub(super) const CLASSES: usize = (Self::MAX.log2 - Self::MIN.log2) as usize + 1;

    /// The smallest class of at least `bytes`; 1 GiB where more is asked for.
    #[inline]
    #[must_use]
    pub(crate) const fn new(bytes: usize) -> Self {
        if bytes <= Self::MIN.bytes() {
            return Self::MIN;
        }
        if bytes >= Self::MAX.bytes() {
            return Self::MAX;
        }
        // The logarithm rounded up: at least 17 and at most 30 here, so nothing is cut off.
        Self {
            log2: (usize::BITS - (bytes - 1).leading_zeros()) as u8,
        }
    }

    /// The bytes that this class is named by.
    #[inline]
    #[must_use]
    pub(crate) const fn bytes(self) -> usize {
        1 << self.log2
    }

    /// The bytes of a slot of this class, its guard among them, and the distance of two slots: one page more.
    ///
    /// A coroutine uses the topmost page of its slot, and mostly no other. Were the slots a power of two apart, all these pages
    /// would compete for the same few sets of the processor's buffer of translations (of 256 sets four are left where slots are
    /// 64 pages apart), and each switch among more than some dozens would wait for the page tables.
    #[inline]
    pub(super) fn slot_bytes(self) -> usize {
        self.bytes() + page_bytes()
    }

    /// The base-2 logarithm of the bytes.
    #[inline]
    pub(super) const fn log2(self) -> u32 {
        self.log2 as u32
    }

    /// The class with this logarithm, which came from [`StackSize::log2`].
    #[inline]
    pub(super) const fn from_log2(log2: u32) -> Self {
        debug_assert!(log2 >= Self::MIN.log2() && log2 <= Self::MAX.log2());
        Self { log2: log2 as u8 }
    }

    /// The position of this class among all.
    #[inline]
    pub(super) const fn index(self) -> usize {
        (self.log2 - Self::MIN.log2) as usize
    }

    /// This class, or the least that has room beside a guard where the machine's pages are large (64 KiB on some
    /// aarch64 kernels).
    pub(super) fn with_room(self) -> Self {
        let least = Self::new(4 * page_bytes());
        if self.log2 < least.log2 { least } else { self }
    }
}

impl fmt::Debug for StackSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StackSize({} KiB)", self.bytes() >> 10)
    }
}

/// The machine's page size.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn page_bytes() -> usize {
    4096
}

/// The machine's page size.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn page_bytes() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};

    const UNKNOWN: usize = 0;
    static BYTES: AtomicUsize = AtomicUsize::new(UNKNOWN);

    #[cold]
    fn ask() -> usize {
        // SAFETY: `sysconf` only reads.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let bytes = usize::try_from(bytes).unwrap_or(4096);
        BYTES.store(bytes, Ordering::Relaxed);
        bytes
    }

    // ORDERING: relaxed: each thread finds the same answer.
    match BYTES.load(Ordering::Relaxed) {
        UNKNOWN => ask(),
        bytes => bytes,
    }
}
