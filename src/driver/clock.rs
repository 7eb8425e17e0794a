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

/// A limit of so many ticks of the kernel is long: to be two of them late is nothing to it.
const LONG: u64 = 100;

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

/// Returns a moment of the same clock that has passed, as of the kernel's last tick: a fifth of the price.
#[inline]
fn coarse_now() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a `timespec` of ours that is valid for writes.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr()) };
    assert!(status == 0, "the system has no coarse clock");
    // SAFETY: the call above succeeded, and then it has written both fields.
    let time = unsafe { time.assume_init() };
    time.tv_sec as u64 * NANOS_PER_SECOND + time.tv_nsec as u64
}

/// How long the kernel's tick is, by which the coarse clock advances; [`NEVER`] where there is no such clock.
fn tick() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a `timespec` of ours that is valid for writes.
    let status = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr()) };
    if status != 0 {
        return NEVER;
    }
    // SAFETY: the call above succeeded, and then it has written both fields.
    let time = unsafe { time.assume_init() };
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
    /// From this length on a limit is begun by the coarse clock.
    long: Duration,
    /// How far the coarse clock may be behind.
    behind: u64,
}

/// When a limit was begun, as exactly as its length needs.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// Not before the beginning.
    latest: u64,
    is_exact: bool,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn new() -> Self {
        let tick = tick();
        Self {
            shown: Cell::new(None),
            begun: Cell::new(0),
            long: Duration::from_nanos(tick.saturating_mul(LONG)),
            // Of two ticks: the kernel's own may come late.
            behind: tick.saturating_mul(2),
        }
    }

    /// Begins a limit of some length. Most end without anybody having waited for them, so one that is far longer than the
    /// kernel's tick reads only the coarse clock.
    #[inline]
    #[must_use]
    pub fn begin(&self, limit: Duration) -> Begun {
        if limit < self.long || self.is_virtual() {
            return Begun {
                latest: self.now(),
                is_exact: true,
            };
        }
        Begun {
            latest: coarse_now() + self.behind,
            is_exact: false,
        }
    }

    /// The end of a limit, which is about to be waited for. Never before the time is over; later by no more than the time
    /// since its beginning, and by two ticks of the kernel at most.
    #[must_use]
    pub fn end_of(&self, begun: Begun, limit: Duration) -> u64 {
        let since = if begun.is_exact {
            begun.latest
        } else {
            begun.latest.min(self.now())
        };
        deadline_after(since, limit)
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
    fn a_long_limit_ends_never_early_and_a_little_late_at_most() {
        let clock = Clock::new();
        for limit in [Duration::from_millis(3), clock.long, 5 * clock.long] {
            let before = now();
            let begun = clock.begin(limit);
            let after = now();
            let end = clock.end_of(begun, limit);
            assert!(end >= deadline_after(before, limit));
            assert!(end <= deadline_after(now(), limit));
            // Whoever asks late does not make it later.
            while now() < after + clock.behind {}
            let end = clock.end_of(begun, limit);
            assert!(end >= deadline_after(before, limit));
            assert!(end <= deadline_after(after + clock.behind, limit));
        }
        assert!(clock.begin(clock.long - Duration::from_nanos(1)).is_exact);
        assert!(!clock.begin(clock.long).is_exact);
    }

    #[test]
    fn a_limit_on_a_virtual_clock_ends_to_the_nanosecond() {
        let clock = Clock::new();
        clock.begin_virtual_at(7);
        let limit = 5 * clock.long;
        let begun = clock.begin(limit);
        clock.advance_to(1_000);
        assert_eq!(clock.end_of(begun, limit), deadline_after(7, limit));
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
