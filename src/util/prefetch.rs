//! Asking for memory before it is needed.
//!
//! A hundred thousand coroutines that wait are a hundred thousand pages, and whoever wakes them all goes from one to the
//! next: each time the processor waits for what it could have fetched while it was still busy with the one before.

/// How much is worth to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It has not been touched for long: all of it.
    Cold,
    /// It was in use a moment ago, and so was more than the nearest memory holds: what comes first, and the rest follows by
    /// itself.
    Warm,
}

/// How much comes at a time: a cache line.
pub(crate) const LINE: usize = 64;

/// Asks for the `lines` lines of memory from this address upwards. Nothing is read, so any address will do.
#[inline(always)]
pub(crate) fn lines<T>(from: *const T, lines: usize) {
    for line in 0..lines {
        one(from.cast::<u8>().wrapping_add(line * LINE));
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn one(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: a hint, which faults nowhere.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline(always)]
fn one(address: *const u8) {
    // SAFETY: a hint, which faults nowhere and changes nothing that a program sees.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[inline(always)]
fn one(_: *const u8) {}

/// Asks for the `lines` lines of memory from this address upwards, in order to write them. Nothing is read, so any address will
/// do. Another thread has perhaps just written them: they do not come once to be read, and once more to be written.
#[inline(always)]
pub(crate) fn lines_to_write<T>(from: *const T, lines: usize) {
    let address = |line| from.cast::<u8>().wrapping_add(line * LINE);
    if knows_how_to_write() {
        (0..lines).for_each(|line| one_to_write(address(line)));
    } else {
        (0..lines).for_each(|line| one(address(line)));
    }
}

/// Asks for the line of memory at this address, in order to write it. Nothing is read, so any address will do.
#[inline(always)]
pub(crate) fn line_to_write<T>(address: *const T) {
    if knows_how_to_write() {
        one_to_write(address.cast());
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn one_to_write(address: *const u8) {
    // SAFETY: a hint that this processor knows, which faults nowhere and changes nothing that a program sees.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

/// Whether the processor knows the instruction, which the first ones of this architecture may refuse.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
fn knows_how_to_write() -> bool {
    use std::sync::atomic::{AtomicU8, Ordering};

    const UNKNOWN: u8 = 0;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[cold]
    fn ask() -> u8 {
        use std::arch::x86_64::__cpuid;

        const LEAF: u32 = 0x8000_0001;
        #[allow(unused_unsafe, reason = "it is safe in later versions of Rust")]
        // SAFETY: every processor of this architecture has the instruction, and these two leaves.
        let knows = unsafe { __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).ecx & 1 << 8 != 0 };
        let answer = 1 + u8::from(knows);
        ANSWER.store(answer, Ordering::Relaxed);
        answer
    }

    // ORDERING: relaxed: each thread finds the same answer.
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => ask() == 2,
        answer => answer == 2,
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline(always)]
fn one_to_write(address: *const u8) {
    // SAFETY: a hint, which faults nowhere and changes nothing that a program sees.
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[inline(always)]
fn one_to_write(_: *const u8) {}

#[cfg(any(miri, not(target_arch = "x86_64")))]
#[inline(always)]
fn knows_how_to_write() -> bool {
    true
}
