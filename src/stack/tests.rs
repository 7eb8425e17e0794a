//! What cannot be reached from outside: slots, lists, limits, and faults in child processes.

mod limits;
mod overflow;
mod trimming;

use std::collections::HashSet;
use std::process::{Command, Output};
use std::sync::Barrier;
use std::thread;

use super::cache::CAPACITY;
use super::guard::Guards;
use super::memory::count;
use super::size::page_bytes;
use super::store::{BUNDLE, Store};
use super::{Stack, StackCache, StackSize};

/// Set in a child process that is to do the deed.
const CHILD: &str = "SWITCHBACK_STACK_TEST_CHILD";

/// A store of one's own, so that tests do not see each other's stacks.
fn store() -> &'static Store {
    Box::leak(Box::new(Store::new(Guards::new(), usize::MAX)))
}

fn take_many(cache: &mut StackCache, count: usize) -> Vec<Stack> {
    (0..count)
        .map(|_| cache.take(StackSize::DEFAULT).expect("there is memory"))
        .collect()
}

fn put_all(cache: &mut StackCache, stacks: Vec<Stack>) {
    stacks.into_iter().for_each(|stack| cache.put(stack));
}

/// Runs the test of this name (under this module) again, alone in a process of its own, with `role` in the environment.
fn run_child(test: &str, role: &str) -> Output {
    let (_, module) = module_path!()
        .split_once("::")
        .expect("the module is in a crate");
    let output = Command::new(std::env::current_exe().expect("a test knows its binary"))
        .args([
            &format!("{module}::{test}"),
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, role)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("a test binary can be run");
    // A name that fits no test would be a success.
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test}: {text}");
    output
}

/// The role that [`run_child`] gave to this process, if it is a child.
fn role() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// A figure of `/proc/self/status`, in KiB.
fn status_kib(key: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = text
        .lines()
        .find(|line| line.starts_with(key))
        .expect("the key exists");
    line.split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .expect("a number follows")
}

#[test]
fn sizes_round_up_to_powers_of_two_within_bounds() {
    assert_eq!(StackSize::new(0), StackSize::MIN);
    assert_eq!(StackSize::new(64 << 10), StackSize::MIN);
    assert_eq!(StackSize::new((64 << 10) + 1).bytes(), 128 << 10);
    assert_eq!(StackSize::new(200 << 10), StackSize::DEFAULT);
    assert_eq!(StackSize::new(1 << 20), StackSize::IO);
    assert_eq!(StackSize::new(1 << 30), StackSize::MAX);
    assert_eq!(StackSize::new((1 << 30) - 1), StackSize::MAX);
    assert_eq!(StackSize::new(usize::MAX), StackSize::MAX);
}

#[test]
fn a_stack_is_one_word() {
    assert_eq!(size_of::<Stack>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Stack>>(), size_of::<usize>());
}

#[test]
fn tops_are_aligned_coloured_and_writable() {
    for size in [StackSize::MIN, StackSize::DEFAULT, StackSize::IO] {
        let mut cache = StackCache::of(store());
        let stacks: Vec<_> = (0..32)
            .map(|_| cache.take(size).expect("there is memory"))
            .collect();
        let mut colours = Vec::new();
        for stack in &stacks {
            assert_eq!(stack.size(), size);
            assert_eq!(stack.top().addr().get() % 64, 0);
            assert_eq!(stack.limit().addr().get() % page_bytes(), 0);
            let end = stack.limit().addr().get() + size.slot_bytes();
            colours.push((end - stack.top().addr().get()) / 64);
            // SAFETY: within the slot, over its guard.
            unsafe { stack.top().sub(8).cast::<u64>().write(7) };
            // SAFETY: the lowest byte over the guard, which is at most 16 KiB.
            unsafe { stack.limit().add(16 << 10).write(7) };
        }
        // Neighbours differ, and all colours come in turn.
        assert!(colours.iter().all(|colour| *colour < 16));
        assert!(
            colours.windows(2).all(|two| two[1] == (two[0] + 1) % 16),
            "{colours:?}"
        );
        // The pages in use lie in as many sets of the buffer of translations as there can be, whose number is a power of two.
        let pages = stacks
            .iter()
            .map(|stack| (stack.top().addr().get() - 1) / page_bytes());
        let sets: HashSet<_> = pages.map(|page| page % stacks.len()).collect();
        assert_eq!(sets.len(), stacks.len());
        put_all(&mut cache, stacks);
    }
}

#[test]
fn the_table_of_chunks_agrees_with_the_stack() {
    let mut cache = StackCache::of(store());
    let stacks = take_many(&mut cache, 20);
    for stack in &stacks {
        for address in [stack.limit(), stack.top()] {
            // The first of a slot, and the last byte under its top.
            let address = address.addr().get() - usize::from(address == stack.top());
            let place = super::chunks::place_of(address).expect("the slot is in a chunk");
            assert_eq!(place.base, stack.limit().as_ptr());
            assert_eq!(place.top, stack.top().as_ptr());
            assert_eq!(place.size, stack.size());
        }
    }
    assert!(super::chunks::place_of(0).is_none());
    assert!(super::chunks::place_of((&raw const stacks).addr()).is_none());
}

