//! The clock: nanoseconds on the monotonic clock, as one `u64`.
//!
//! A moment is a plain number because timers compare, mask and shift it. It counts from the base of
//! the kernel's `CLOCK_MONOTONIC`, which is the same for the whole process, so moments taken by
//! different threads can be compared, and a base of our own (and the subtraction and the lazy cell
//! it costs) is not needed. A `u64` holds 584 years.
//!
//! Everything that waits reads the time from the [`Clock`] of its driver and from nowhere else:
//! that is the seam through which `testing` puts a virtual clock in the place of the kernel's.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The deadline that is never reached.
pub const NEVER: u64 = u64::MAX;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Returns the present moment on the system's monotonic clock.
///
/// The C function is called directly because it is faster: 21 ns against 24 ns for
/// `Instant::elapsed` on a base.
#[inline]
#[must_use]
pub fn now() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a `timespec` of ours that is valid for writes.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
    assert!(status == 0, "the system has no monotonic clock");
    // SAFETY: the call above succeeded, and then it has written both fields.
    let time = unsafe { time.assume_init() };
    // The casts lose nothing: this clock starts at zero and only grows.
    time.tv_sec as u64 * NANOS_PER_SECOND + time.tv_nsec as u64
}

/// Returns the moment that lies `duration` after `now`; one too far to be expressed is [`NEVER`].
#[inline]
#[must_use]
pub fn deadline_after(now: u64, duration: Duration) -> u64 {
    // Not through `as_nanos`, whose 128-bit product is more than this needs.
    let nanos = duration
        .as_secs()
        .saturating_mul(NANOS_PER_SECOND)
        .saturating_add(u64::from(duration.subsec_nanos()));
    now.saturating_add(nanos)
}

/// Where a driver reads the time: the kernel's monotonic clock, or a virtual one, which stands still until its thread
/// has nothing to do but to wait for a timer.
#[derive(Debug)]
pub struct Clock {
    /// The moment that the virtual clock shows, while there is one.
    shown: Cell<Option<u64>>,
    /// The moment at which the virtual clock was set.
    begun: Cell<u64>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shown: Cell::new(None),
            begun: Cell::new(0),
        }
    }

    /// Returns the moment that this clock shows.
    #[inline]
    #[must_use]
    pub fn now(&self) -> u64 {
        self.shown.get().unwrap_or_else(now)
    }

    /// Sets a virtual clock, which goes on from the system's present moment.
    pub fn begin_virtual(&self) {
        self.begin_virtual_at(now());
    }

    /// Sets a virtual clock that shows `moment`.
    pub(super) fn begin_virtual_at(&self, moment: u64) {
        self.shown.set(Some(moment));
        self.begun.set(moment);
    }

    /// Goes back to the system's clock. The moment that it shows may lie before the last virtual one.
    pub fn end_virtual(&self) {
        self.shown.set(None);
    }

    /// How far the virtual clock has come; `None` on the system's clock.
    #[must_use]
    pub fn virtual_time(&self) -> Option<Duration> {
        let passed = self.shown.get()? - self.begun.get();
        Some(Duration::from_nanos(passed))
    }

    /// Whether this clock has to be advanced by hand: who would sleep until a deadline advances it there instead.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        self.shown.get().is_some()
    }

    /// Advances a virtual clock to `moment`; one that has passed already changes nothing, as this clock is monotonic too.
    pub fn advance_to(&self, moment: u64) {
        debug_assert!(self.is_virtual(), "only a virtual clock can be advanced");
        self.shown.set(self.shown.get().max(Some(moment)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back_and_keeps_the_pace_of_instant() {
        let reference = std::time::Instant::now();
        let first = now();
        let mut last = first;
        for _ in 0..1_000 {
            let next = Clock::new().now();
            assert!(next >= last);
            last = next;
        }
        // What lies between the first and the last reading lies within the two readings of the
        // reference.
        let elapsed = u64::try_from(reference.elapsed().as_nanos()).expect("the test takes years");
        assert!(last - first <= elapsed);
    }

    #[test]
    fn a_deadline_out_of_range_is_never() {
        assert_eq!(deadline_after(5, Duration::from_nanos(7)), 12);
        assert_eq!(deadline_after(1, Duration::new(3, 4)), 3_000_000_005);
        assert_eq!(deadline_after(0, Duration::from_nanos(NEVER)), NEVER);
        assert_eq!(deadline_after(2, Duration::from_nanos(NEVER - 1)), NEVER);
        assert_eq!(deadline_after(0, Duration::MAX), NEVER);
        assert_eq!(deadline_after(NEVER, Duration::ZERO), NEVER);
    }

    #[test]
    fn a_virtual_clock_moves_only_forward_and_only_when_told() {
        let clock = Clock::new();
        assert!(!clock.is_virtual());
        assert_eq!(clock.virtual_time(), None);
        clock.begin_virtual();
        let begun = clock.now();
        assert!(clock.is_virtual());
        clock.advance_to(begun + 11);
        clock.advance_to(begun + 5);
        assert_eq!(clock.now(), begun + 11);
        assert_eq!(clock.virtual_time(), Some(Duration::from_nanos(11)));
        clock.advance_to(NEVER);
        assert_eq!(clock.now(), NEVER);
        clock.end_virtual();
        assert!(clock.now() < NEVER);
    }
}
