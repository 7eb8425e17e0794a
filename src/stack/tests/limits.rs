//! What runs out is an error, and what comes back can be had again.

use super::super::guard::{Guards, budget_of, bytes_for};
use super::super::memory::count;
use super::super::store::Store;
use super::super::{StackCache, StackError, StackSize};
use super::{role, run_child, status_kib};

fn store(guards: Guards, largest_mapping: usize) -> &'static Store {
    Box::leak(Box::new(Store::new(guards, largest_mapping)))
}

#[test]
fn without_guards_of_the_kernel_there_is_a_budget() {
    let store = store(Guards::by_protection(Some(10)), usize::MAX);
    let mut cache = StackCache::of(store);
    let mut stacks: Vec<_> = (0..10)
        .map(|_| cache.take(StackSize::DEFAULT).expect("within the budget"))
        .collect();
    // Of any class, for the mappings are the process's.
    for size in [StackSize::DEFAULT, StackSize::IO] {
        let error = cache.take(size).expect_err("over the budget");
        assert!(
            matches!(error, StackError::LimitReached { limit: 10, .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("vm.max_map_count") && text.contains("10 stacks"),
            "{text}"
        );
    }
    cache.put(stacks.pop().expect("ten were taken"));
    stacks.push(cache.take(StackSize::DEFAULT).expect("one came back"));
    drop(stacks.pop());
    assert!(
        cache.take(StackSize::DEFAULT).is_ok(),
        "one came back to the store"
    );
    for stack in &stacks {
        // SAFETY: the lowest bytes over the guard, and the highest; the slot is ours.
        unsafe { stack.limit().add(bytes_for(stack.size())).write(1) };
        // SAFETY: as above.
        unsafe { stack.top().sub(1).write(1) };
    }
}

#[test]
fn the_usual_budget_is_well_under_the_limit_of_mappings() {
    // Two mappings per stack.
    assert_eq!(budget_of(65_530) * 2, 65_530 / 10 * 4);
    let store = store(Guards::by_protection(None), usize::MAX);
    let mut cache = StackCache::of(store);
    assert!(cache.take(StackSize::MIN).is_ok());
}

#[test]
fn refused_address_space_is_asked_for_in_smaller_pieces() {
    // Room for a chunk of four stacks beside the headroom.
    let store = store(Guards::new(), 34 << 20);
    let mut cache = StackCache::of(store);
    let stacks: Vec<_> = (0..20)
        .map(|_| {
            cache
                .take(StackSize::DEFAULT)
                .expect("small chunks can be had")
        })
        .collect();
    let memory = count(store);
    let bytes = 20 * StackSize::DEFAULT.slot_bytes();
    assert_eq!((memory.chunks, memory.reserved_bytes), (5, bytes));
    drop(stacks);
}

#[test]
fn refused_memory_is_an_error() {
    let store = store(Guards::new(), 1 << 20);
    let mut cache = StackCache::of(store);
    for _ in 0..3 {
        let error = cache
            .take(StackSize::DEFAULT)
            .expect_err("nothing can be mapped");
        assert_eq!(
            error,
            StackError::OutOfMemory {
                stack_bytes: 256 << 10,
                errno: libc::ENOMEM
            }
        );
        assert!(error.to_string().contains("256 KiB"), "{error}");
    }
    assert_eq!(count(store).reserved_bytes, 0);
}

#[test]
fn the_end_of_address_space_is_an_error_and_leaves_room_for_the_heap() {
    if role().is_none() {
        let output = run_child(
            "limits::the_end_of_address_space_is_an_error_and_leaves_room_for_the_heap",
            "exhaust",
        );
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let most = ((status_kib("VmSize") << 10) + (200 << 20)) as libc::rlim_t;
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the limit is valid; it is this process's own.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let mut cache = StackCache::new();
    let mut stacks = Vec::with_capacity(1000);
    let error = loop {
        match cache.take(StackSize::DEFAULT) {
            Ok(stack) => stacks.push(stack),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StackError::OutOfMemory { .. }), "{error:?}");
    assert!(stacks.len() >= 400, "{} stacks in 200 MiB", stacks.len());
    assert_eq!(std::hint::black_box(vec![1_u8; 16 << 20]).len(), 16 << 20);
    cache.put(stacks.pop().expect("there are many"));
    assert!(cache.take(StackSize::DEFAULT).is_ok());
}
