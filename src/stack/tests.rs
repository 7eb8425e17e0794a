//! What cannot be seen from outside the crate.

use std::collections::HashSet;

use super::guard::Guards;
use super::*;

fn touch(stack: &Stack) {
    // SAFETY: just under the top of a stack that this test owns.
    unsafe { stack.top().sub(8).cast::<u64>().write(0xfeed) };
}

fn read(stack: &Stack) -> u64 {
    // SAFETY: as in `touch`.
    unsafe { stack.top().sub(8).cast::<u64>().read() }
}

#[test]
fn sizes_are_powers_of_two_within_bounds() {
    assert_eq!(StackSize::new(1).bytes(), 64 << 10);
    assert_eq!(StackSize::new((64 << 10) + 1).bytes(), 128 << 10);
    assert_eq!(StackSize::new(256 << 10), StackSize::DEFAULT);
    assert_eq!(StackSize::new(1 << 20), StackSize::IO);
    assert_eq!(StackSize::new(usize::MAX).bytes(), 1 << 30);
    for class in 0..StackSize::CLASSES {
        assert_eq!(StackSize::of_class(class).class(), class);
    }
}

#[test]
fn tops_are_aligned_and_coloured() {
    let stacks: Vec<_> = (0..64)
        .map(|_| region::allocate(StackSize::DEFAULT).unwrap())
        .collect();
    let mut colours = HashSet::new();
    for stack in &stacks {
        let top = stack.top().as_ptr() as usize;
        assert_eq!(top % 64, 0);
        assert_eq!(stack.limit().as_ptr() as usize % stack.size().bytes(), 0);
        colours.insert(top % stack.size().bytes());
        touch(stack);
    }
    assert!(
        colours.len() >= 8,
        "only {} colours in 64 stacks",
        colours.len()
    );
}

#[test]
fn the_hottest_stack_is_taken_first() {
    let mut cache = StackCache::new();
    let (a, b) = (
        cache.take(StackSize::DEFAULT).unwrap(),
        cache.take(StackSize::DEFAULT).unwrap(),
    );
    let (first, second) = (a.limit(), b.limit());
    cache.put(a);
    cache.put(b);
    assert_eq!(cache.take(StackSize::DEFAULT).unwrap().limit(), second);
    assert_eq!(cache.take(StackSize::DEFAULT).unwrap().limit(), first);
}

#[test]
fn trimmed_stacks_are_empty_and_hot_ones_are_not() {
    let size = StackSize::new(128 << 10);
    let mut cache = StackCache::new();
    let stacks: Vec<_> = (0..200).map(|_| cache.take(size).unwrap()).collect();
    for stack in stacks {
        touch(&stack);
        cache.put(stack);
    }
    cache.trim();
    let back: Vec<_> = (0..200).map(|_| cache.take(size).unwrap()).collect();
    assert!(back[..64].iter().all(|stack| read(stack) == 0xfeed));
    assert!(back[64..].iter().all(|stack| read(stack) == 0));
}

#[test]
fn spilled_stacks_are_trimmed_in_the_store() {
    let size = StackSize::new(512 << 10);
    let mut cache = StackCache::new();
    let stacks: Vec<_> = (0..1000).map(|_| cache.take(size).unwrap()).collect();
    let all: HashSet<_> = stacks
        .iter()
        .map(|stack| stack.limit().as_ptr() as usize)
        .collect();
    assert_eq!(all.len(), 1000);
    for stack in stacks {
        touch(&stack);
        cache.put(stack);
    }
    cache.trim();
    let again: Vec<_> = (0..1000).map(|_| cache.take(size).unwrap()).collect();
    assert!(again.iter().filter(|stack| read(stack) == 0xfeed).count() <= 64);
}

#[test]
fn the_fallback_guards_stop_at_their_share_of_the_mappings() {
    let guards = Guards::new(false, 100);
    let size = StackSize::new(256 << 20);
    let stack = region::allocate(size).unwrap();
    for _ in 0..20 {
        assert_eq!(guards.protect(stack.limit(), size), Ok(()));
    }
    assert_eq!(
        guards.protect(stack.limit(), size),
        Err(StackError::TooManyMappings { stacks: 20 })
    );
}

#[test]
fn the_guard_of_a_slot_is_found_by_its_address() {
    let stack = region::allocate(StackSize::DEFAULT).unwrap();
    let base = stack.limit().as_ptr() as usize;
    let guard = StackSize::DEFAULT.guard();
    for address in [base, base + 1, base + guard - 1] {
        assert_eq!(
            region::slot_of_guard(address),
            Some((stack.limit(), StackSize::DEFAULT))
        );
    }
    for address in [base + guard, stack.top().as_ptr() as usize - 1, 8] {
        assert_eq!(region::slot_of_guard(address), None);
    }
}

#[test]
fn threads_share_the_store() {
    let before = region::chunk_count();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut cache = StackCache::new();
                for _ in 0..20 {
                    let stacks: Vec<_> = (0..300)
                        .map(|_| cache.take(StackSize::DEFAULT).unwrap())
                        .collect();
                    stacks.iter().for_each(touch);
                    stacks.into_iter().for_each(|stack| cache.put(stack));
                    cache.trim();
                }
            });
        }
    });
    assert!(region::chunk_count() <= before + 3, "slots were lost");
}
