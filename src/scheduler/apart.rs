//! Keeps the workers of a pool on processors of their own.
//!
//! A thread that is woken mostly goes to an idle processor. But on some virtual machines the kernel takes one that idles for one
//! that is not there at the moment, and queues the woken thread behind the one that has woken it: until the load is balanced,
//! some milliseconds later, one processor idles and the coroutines that live on that worker wait.
//!
//! So each worker notes now and then which processor it runs on. Who sees that another one, which is awake, has noted its own, or
//! that another one was told to wake and has not, and sees so again a while later, moves that one elsewhere: by taking this
//! processor from the set that the other may use, which that one restores as soon as it runs. If it runs elsewhere already, that
//! changes nothing.
//!
//! # Roles and states
//!
//! M is a worker that runs, O the one that waits behind it, whose spot this is.
//!
//! ```text
//! at home -M> moved     under the lock: reads the set of O's thread, keeps it, and sets a smaller one
//! moved   -O> at home   under the lock: sets what was kept
//! ```
//!
//! A set of one processor is left alone, and so is what the system does not let us change. If somebody else changes the set of O's
//! thread in between, O undoes that; it is a matter of microseconds.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

/// How long two have been seen on one processor before one of them is moved, in nanoseconds.
const GLANCE_EVERY: u64 = 250_000;
/// How long a worker waits after it has moved another one.
const REST: u64 = 2_000_000;
/// How many others are looked at in one glance.
const FEW: usize = 8;

const NOWHERE: i32 = -1;

/// Where a worker runs.
#[derive(Debug)]
pub(super) struct Spot {
    /// The processor on which the worker has been seen last.
    processor: AtomicI32,
    is_moved: AtomicBool,
    /// 0 if there is none.
    thread: AtomicI32,
    kept: Mutex<Option<Processors>>,
}

/// When a worker looks where the others are.
#[derive(Debug)]
pub(super) struct Watch {
    /// The next time.
    at: Cell<u64>,
    /// Who comes next.
    next: Cell<usize>,
    /// Who was seen behind it the last time.
    behind: Cell<Option<usize>>,
}

impl Watch {
    /// For a pool of so many workers: if there are more than processors, they have to share.
    pub(super) fn new(seats: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at = if seats > processors { u64::MAX } else { 0 };
        Self {
            at: Cell::new(at),
            next: Cell::new(0),
            behind: Cell::new(None),
        }
    }

    #[inline(always)]
    pub(super) fn is_due(&self, now: u64) -> bool {
        now >= self.at.get()
    }

    /// Looks at a few of so many workers. The one that is behind this one, and was the last time.
    pub(super) fn glance(
        &self,
        now: u64,
        seats: usize,
        is_behind: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.at.set(now + GLANCE_EVERY);
        if let Some(seat) = self.behind.take()
            && is_behind(seat)
        {
            self.at.set(now + REST);
            return Some(seat);
        }
        let first = self.next.get();
        let few = FEW.min(seats);
        self.next.set((first + few) % seats);
        let mut asked = (first..first + few).map(|seat| seat % seats);
        self.behind.set(asked.find(|&seat| is_behind(seat)));
        None
    }
}

/// A set of processors.
#[derive(Clone, Copy)]
struct Processors(libc::cpu_set_t);

impl std::fmt::Debug for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} processors", self.len())
    }
}

impl Processors {
    /// Those that a thread may use.
    fn of(thread: libc::pid_t) -> Option<Self> {
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
        // SAFETY: the kernel writes no more than it is told; all bit patterns are sets. It fails if there are more processors.
        unsafe {
            let size = size_of::<libc::cpu_set_t>();
            let is_read = libc::sched_getaffinity(thread, size, set.as_mut_ptr()) == 0;
            is_read.then(|| Self(set.assume_init()))
        }
    }

    fn len(&self) -> i32 {
        // SAFETY: reads the set.
        unsafe { libc::CPU_COUNT(&self.0) }
    }

    fn without(mut self, processor: i32) -> Self {
        if let Ok(processor) = usize::try_from(processor)
            && processor < 8 * size_of::<libc::cpu_set_t>()
        {
            // SAFETY: the number is in bounds of the set.
            unsafe { libc::CPU_CLR(processor, &mut self.0) };
        }
        self
    }

    /// Has a thread use these. False if the system does not allow it.
    fn set(&self, thread: libc::pid_t) -> bool {
        // SAFETY: a system call that reads the set.
        unsafe {
            libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const self.0) == 0
        }
    }
}