#[test]
fn the_stack_that_was_put_last_is_taken_first() {
    let mut cache = StackCache::of(store());
    let mut stacks = take_many(&mut cache, 3);
    stacks.push(cache.take(StackSize::IO).expect("there is memory"));
    let limits: Vec<_> = stacks.iter().map(Stack::limit).collect();
    put_all(&mut cache, stacks);
    for limit in limits[..3].iter().rev() {
        let stack = cache.take(StackSize::DEFAULT).expect("there is memory");
        assert_eq!(stack.limit(), *limit);
        std::mem::forget(stack);
    }
    assert_eq!(
        cache.take(StackSize::IO).expect("there is memory").limit(),
        limits[3]
    );
}

#[test]
fn a_dropped_stack_is_used_again() {
    let store = store();
    let mut cache = StackCache::of(store);
    let first = cache.take(StackSize::DEFAULT).expect("there is memory");
    let limit = first.limit();
    drop(first);
    assert_eq!(count(store).slots_warm, 1);
    assert_eq!(
        cache
            .take(StackSize::DEFAULT)
            .expect("there is memory")
            .limit(),
        limit
    );
}

#[test]
fn a_stack_taken_apart_can_be_put_together() {
    let store = store();
    let stack = StackCache::of(store)
        .take(StackSize::IO)
        .expect("there is memory");
    let top = stack.top();
    let (base, size) = stack.into_raw();
    assert_eq!(count(store).slots_in_use, 1);
    // SAFETY: the parts were taken apart just now.
    let stack = unsafe { Stack::from_raw(base, size) };
    assert_eq!((stack.top(), stack.size()), (top, StackSize::IO));
    drop(stack);
    assert_eq!(count(store).slots_in_use, 0);
}

#[test]
fn a_full_cache_spills_its_colder_half_and_a_dropped_one_everything() {
    let store = store();
    let mut cache = StackCache::of(store);
    let stacks = take_many(&mut cache, CAPACITY + 1);
    let limits: Vec<_> = stacks.iter().map(Stack::limit).collect();
    put_all(&mut cache, stacks);
    assert_eq!(count(store).slots_warm, BUNDLE);
    assert_eq!(count(store).slots_in_use, CAPACITY + 1 - BUNDLE);

    let mut other = StackCache::of(store);
    let spilled: HashSet<_> = take_many(&mut other, BUNDLE)
        .iter()
        .map(Stack::limit)
        .collect();
    assert_eq!(spilled, limits[..BUNDLE].iter().copied().collect());

    drop(cache);
    drop(other);
    assert_eq!(count(store).slots_in_use, 0);
    assert_eq!(count(store).slots_warm, CAPACITY + 1);
}

/// Interleavings hunted: cuts, spills, refills and trims of one class by several threads; a slot that two own at once.
#[test]
fn threads_share_a_store_and_no_slot() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 40;
    const HELD: usize = 400;
    let store = store();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let start = &start;
            scope.spawn(move || {
                let mut cache = StackCache::of(store);
                start.wait();
                for round in 0..ROUNDS {
                    let mark = (id * ROUNDS + round) as u64;
                    let stacks = take_many(&mut cache, HELD);
                    for stack in &stacks {
                        // SAFETY: within the slot, which is ours alone.
                        unsafe { stack.top().sub(8).cast::<u64>().write(mark) };
                    }
                    thread::yield_now();
                    for stack in &stacks {
                        // SAFETY: as above; written just now.
                        assert_eq!(unsafe { stack.top().sub(8).cast::<u64>().read() }, mark);
                    }
                    if round % 2 == 0 {
                        put_all(&mut cache, stacks);
                    } else {
                        drop(stacks);
                    }
                    let _ = cache.trim_at(round as u64 * 700);
                }
            });
        }
    });
    let memory = count(store);
    assert_eq!(memory.slots_in_use, 0);
    assert!(memory.slots_warm + memory.slots_cold <= THREADS * (HELD + CAPACITY + BUNDLE));
}

#[test]
fn a_parked_stack_costs_one_page_and_its_page_table() {
    const COUNT: usize = 100_000;
    if role().is_none() {
        let output = run_child(
            "a_parked_stack_costs_one_page_and_its_page_table",
            "measure",
        );
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let mut cache = StackCache::new();
    let mut stacks = Vec::with_capacity(COUNT);
    let before = status_kib("VmRSS") + status_kib("VmPTE");
    for _ in 0..COUNT {
        let stack = cache.take(StackSize::DEFAULT).expect("there is memory");
        // SAFETY: within the slot, which is ours alone.
        unsafe { stack.top().sub(64).cast::<u64>().write(1) };
        stacks.push(stack);
    }
    let used = status_kib("VmRSS") + status_kib("VmPTE") - before;
    let per_stack = used as f64 / COUNT as f64;
    assert!(per_stack <= 4.8, "{per_stack} KiB per stack");
    let mappings = std::fs::read_to_string("/proc/self/maps")
        .expect("procfs")
        .lines()
        .count();
    assert!(mappings < 200, "{mappings} mappings");
}
