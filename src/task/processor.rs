//! On which processor a thread sleeps, so that it is not woken behind the one who wakes it.
//!
//! Linux wakes a thread on the processor on which it slept, or on that of whoever wakes it, unless it sees another one idle. In a
//! virtual machine it often sees none: a processor that has halted counts as one that the host has taken away. So two workers that
//! once slept on the same processor stay there: who is woken waits until the other one sleeps or its slice is over, some
//! milliseconds, while another processor does nothing. Where the two are to work at the same time, that is all that a second worker
//! is good for.
//!
//! ```text
//! NOWHERE -O> n     join, and before each sleep: where O runs, which is where it will sleep
//! n       -P> m     P, who is about to wake O and runs on n itself: it lets O run on m alone, where no worker is
//! m       -O>       O is awake: it may run anywhere again
//! n       -O> NOWHERE
//! ```
//!
//! Nobody is moved whose thread, or whose process, may not run on all processors: that is somebody's decision. If the system calls are refused, or O has
//! woken before P's, nothing is lost: O undoes what it finds at the next sleep at the latest.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// The number of no processor.
const NOWHERE: u32 = u32::MAX;
/// As many as a set of them has room for.
const MOST: usize = libc::CPU_SETSIZE as usize;

/// How many workers run or sleep on each processor, as far as they have told.
struct Workers([AtomicU32; MOST]);

static WORKERS: Workers = Workers::new();

/// Where one thread sleeps.
pub(crate) struct Processor {
    workers: &'static Workers,
    number: AtomicU32,
    thread: AtomicI32,
    is_moved: AtomicBool,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("number", &self.number)
            .field("is_moved", &self.is_moved)
            .finish_non_exhaustive()
    }
}

impl Processor {
    /// Of a thread that is no worker yet.
    pub(crate) const fn new() -> Self {
        Self::among(&WORKERS)
    }

    const fn among(workers: &'static Workers) -> Self {
        Self {
            workers,
            number: AtomicU32::new(NOWHERE),
            thread: AtomicI32::new(0),
            is_moved: AtomicBool::new(false),
        }
    }

    /// O: is one of several that are to work at the same time, until [`leave`](Processor::leave).
    pub(crate) fn join(&self) {
        if all().is_some() {
            // SAFETY: it has no arguments and does not fail.
            let thread = unsafe { libc::gettid() };
            self.thread.store(thread, Ordering::Relaxed);
            self.go_to(here());
        }
    }

    /// O: is none of them any more.
    pub(crate) fn leave(&self) {
        self.go_to(None);
        self.stay_free();
    }

    /// O: is about to sleep.
    #[inline]
    pub(crate) fn lie_down(&self) {
        if self.number.load(Ordering::Relaxed) != NOWHERE {
            self.stay_free();
            self.go_to(here());
        }
    }

    /// O: has slept. It may run anywhere, though P has moved it.
    #[inline]
    pub(crate) fn stay_free(&self) {
        // ORDERING: acquire pairs with P's release: its call came first.
        if self.is_moved.load(Ordering::Relaxed) && self.is_moved.swap(false, Ordering::Acquire) {
            self.free();
        }
    }

    #[cold]
    fn free(&self) {
        if let Some(all) = all() {
            // It worked before with one of them.
            let _ = restrict(0, all);
        }
    }

    /// P, who is a worker at `waker`: is about to wake O, and goes on itself.
    #[inline]
    pub(crate) fn make_way(&self, waker: &Processor) {
        let number = self.number.load(Ordering::Relaxed);
        if number != NOWHERE && waker.number.load(Ordering::Relaxed) != NOWHERE {
            self.make_way_from(number);
        }
    }

