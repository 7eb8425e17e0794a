//! Keeps a worker of a pool from waiting behind the one that has woken it.
//!
//! A thread that is woken mostly goes to an idle processor. But on some virtual machines the kernel takes one that idles for one
//! that is not there at the moment, and queues the woken thread behind the one that has woken it: until the load is balanced,
//! some milliseconds later, one processor idles and the coroutines that live on that worker wait.
//!
//! So a worker that has turns to give looks now and then whether another one was told to wake and has not; and if it sees that twice
//! in a row, it takes its own processor from the set of those that the other may use. If that one is about to run elsewhere, that
//! changes nothing; and if it is not, it does now. As soon as it is awake it restores the set.
//!
//! # Roles and states
//!
//! M is a worker that runs, O the one that has yet to wake, whose spot this is.
//!
//! ```text
//! at home -M> moved     under the lock: M reads the set of O's thread, keeps it, and sets a smaller one
//! moved   -O> at home   under the lock: O sets what was kept, unless somebody else has set another one meanwhile
//! ```
//!
//! O runs nobody's code with the smaller set, which threads and processes that are started there would inherit. M says that it is
//! about to move O, and then looks whether that still has to wake; O says that it is awake, and then looks whether it is moved, or
//! about to be: then it waits for the lock. With a fence between on both sides one of the two sees the other.
//!
//! A set of one processor is left alone. And where system calls are filtered nobody is moved: some filters end a process that makes
//! an unusual one.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};
use std::sync::{Mutex, PoisonError};

/// How much time is between two looks, in nanoseconds: far more than a thread takes to wake.
const GLANCE_EVERY: u64 = 250_000;
/// How long a worker waits after it has moved another one.
const REST: u64 = 2_000_000;
/// How many others are looked at in one glance.
const FEW: usize = 8;
/// How many processors a set has room for.
const MOST: usize = 8 * size_of::<libc::cpu_set_t>();

/// What a worker can be moved by.
#[derive(Debug)]
pub(super) struct Spot {
    /// O is moved, or about to be.
    is_moved: AtomicBool,
    /// 0 if there is none.
    thread: AtomicI32,
    kept: Mutex<Option<Moved>>,
}

/// The sets of a thread: before, and now.
#[derive(Debug)]
struct Moved {
    before: Processors,
    now: Processors,
}

/// When a worker looks whether another one has to be moved.
#[derive(Debug)]
pub(super) struct Watch {
    /// The next time.
    at: Cell<u64>,
    /// Who comes next.
    next: Cell<usize>,
    /// Who had yet to wake the last time.
    late: Cell<Option<usize>>,
}

impl Watch {
    /// For a pool of so many workers: where there are more than processors, they have to wait for each other.
    pub(super) fn new(seats: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at = if seats > processors { u64::MAX } else { 0 };
        Self {
            at: Cell::new(at),
            next: Cell::new(0),
            late: Cell::new(None),
        }
    }

    #[inline(always)]
    pub(super) fn is_due(&self, now: u64) -> bool {
        now >= self.at.get()
    }

    /// Looks at a few of so many workers. The one that has yet to wake, and had the last time.
    pub(super) fn glance(
        &self,
        now: u64,
        seats: usize,
        is_waking: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.at.set(now + GLANCE_EVERY);
        if let Some(seat) = self.late.take()
            && is_waking(seat)
        {
            self.at.set(now + REST);
            return Some(seat);
        }
        let first = self.next.get();
        let few = FEW.min(seats);
        self.next.set((first + few) % seats);
        let mut asked = (first..first + few).map(|seat| seat % seats);
        self.late.set(asked.find(|&seat| is_waking(seat)));
        None
    }
}

/// A set of processors.
#[derive(Clone, Copy)]
struct Processors(libc::cpu_set_t);

impl std::fmt::Debug for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: reads the set.
        write!(f, "{} processors", unsafe { libc::CPU_COUNT(&self.0) })
    }
}

impl Processors {
    fn none() -> Self {
        // SAFETY: all bit patterns are sets; this is the empty one.
        Self(unsafe { MaybeUninit::zeroed().assume_init() })
    }

    fn all() -> Self {
        let mut all = Self::none();
        for processor in 0..MOST {
            // SAFETY: the number is in bounds of the set.
            unsafe { libc::CPU_SET(processor, &mut all.0) };
        }
        all
    }

