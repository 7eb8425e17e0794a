//! Tests of [`blocks`](super::blocks). Each has a size of its own, since the depot belongs to the whole process.

use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::blocks::{PERIOD, depot_size, give, take, trim_at};

/// One test at a time; and the present period begins in a minute, so that no thread of the process trims meanwhile but the test.
fn alone() -> (MutexGuard<'static, ()>, Instant) {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now() + Duration::from_secs(60);
    trim_all(now);
    (guard, now)
}

/// Ends a period at `now`.
fn trim_all(now: Instant) {
    while trim_at(now).is_none_or(|again| again.is_zero()) {
        std::thread::yield_now();
    }
}

/// A type of so many bytes.
type Sized<const N: usize> = [u8; N];

/// So many blocks, each filled with its number.
fn take_many<const N: usize>(count: usize) -> Vec<usize> {
    let fill = |number: usize| {
        let block: NonNull<Sized<N>> = take();
        // SAFETY: memory for it, which is ours.
        unsafe { block.write([number as u8; N]) };
        block.expose_provenance().get()
    };
    (0..count).map(fill).collect()
}

/// Gives them back, after a look at what was written there.
fn give_many<const N: usize>(blocks: &[usize]) {
    for (number, &block) in blocks.iter().enumerate() {
        let block: *mut Sized<N> = std::ptr::with_exposed_provenance_mut(block);
        let block = NonNull::new(block).expect("not null");
        // SAFETY: from `take_many`, which has written to it.
        assert_eq!(unsafe { block.read() }, [number as u8; N]);
        // SAFETY: from `take_many`, and given back once.
        unsafe { give(block) };
    }
}

/// On a thread that has a home.
fn at_home<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    crate::run_blocking(|_| Ok(work())).expect("it does not fail")
}

#[test]
fn what_was_given_back_is_taken_again() {
    let _alone = alone();
    at_home(|| {
        let first = take_many::<499>(1000);
        give_many::<499>(&first);
        let second = take_many::<499>(1000);
        let [first, second] = [first, second].map(BTreeSet::from_iter);
        assert_eq!(first.len(), 1000, "no block twice");
        assert_eq!(first, second);
    });
}

#[test]
fn blocks_go_back_by_another_thread() {
    let _alone = alone();
    // More than a thread keeps for itself.
    let blocks = at_home(|| take_many::<483>(640));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            at_home(|| {
                give_many::<483>(&blocks);
                assert!(depot_size::<Sized<483>>() >= 640 - 128);
            })
        });
    });
    let again = at_home(|| take_many::<483>(640 - 128));
    let [before, after] = [&blocks, &again].map(|blocks| blocks.iter().collect::<BTreeSet<_>>());
    assert!(after.is_subset(&before));
    at_home(|| give_many::<483>(&again));
}

#[test]
fn the_depot_gives_back_what_was_not_needed_for_a_period() {
    let (_alone, mut now) = alone();
    at_home(|| {
        let blocks = take_many::<467>(6400);
        give_many::<467>(&blocks);
        let full = depot_size::<Sized<467>>();
        assert!(full >= 6400 - 128);
        // The period in which they came.
        now += PERIOD;
        trim_all(now);
        assert_eq!(depot_size::<Sized<467>>(), full, "they have just come");
        let used = take_many::<467>(640 + 128);
        give_many::<467>(&used);
        now += PERIOD;
        trim_all(now);
        let kept = depot_size::<Sized<467>>();
        assert!((640..=640 + 128).contains(&kept), "{kept} were needed");
        now += PERIOD;
        trim_all(now);
        assert_eq!(depot_size::<Sized<467>>(), 0, "nobody needs them");
    });
}

#[test]
fn a_block_that_is_large_or_aligned_comes_from_the_heap() {
    #[repr(align(64))]
    struct Aligned([u8; 256]);
    at_home(|| {
        let block: NonNull<Aligned> = take();
        assert_eq!(block.addr().get() % 64, 0);
        // SAFETY: memory for it, which is ours.
        unsafe { block.write(Aligned([1; 256])) };
        // SAFETY: just written.
        assert_eq!(unsafe { block.as_ref() }.0, [1; 256]);
        // SAFETY: as above, and given back once.
        unsafe { give(block) };
        let large = take_many::<100_000>(3);
        give_many::<100_000>(&large);
    });
}

#[test]
fn a_thread_without_a_home_uses_the_heap() {
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let blocks = take_many::<451>(200);
            give_many::<451>(&blocks);
            assert_eq!(depot_size::<Sized<451>>(), 0);
        });
    });
}
