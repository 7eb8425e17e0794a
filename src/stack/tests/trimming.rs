//! When memory is given back, and that it is.

use std::time::Duration;

use super::super::cache::{CAPACITY, HOTTEST};
use super::super::memory::count;
use super::super::store::{BUNDLE, PERIOD_MS};
use super::super::{Stack, StackCache};
use super::{put_all, store, take_many};

/// Some time after the first trim, which begins a period.
const START: u64 = 1_000_000;

/// Marks the pages at the top and deep down.
fn soil(stack: &Stack) {
    // SAFETY: within the slot, which is ours alone.
    unsafe { stack.top().sub(8).cast::<u64>().write(7) };
    // SAFETY: as above; the guard is at most 16 KiB.
    unsafe { stack.limit().add(20 << 10).cast::<u64>().write(7) };
}

/// What the two pages hold.
fn marks(stack: &Stack) -> (u64, u64) {
    // SAFETY: within the slot, which is ours alone.
    let top = unsafe { stack.top().sub(8).cast::<u64>().read() };
    // SAFETY: as above.
    let deep = unsafe { stack.limit().add(20 << 10).cast::<u64>().read() };
    (top, deep)
}

#[test]
fn idle_stacks_lose_their_memory_and_the_hottest_keep_it() {
    let mut cache = StackCache::of(store());
    let stacks = take_many(&mut cache, 200);
    stacks.iter().for_each(soil);
    put_all(&mut cache, stacks);

    assert_eq!(
        cache.trim_at(START),
        Some(Duration::from_millis(PERIOD_MS)),
        "a period begins"
    );
    assert_eq!(
        cache.trim_at(START + 400),
        Some(Duration::from_millis(PERIOD_MS - 400))
    );
    assert_eq!(
        cache.trim_at(START + PERIOD_MS),
        None,
        "nothing is left to give back"
    );

    // Those that are taken first are the hottest.
    let stacks = take_many(&mut cache, 200);
    for (index, stack) in stacks.iter().enumerate() {
        let expected = if index < HOTTEST { (7, 7) } else { (0, 0) };
        assert_eq!(marks(stack), expected, "stack {index}");
    }
    put_all(&mut cache, stacks);
}

#[test]
fn a_load_in_bursts_keeps_its_memory() {
    let mut cache = StackCache::of(store());
    let stacks = take_many(&mut cache, 200);
    stacks.iter().for_each(soil);
    put_all(&mut cache, stacks);
    for burst in 0..20 {
        let _ = cache.trim_at(START + burst * (PERIOD_MS / 2));
        let stacks = take_many(&mut cache, 200);
        assert!(
            stacks.iter().all(|stack| marks(stack) == (7, 7)),
            "burst {burst}"
        );
        put_all(&mut cache, stacks);
    }
}

#[test]
fn a_trimmed_stack_is_not_trimmed_again_before_its_use() {
    let mut cache = StackCache::of(store());
    let stacks = take_many(&mut cache, HOTTEST + 1);
    put_all(&mut cache, stacks);
    let _ = cache.trim_at(START);
    assert_eq!(cache.trim_at(START + PERIOD_MS), None);
    assert_eq!(cache.trim_at(START + 5 * PERIOD_MS), None);
    let stacks = take_many(&mut cache, HOTTEST + 1);
    put_all(&mut cache, stacks);
    assert!(
        cache.trim_at(START + 6 * PERIOD_MS).is_some(),
        "they were used"
    );
}

#[test]
fn the_store_gives_memory_back_in_batches() {
    const COUNT: usize = 1000;
    let store = store();
    let mut cache = StackCache::of(store);
    let stacks = take_many(&mut cache, COUNT);
    stacks.iter().for_each(soil);
    drop(stacks);
    assert_eq!(count(store).slots_warm, COUNT);

    assert!(
        cache.trim_at(START).is_some_and(|wait| !wait.is_zero()),
        "a period begins"
    );
    assert_eq!(count(store).slots_cold, 0);
    assert_eq!(
        cache.trim_at(START + PERIOD_MS),
        Some(Duration::ZERO),
        "one batch of several"
    );
    assert_eq!(count(store).slots_cold, 256);
    let mut rounds = 0;
    while cache.trim_at(START + PERIOD_MS).is_some() {
        rounds += 1;
        assert!(rounds < 10);
    }
    assert_eq!(count(store).slots_cold, COUNT);

    let stacks = take_many(&mut cache, COUNT);
    assert!(stacks.iter().all(|stack| marks(stack) == (0, 0)));
    assert_eq!(count(store).slots_in_use, COUNT);
}

#[test]
fn the_store_keeps_what_was_needed_within_a_period() {
    let store = store();
    let mut cache = StackCache::of(store);
    drop(take_many(&mut cache, 3 * BUNDLE));
    let _ = cache.trim_at(START);
    // Two bundles are needed for a moment, so one was idle.
    let stacks = take_many(&mut cache, 2 * BUNDLE);
    drop(stacks);
    while cache
        .trim_at(START + PERIOD_MS)
        .is_some_and(|wait| wait.is_zero())
    {}
    let memory = count(store);
    assert_eq!((memory.slots_cold, memory.slots_warm), (BUNDLE, 2 * BUNDLE));
}

#[test]
fn a_cache_that_ends_tells_the_store_what_is_clean() {
    let store = store();
    let mut cache = StackCache::of(store);
    let stacks = take_many(&mut cache, CAPACITY);
    put_all(&mut cache, stacks);
    let _ = cache.trim_at(START);
    let _ = cache.trim_at(START + PERIOD_MS);
    drop(cache);
    let memory = count(store);
    assert_eq!(
        (memory.slots_warm, memory.slots_cold),
        (HOTTEST, CAPACITY - HOTTEST)
    );
}