    /// Those that a thread may use. `None` if there are more processors than a set has room for.
    fn of(thread: libc::pid_t) -> Option<Self> {
        let mut set = Self::none();
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: the kernel writes no more than it is told.
        let is_read = unsafe { libc::sched_getaffinity(thread, size, &raw mut set.0) } == 0;
        is_read.then_some(set)
    }

    fn is(&self, other: &Self) -> bool {
        // SAFETY: reads the two sets.
        unsafe { libc::CPU_EQUAL(&self.0, &other.0) }
    }

    fn is_empty(&self) -> bool {
        self.is(&Self::none())
    }

    fn without(mut self, processor: usize) -> Self {
        if processor < MOST {
            // SAFETY: the number is in bounds of the set.
            unsafe { libc::CPU_CLR(processor, &mut self.0) };
        }
        self
    }

    /// Has a thread use these, or as many of them as the process may use. False if the system does not allow it.
    fn set(&self, thread: libc::pid_t) -> bool {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: a system call that reads the set.
        unsafe { libc::sched_setaffinity(thread, size, &raw const self.0) == 0 }
    }
}

impl Spot {
    pub(super) fn new() -> Self {
        Self {
            is_moved: AtomicBool::new(false),
            thread: AtomicI32::new(0),
            kept: Mutex::new(None),
        }
    }

    /// O: takes the spot. It is left when what is given is dropped.
    pub(super) fn take(&self) -> impl Drop {
        struct Taken<'s>(&'s Spot);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                // Under the lock: afterwards another thread may get the number.
                let _kept = self.0.kept.lock();
                self.0.thread.store(0, Ordering::Relaxed);
            }
        }
        // SAFETY: a system call without arguments.
        self.thread
            .store(unsafe { libc::gettid() }, Ordering::Relaxed);
        Taken(self)
    }

    /// O: it has said that it is awake.
    pub(super) fn arrive(&self) {
        // ORDERING: pairs with the fence of `vacate` (see the header).
        fence(Ordering::SeqCst);
        if self.is_moved.load(Ordering::Relaxed) {
            self.restore();
        }
    }

    #[cold]
    fn restore(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_moved.store(false, Ordering::Relaxed);
        let Some(moved) = kept.take() else {
            return;
        };
        // Somebody may have set another one.
        if Processors::of(0).is_some_and(|now| now.is(&moved.now)) {
            // First all, which are no more than the process may use: so a set that was not chosen follows that when it changes.
            Processors::all().set(0);
            if !Processors::of(0).is_some_and(|all| all.is(&moved.before)) {
                moved.before.set(0);
            }
        }
    }

    /// M: sends O, if it still `is_waking`, away from the processor on which this runs.
    #[cold]
    pub(super) fn vacate(&self, is_waking: impl FnOnce() -> bool) {
        let Ok(mut kept) = self.kept.try_lock() else {
            return;
        };
        let thread = self.thread.load(Ordering::Relaxed);
        if kept.is_some() || thread == 0 || !is_unfiltered(0) || !is_unfiltered(thread) {
            return;
        }
        self.is_moved.store(true, Ordering::Relaxed);
        // ORDERING: pairs with the fence of `arrive` (see the header).
        fence(Ordering::SeqCst);
        if is_waking() {
            *kept = move_away(thread);
        }
        if kept.is_none() {
            self.is_moved.store(false, Ordering::Relaxed);
        }
    }
}

/// Takes the processor on which this runs from those of another thread, if that has others.
fn move_away(thread: libc::pid_t) -> Option<Moved> {
    // SAFETY: a call without arguments.
    let here = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
    let before = Processors::of(thread)?;
    let now = before.without(here);
    let changes = !now.is_empty() && !now.is(&before);
    (changes && now.set(thread)).then_some(Moved { before, now })
}