    #[cold]
    fn make_way_from(&self, number: u32) {
        let Some(all) = all() else { return };
        if here() != Some(number) {
            return;
        }
        let Some(free) = self.workers.free_one(all, number) else {
            return;
        };
        // Of several who wake the same one, one does this.
        let moved =
            self.number
                .compare_exchange(number, free, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_err() {
            return;
        }
        self.workers.count(number, free);
        let thread = self.thread.load(Ordering::Relaxed);
        if allowed(thread).is_some_and(|set| is_same(&set, all)) && restrict(thread, &only(free)) {
            // ORDERING: release, after the call that it tells of.
            self.is_moved.store(true, Ordering::Release);
        }
    }

    fn go_to(&self, number: Option<u32>) {
        let number = number.unwrap_or(NOWHERE);
        if self.number.load(Ordering::Relaxed) != number {
            let before = self.number.swap(number, Ordering::Relaxed);
            self.workers.count(before, number);
        }
    }
}

impl Workers {
    const fn new() -> Self {
        Self([const { AtomicU32::new(0) }; MOST])
    }

    /// A worker went from one processor to another.
    fn count(&self, from: u32, to: u32) {
        if let Some(left) = self.0.get(from as usize) {
            left.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(reached) = self.0.get(to as usize) {
            reached.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A processor without a worker, the next one after `number`.
    fn free_one(&self, all: &libc::cpu_set_t, number: u32) -> Option<u32> {
        let number = number as usize;
        let mut others = (number + 1..MOST).chain(0..number.min(MOST));
        let free = others.find(|&other| {
            // SAFETY: the number of a place in the set.
            let exists = unsafe { libc::CPU_ISSET(other, all) };
            exists && self.0[other].load(Ordering::Relaxed) == 0
        });
        free.map(|free| free as u32)
    }
}

/// The processor on which the caller runs.
fn here() -> Option<u32> {
    // SAFETY: it has no arguments.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// All processors, if this process may run on all of them, and they are more than one.
fn all() -> Option<&'static libc::cpu_set_t> {
    static ALL: OnceLock<Option<libc::cpu_set_t>> = OnceLock::new();
    let find = || {
        let all = allowed(0)?;
        // SAFETY: a plain question, and a set of ours.
        let (online, allowed) = unsafe {
            (
                libc::sysconf(libc::_SC_NPROCESSORS_ONLN),
                libc::CPU_COUNT(&all),
            )
        };
        (allowed > 1 && i64::from(allowed) == online).then_some(all)
    };
    ALL.get_or_init(find).as_ref()
}

/// On which processors a thread may run; the calling one is number zero.
fn allowed(thread: i32) -> Option<libc::cpu_set_t> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: memory of ours, of the size that is told.
    let got = unsafe { libc::sched_getaffinity(thread, size_of_val(&set), set.as_mut_ptr()) };
    // SAFETY: all zeros is an empty set, and the call writes a set.
    (got == 0).then(|| unsafe { set.assume_init() })
}

/// The set of one.
fn only(number: u32) -> libc::cpu_set_t {
    // SAFETY: all zeros is an empty set, and the number is one of a processor.
    unsafe {
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init();
        libc::CPU_SET(number as usize, &mut set);
        set
    }
}

fn is_same(one: &libc::cpu_set_t, other: &libc::cpu_set_t) -> bool {
    // SAFETY: sets that live through the call.
    unsafe { libc::CPU_EQUAL(one, other) }
}

/// Lets a thread run on these processors only.
fn restrict(thread: i32, set: &libc::cpu_set_t) -> bool {
    // SAFETY: a set of the size that is told. Whose thread it is does not matter: it goes on where it may.
    unsafe { libc::sched_setaffinity(thread, size_of_val(set), set) == 0 }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Processors without workers.
    fn empty() -> &'static Workers {
        Box::leak(Box::new(Workers::new()))
    }

    fn may_run_on(thread: &Processor, set: &libc::cpu_set_t) -> bool {
        allowed(thread.thread.load(Ordering::Relaxed)).is_some_and(|now| is_same(&now, set))
    }

    /// Has a worker sleep, while `test` runs on the same processor, which it is told with one more.
    fn beside_a_sleeper(workers: &'static Workers, test: impl FnOnce(&Processor, u32, u32)) {
        // Where there is one processor, or they were chosen by somebody, nobody is ever moved.
        let Some(all) = all() else {
            let alone = Processor::among(workers);
            alone.join();
            assert_eq!(alone.number.load(Ordering::Relaxed), NOWHERE);
            return;
        };
        let one = here().expect("it runs somewhere");
        let other = Workers::new().free_one(all, one).expect("there are two");
        let sleeper = Processor::among(workers);
        let (slept, sleeps) = mpsc::channel();
        let (wake, woken) = mpsc::channel::<()>();
        std::thread::scope(|threads| {
            let sleeper = &sleeper;
            threads.spawn(move || {
                assert!(restrict(0, &only(one)));
                sleeper.join();
                sleeper.lie_down();
                assert!(restrict(0, all));
                slept.send(()).unwrap();
                woken.recv().unwrap_err();
                sleeper.stay_free();
                assert!(may_run_on(sleeper, all), "it is free again");
                sleeper.leave();
            });
            sleeps.recv().unwrap();
            assert!(restrict(0, &only(one)));
            test(sleeper, one, other);
            assert!(restrict(0, all));
            drop(wake);
        });
        let left = workers.0.iter().map(|count| count.load(Ordering::Relaxed));
        assert_eq!(left.sum::<u32>(), 0);
    }

    #[test]
    fn who_sleeps_where_its_waker_works_is_woken_elsewhere() {
        let workers = empty();
        beside_a_sleeper(workers, |sleeper, _, other| {
            let waker = Processor::among(workers);
            waker.join();
            sleeper.make_way(&waker);
            assert!(may_run_on(sleeper, &only(other)));
            // And by the next one from there.
            assert_eq!(sleeper.number.load(Ordering::Relaxed), other);
            waker.leave();
        });
    }

    #[test]
    fn who_sleeps_elsewhere_is_left_alone() {
        let workers = empty();
        beside_a_sleeper(workers, |sleeper, _, other| {
            let waker = Processor::among(workers);
            waker.join();
            assert!(restrict(0, &only(other)));
            sleeper.make_way(&waker);
            assert!(may_run_on(sleeper, all().unwrap()));
            waker.leave();
        });
    }

    #[test]
    fn nobody_is_sent_where_another_worker_is() {
        let workers = empty();
        beside_a_sleeper(workers, |sleeper, one, _| {
            let waker = Processor::among(workers);
            waker.join();
            let (before, all) = (one as usize, all().unwrap());
            for (number, count) in workers.0.iter().enumerate() {
                // SAFETY: the number of a place in the set.
                if number != before && unsafe { libc::CPU_ISSET(number, all) } {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            sleeper.make_way(&waker);
            assert!(may_run_on(sleeper, all));
            for (number, count) in workers.0.iter().enumerate() {
                // SAFETY: as above.
                if number != before && unsafe { libc::CPU_ISSET(number, all) } {
                    count.fetch_sub(1, Ordering::Relaxed);
                }
            }
            waker.leave();
        });
    }

    #[test]
    fn who_is_no_worker_moves_nobody() {
        let workers = empty();
        beside_a_sleeper(workers, |sleeper, _, _| {
            sleeper.make_way(&Processor::among(workers));
            assert!(may_run_on(sleeper, all().unwrap()));
        });
    }

    #[test]
    fn who_is_bound_to_a_processor_by_somebody_else_stays_there() {
        let workers = empty();
        beside_a_sleeper(workers, |sleeper, one, _| {
            let waker = Processor::among(workers);
            waker.join();
            assert!(restrict(sleeper.thread.load(Ordering::Relaxed), &only(one)));
            sleeper.make_way(&waker);
            assert!(may_run_on(sleeper, &only(one)));
            assert!(restrict(
                sleeper.thread.load(Ordering::Relaxed),
                all().unwrap()
            ));
            waker.leave();
        });
    }
}