impl Spot {
    pub(super) fn new() -> Self {
        Self {
            processor: AtomicI32::new(NOWHERE),
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

    /// O: notes where it is, and may go everywhere again. Which processor that is.
    pub(super) fn note(&self) -> i32 {
        // SAFETY: a call without arguments.
        let here = unsafe { libc::sched_getcpu() };
        self.processor.store(here, Ordering::Relaxed);
        // ORDERING: relaxed: what is kept is read under the lock; who misses it sees it the next time.
        if self.is_moved.load(Ordering::Relaxed) {
            self.restore();
        }
        here
    }

    #[cold]
    fn restore(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(processors) = kept.take() {
            processors.set(0);
        }
        self.is_moved.store(false, Ordering::Relaxed);
    }

    /// M: whether O was last seen on this processor.
    pub(super) fn is_at(&self, processor: i32) -> bool {
        self.processor.load(Ordering::Relaxed) == processor && processor != NOWHERE
    }

    /// M: sends O away from this processor, if it may use another one.
    #[cold]
    pub(super) fn vacate(&self, processor: i32) {
        let Ok(mut kept) = self.kept.try_lock() else {
            return;
        };
        let thread = self.thread.load(Ordering::Relaxed);
        if kept.is_some() || thread == 0 {
            return;
        }
        let Some(all) = Processors::of(thread) else {
            return;
        };
        let others = all.without(processor);
        if others.len() > 0 && others.len() < all.len() && others.set(thread) {
            *kept = Some(all);
            self.is_moved.store(true, Ordering::Relaxed);
        }
        self.processor.store(NOWHERE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{GLANCE_EVERY, Processors, REST, Spot, Watch};

    fn of_this_thread() -> Processors {
        Processors::of(0).expect("so few processors that a set holds them")
    }

    fn is_same(left: Processors, right: Processors) -> bool {
        // SAFETY: reads the two sets.
        unsafe { libc::CPU_EQUAL(&left.0, &right.0) }
    }

    fn in_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|s| s.spawn(work).join().unwrap())
    }

    #[test]
    fn one_is_moved_that_is_behind_twice_in_a_row() {
        const SEATS: usize = 20;
        let watch = Watch::new(1);
        let mut now = 0;
        let mut glance = |behind: Option<usize>| {
            assert!(watch.is_due(now));
            let moved = watch.glance(now, SEATS, |seat| Some(seat) == behind);
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
        in_a_thread(|| {
            let spot = Spot::new();
            let _taken = spot.take();
            let all = of_this_thread();
            for _ in 0..100 {
                let here = spot.note();
                spot.vacate(here);
                // SAFETY: a call without arguments.
                let now = unsafe { libc::sched_getcpu() };
                assert_eq!(now == here, all.len() == 1, "of {all:?}");
                assert!(!spot.is_at(here) || all.len() == 1);
                let there = spot.note();
                assert!(spot.is_at(there));
                assert!(is_same(of_this_thread(), all), "{all:?}");
            }
        });
    }

    #[test]
    fn who_may_use_one_processor_keeps_it() {
        in_a_thread(|| {
            let spot = Spot::new();
            let _taken = spot.take();
            let all = of_this_thread();
            let here = spot.note();
            let only = (0..1024).filter(|&other| other != here);
            let only = only.fold(all, Processors::without);
            assert!(only.set(0) && only.len() == 1);
            spot.vacate(here);
            assert!(is_same(of_this_thread(), only));
            spot.note();
            assert!(is_same(of_this_thread(), only));
        });
    }

    #[test]
    fn a_second_move_before_the_first_has_been_noticed_loses_nothing() {
        in_a_thread(|| {
            let spot = Spot::new();
            let _taken = spot.take();
            let all = of_this_thread();
            let here = spot.note();
            spot.vacate(here);
            // SAFETY: a call without arguments.
            spot.vacate(unsafe { libc::sched_getcpu() });
            spot.note();
            assert!(is_same(of_this_thread(), all), "{all:?}");
        });
    }

    #[test]
    fn a_spot_that_nobody_has_moves_nobody() {
        in_a_thread(|| {
            let spot = Spot::new();
            let all = of_this_thread();
            let here = {
                let _taken = spot.take();
                spot.note()
            };
            assert!(spot.is_at(here));
            spot.vacate(here);
            assert!(is_same(of_this_thread(), all));
            assert!(!Spot::new().is_at(-1));
        });
    }
}