/// Whether a thread of ours, or the calling one if 0, makes its system calls without a filter (seccomp), as far as one can see.
fn is_unfiltered(thread: libc::pid_t) -> bool {
    let status = if thread == 0 {
        "/proc/thread-self/status".to_owned()
    } else {
        format!("/proc/self/task/{thread}/status")
    };
    std::fs::read_to_string(status)
        .is_ok_and(|status| status.lines().any(|line| line == "Seccomp:\t0"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{GLANCE_EVERY, MOST, Processors, REST, Spot, Watch, is_unfiltered};

    fn of_this_thread() -> Processors {
        Processors::of(0).expect("so few processors that a set holds them")
    }

    fn here() -> usize {
        // SAFETY: a call without arguments.
        usize::try_from(unsafe { libc::sched_getcpu() }).unwrap()
    }

    fn only(processor: usize) -> Processors {
        let others = (0..MOST).filter(|&other| other != processor);
        others.fold(Processors::all(), |set, other| set.without(other))
    }

    /// On a thread that is M and O in one.
    fn with_spot(work: impl FnOnce(&Spot) + Send) {
        std::thread::scope(|s| {
            s.spawn(|| {
                let spot = Spot::new();
                let _taken = spot.take();
                work(&spot);
            });
        });
    }

    #[test]
    fn one_is_moved_that_has_yet_to_wake_twice_in_a_row() {
        const SEATS: usize = 20;
        let watch = Watch::new(1);
        let mut now = 0;
        let mut glance = |late: Option<usize>| {
            assert!(watch.is_due(now));
            let moved = watch.glance(now, SEATS, |seat| Some(seat) == late);
            let wait = if moved.is_some() { REST } else { GLANCE_EVERY };
            assert!(!watch.is_due(now + wait - 1));
            now += wait;
            moved
        };
        assert_eq!([None, None, None].map(&mut glance), [None; 3]);
        for seat in 0..SEATS {
            // It is looked at in one of three, and then once more.
            let first = (0..4).position(|_| glance(Some(seat)).is_some());
            assert!(first.is_some_and(|glances| glances >= 1), "seat {seat}");
            let none = [Some(seat), None, Some(seat), None, Some(seat), None];
            assert_eq!(none.map(&mut glance), [None; 6], "seat {seat}");
        }
        assert!(!Watch::new(1 << 20).is_due(u64::MAX - 1));
    }

    #[test]
    fn who_is_moved_runs_elsewhere_and_may_come_back() {
        with_spot(|spot| {
            let all = of_this_thread();
            let can_move = !all.without(here()).is_empty() && is_unfiltered(0);
            for _ in 0..100 {
                spot.vacate(|| true);
                assert_eq!(!of_this_thread().is(&all), can_move, "of {all:?}");
                spot.arrive();
                assert!(of_this_thread().is(&all), "{all:?}");
            }
        });
    }

    #[test]
    fn who_is_awake_is_not_moved() {
        with_spot(|spot| {
            let all = of_this_thread();
            spot.vacate(|| false);
            assert!(of_this_thread().is(&all));
            assert!(!spot.is_moved.load(Ordering::Relaxed));
        });
    }

    #[test]
    fn who_may_use_one_processor_keeps_it() {
        with_spot(|spot| {
            let chosen = only(here());
            assert!(chosen.set(0));
            spot.vacate(|| true);
            assert!(of_this_thread().is(&chosen));
            spot.arrive();
            assert!(of_this_thread().is(&chosen));
        });
    }

    #[test]
    fn what_another_has_set_meanwhile_stays() {
        with_spot(|spot| {
            let all = of_this_thread();
            spot.vacate(|| true);
            let moved = of_this_thread();
            let mut choices = (0..MOST)
                .filter(|&one| !all.without(one).is(&all))
                .map(only);
            let chosen = choices.find(|choice| !choice.is(&moved)).unwrap_or(moved);
            assert!(chosen.set(0));
            spot.arrive();
            assert!(of_this_thread().is(&chosen));
        });
    }

    /// Whenever O has arrived, its set is what it was, whatever M is about to do.
    #[test]
    fn who_is_moved_again_and_again_never_goes_on_with_less() {
        let spot = Spot::new();
        let (waking, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|s| {
            s.spawn(|| {
                let _taken = spot.take();
                let all = of_this_thread();
                while !is_over.load(Ordering::SeqCst) {
                    waking.store(true, Ordering::SeqCst);
                    std::thread::yield_now();
                    waking.swap(false, Ordering::AcqRel);
                    spot.arrive();
                    assert!(of_this_thread().is(&all), "{all:?}");
                }
            });
            for _ in 0..300 {
                spot.vacate(|| waking.load(Ordering::Relaxed));
            }
            is_over.store(true, Ordering::SeqCst);
        });
    }

    #[test]
    fn a_second_move_before_the_first_is_over_loses_nothing() {
        with_spot(|spot| {
            let all = of_this_thread();
            spot.vacate(|| true);
            spot.vacate(|| true);
            spot.arrive();
            assert!(of_this_thread().is(&all), "{all:?}");
        });
    }

    #[test]
    fn a_spot_that_nobody_has_moves_nobody() {
        with_spot(|_| {
            let (spot, all) = (Spot::new(), of_this_thread());
            drop(spot.take());
            spot.vacate(|| true);
            assert!(of_this_thread().is(&all));
        });
    }
}
