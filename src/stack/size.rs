//! The size classes of stacks.

/// A power of two between 64 KiB and 1 GiB, the guard included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StackSize(u32);

/// The least size: a panic with a backtrace needs 22 KiB and a signal frame up to 12.
const MIN_SHIFT: u32 = 16;
const MAX_SHIFT: u32 = 30;

impl StackSize {
    /// What coroutines get that ask for nothing.
    pub(crate) const DEFAULT: Self = Self(18);
    /// What coroutines get that run foreign, blocking code.
    pub(crate) const IO: Self = Self(20);
    /// How many classes there are.
    pub(crate) const CLASSES: usize = (MAX_SHIFT - MIN_SHIFT + 1) as usize;

    /// The least class that has so many bytes.
    #[inline]
    pub(crate) const fn new(bytes: usize) -> Self {
        if bytes <= 1 << MIN_SHIFT {
            return Self(MIN_SHIFT);
        }
        if bytes > 1 << MAX_SHIFT {
            return Self(MAX_SHIFT);
        }
        Self(usize::BITS - (bytes - 1).leading_zeros())
    }

    #[inline]
    pub(crate) const fn bytes(self) -> usize {
        1 << self.0
    }

    #[inline]
    pub(crate) const fn shift(self) -> u32 {
        self.0
    }

    /// The number of the class, from 0.
    #[inline]
    pub(crate) const fn class(self) -> usize {
        (self.0 - MIN_SHIFT) as usize
    }

    pub(crate) const fn of_class(class: usize) -> Self {
        Self(MIN_SHIFT + class as u32)
    }

    /// How many bytes at the low end are inaccessible. Foreign code without stack probes may step over a single page, so
    /// the larger classes have four.
    pub(crate) const fn guard(self) -> usize {
        if self.0 <= MIN_SHIFT { 4096 } else { 4 * 4096 }
    }
}
