//! The wheel against a model that is plainly right (an ordered map), under a seeded random driver;
//! then the edges, each by itself.

#[path = "wheel_ring_tests.rs"]
mod ring;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr::NonNull;

use super::super::clock::{Clock, NEVER};
use super::{LEVELS, SCAN_LIMIT, TimerNode, Wheel};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
const YEAR: u64 = 8_766 * HOUR;

/// How often the random tests go round: an interpreter of memory accesses is a thousand times
/// slower.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 40 };
const STEPS: usize = if cfg!(miri) { 300 } else { 10_000 };

/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number whose magnitude is random, of at most so many bits: each level of the wheel is met
    /// as often.
    fn magnitude(&mut self, bits: u64) -> u64 {
        let bits = self.below(bits + 1);
        self.next().checked_shr(64 - bits as u32).unwrap_or(0)
    }
}

/// A timer that knows its number, as a sleeper's frame would know its coroutine.
#[repr(C)]
struct Timer {
    node: TimerNode,
    number: usize,
    fired: Cell<u32>,
}

/// # Safety
///
/// `node` is the first field of a live `Timer`, and the pointer was made from that.
unsafe fn note(node: NonNull<TimerNode>) {
    // SAFETY: the caller's promise.
    let timer = unsafe { node.cast::<Timer>().as_ref() };
    assert!(!timer.node.is_linked());
    timer.fired.set(timer.fired.get() + 1);
}

/// A wheel and the model that it has to agree with, over a set of timers that stay in place.
struct Pair {
    wheel: Wheel,
    now: u64,
    timers: Vec<NonNull<Timer>>,
    model: BTreeMap<(u64, u64), usize>,
    /// The model's key of each timer that is linked.
    keys: Vec<Option<(u64, u64)>>,
    linked: Vec<usize>,
    free: Vec<usize>,
    sequence: u64,
}

impl Pair {
    fn new(now: u64, count: usize) -> Self {
        let timer = |number| {
            let timer = Timer {
                node: TimerNode::new(note, std::ptr::null()),
                number,
                fired: Cell::new(0),
            };
            NonNull::from(Box::leak(Box::new(timer)))
        };
        Self {
            wheel: Wheel::new(now),
            now,
            timers: (0..count).map(timer).collect(),
            model: BTreeMap::new(),
            keys: vec![None; count],
            linked: Vec::new(),
            free: (0..count).rev().collect(),
            sequence: 0,
        }
    }

    /// Inserts a free timer; returns whether there was one.
    fn insert(&mut self, deadline: u64) -> bool {
        let Some(number) = self.free.pop() else {
            return false;
        };
        // SAFETY: no free timer is linked, none is dropped before the last use of the wheel, and
        // only shared references are made.
        unsafe { self.wheel.insert(self.timers[number].cast(), deadline) };
        self.model.insert((deadline, self.sequence), number);
        self.keys[number] = Some((deadline, self.sequence));
        self.linked.push(number);
        self.sequence += 1;
        assert!(self.node(number).is_linked());
        assert_eq!(self.node(number).deadline(), deadline);
        true
    }

    fn remove_at(&mut self, position: usize) {
        let number = self.linked[position];
        // SAFETY: the model says that it is linked into this wheel.
        unsafe { self.wheel.remove(self.timers[number].cast()) };
        self.forget(number);
    }

    /// Takes what has just been unlinked out of the model.
    fn forget(&mut self, number: usize) {
        assert!(!self.node(number).is_linked());
        let key = self.keys[number]
            .take()
            .expect("a timer that is not linked was unlinked");
        assert_eq!(self.model.remove(&key), Some(number));
        self.linked.retain(|&other| other != number);
        self.free.push(number);
    }

    /// Pops one; returns its deadline. Whatever comes, the model agrees.
    fn pop(&mut self) -> Option<u64> {
        let expected = self
            .earliest()
            .filter(|&(deadline, _)| deadline <= self.now);
        let popped = self.wheel.pop_expired(self.now);
        let Some(node) = popped else {
            assert_eq!(
                expected, None,
                "something is due at {} and was not popped",
                self.now
            );
            return None;
        };
        // SAFETY: the node is the first field of a live `Timer`, and the pointer was made from that.
        let Timer { number, fired, .. } = unsafe { node.cast::<Timer>().as_ref() };
        assert_eq!(
            expected, self.keys[*number],
            "popped out of order or too early, at {}",
            self.now
        );
        let before = fired.get();
        // SAFETY: the node is alive, and its function demands that it is a `Timer`'s.
        unsafe { TimerNode::fire(node) };
        assert_eq!(fired.get(), before + 1);
        self.forget(*number);
        expected.map(|(deadline, _)| deadline)
    }

    fn earliest(&self) -> Option<(u64, u64)> {
        self.model
            .keys()
            .next()
            .copied()
            .filter(|&(deadline, _)| deadline != NEVER)
    }

    fn node(&self, number: usize) -> &TimerNode {
        // SAFETY: the timers live as long as `self` does, and only shared references to them are
        // made.
        unsafe { &self.timers[number].as_ref().node }
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let earliest = self.earliest().map(|(deadline, _)| deadline);
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), earliest.is_some());
        assert!(
            next <= earliest,
            "sleeping until {next:?} would miss {earliest:?}"
        );
        if self.model.len() <= SCAN_LIMIT {
            assert_eq!(next, earliest);
        }
    }

    /// Sleeps until the moment that the wheel names, pops, and so on until no deadline is left.
    /// Returns how many times it woke in vain.
    fn sleep_through(&mut self) -> usize {
        let clock = Clock::new();
        clock.begin_virtual_at(self.now);
        let mut vain = 0;
        while let Some(next) = self.wheel.next_deadline() {
            assert!(next >= clock.now(), "slept until a moment that has passed");
            clock.advance_to(next);
            self.now = clock.now();
            let mut popped = 0;
            while let Some(deadline) = self.pop() {
                assert_eq!(deadline, self.now, "woke late though nothing held it up");
                popped += 1;
            }
            vain += usize::from(popped == 0);
            self.check();
            assert!(
                self.wheel
                    .next_deadline()
                    .is_none_or(|next| next > self.now),
                "would not sleep at all"
            );
        }
        vain
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // The wheel is dropped after this, and it does not touch what is linked.
        for &timer in &self.timers {
            // SAFETY: each was made from a box and is freed once.
            drop(unsafe { Box::from_raw(timer.as_ptr()) });
        }
    }
}

fn random_deadline(pair: &Pair, random: &mut SplitMix64) -> u64 {
    match random.below(16) {
        0 => NEVER,
        1 => pair.now.saturating_sub(random.magnitude(40)),
        2 => pair.now,
        3 | 4 if !pair.linked.is_empty() => {
            let number = pair.linked[random.below(pair.linked.len() as u64) as usize];
            pair.node(number).deadline()
        }
        5..=7 => pair.now.saturating_add(random.magnitude(20)),
        8..=11 => pair.now.saturating_add(random.magnitude(35)),
        _ => pair.now.saturating_add(random.magnitude(64)),
    }
}

fn random_insert_or_remove(pair: &mut Pair, random: &mut SplitMix64) {
    let removes = pair.free.is_empty() || random.below(5) < 2;
    if removes && !pair.linked.is_empty() {
        let position = random.below(pair.linked.len() as u64) as usize;
        pair.remove_at(position);
    } else {
        let deadline = random_deadline(pair, random);
        pair.insert(deadline);
    }
}

fn random_step(pair: &mut Pair, random: &mut SplitMix64) {
    let earliest = pair.earliest().map_or(pair.now, |(deadline, _)| deadline);
    let target = match random.below(16) {
        // To the very moment that matters, and to the one before it.
        0..=2 => pair.wheel.next_deadline().unwrap_or(pair.now),
        3 | 4 => earliest,
        5 | 6 => earliest.saturating_sub(1),
        7..=11 => pair.now.saturating_add(random.magnitude(24)),
        12..=14 => pair.now.saturating_add(random.magnitude(36)),
        _ => pair.now.saturating_add(random.magnitude(50)),
    };
    // A reading of the clock may be older than one that the wheel has seen.
    if random.below(50) == 0 {
        pair.now = pair.now.saturating_sub(random.magnitude(45));
        return;
    }
    // A jump to a deadline in centuries would soon bring the clock to its end.
    if target.saturating_sub(pair.now) < YEAR || random.below(100) == 0 {
        pair.now = pair.now.max(target);
    }
}

/// Interleavings hunted: insert and remove between two pops of one call's nodes, on the heap, on
/// the slots that are opened next, and on those that come later; steps of the time within a tick,
/// to a slot's very start, and over many slots.
#[test]
fn agrees_with_an_ordered_map_whatever_happens() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut random = SplitMix64(seed);
        // A small population keeps slots short, a large one makes them long.
        let population = [4, 30, 300][seed as usize % 3];
        let mut pair = Pair::new(random.magnitude(63), population);
        for _ in 0..STEPS {
            // When the clock has come near to its end, and now and then before, all begins again
            // elsewhere.
            if pair.now > NEVER - YEAR || random.below(2_000) == 0 {
                pair = Pair::new(random.magnitude(63), population);
            }
            for _ in 0..random.below(6) {
                random_insert_or_remove(&mut pair, &mut random);
                pair.check();
            }
            random_step(&mut pair, &mut random);
            // An owner that is busy may stop in the middle and come back later.
            let patience = random.below(100);
            for _ in 0..patience {
                if pair.pop().is_none() {
                    assert!(
                        pair.wheel
                            .next_deadline()
                            .is_none_or(|next| next > pair.now)
                    );
                    break;
                }
                pair.check();
                if random.below(4) == 0 {
                    random_insert_or_remove(&mut pair, &mut random);
                }
            }
        }
    }
}

#[test]
fn a_sleeper_is_never_late_and_seldom_wakes_in_vain() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut random = SplitMix64(seed);
        let count = if cfg!(miri) { 100 } else { 2_000 };
        let start = random.magnitude(62);
        let range = [MILLISECOND, SECOND, HOUR, YEAR][seed as usize % 4];
        let mut pair = Pair::new(start, count);
        while pair.insert(start + random.below(range)) {}
        let vain = pair.sleep_through();
        // Only a slot with more nodes than are looked at is worth a look of its own, and a node is
        // in one per level.
        let bound = count * LEVELS / (SCAN_LIMIT + 1);
        assert!(vain <= bound, "{vain} vain wake-ups for {count} timers");
        assert!(pair.wheel.is_empty());
    }
}

#[test]
fn a_few_timers_never_wake_their_sleeper_in_vain() {
    for delay in [1, 1_000, MILLISECOND, 10 * SECOND, HOUR, YEAR, 100 * YEAR] {
        let mut pair = Pair::new(12_345_678_901, SCAN_LIMIT);
        while pair.insert(pair.now + delay) {}
        assert_eq!(pair.sleep_through(), 0);
    }
}

#[test]
fn many_equal_timers_wake_their_sleeper_at_most_once_a_level_and_expire_in_order() {
    for delay in [1, 1_000, MILLISECOND, 10 * SECOND, HOUR, YEAR, 100 * YEAR] {
        let mut pair = Pair::new(12_345_678_901, 1_000);
        while pair.insert(pair.now + delay) {}
        // That they are popped in the order of their insertion is what the model compares.
        assert!(pair.sleep_through() <= LEVELS + 1);
    }
}

/// An idle worker's wheel has to follow the time, or what is near is put on a level for what is far.
#[test]
fn a_wheel_that_was_long_idle_places_timers_by_the_present_time() {
    for leaves_a_wake_behind in [false, true] {
        let mut pair = Pair::new(0, 1_000);
        if leaves_a_wake_behind {
            pair.insert(SECOND);
            pair.remove_at(0);
        }
        pair.now = 1_000 << 36;
        assert_eq!(pair.pop(), None);
        while pair.insert(pair.now + MILLISECOND) {}
        // It wakes to open the one slot that they share, at most.
        assert!(pair.sleep_through() <= 1);
    }
}

#[test]
fn no_deadline_is_missed_or_early_at_the_edges_of_slots_and_levels() {
    for start in [
        0,
        1,
        (1 << 18) - 1,
        1 << 18,
        (1 << 24) - 1,
        (1 << 30) - 1,
        (1 << 60) - 1,
        1 << 63,
    ] {
        for bit in 0..64 {
            let edge = 1u64 << bit;
            for deadline in [edge - 1, edge, edge + 1, NEVER - edge, NEVER - 1] {
                let mut pair = Pair::new(start, 1);
                pair.insert(deadline);
                pair.check();
                if deadline > start {
                    pair.now = deadline - 1;
                    assert_eq!(pair.pop(), None);
                    pair.check();
                    pair.now = deadline;
                }
                assert_eq!(pair.pop(), Some(deadline));
            }
        }
    }
}

#[test]
fn a_wheel_that_slept_through_an_hour_gives_all_in_order() {
    let mut pair = Pair::new(7 * YEAR, 1_000);
    let mut random = SplitMix64(1);
    for _ in 0..999 {
        pair.insert(7 * YEAR + random.below(HOUR));
    }
    pair.insert(7 * YEAR + 2 * HOUR);
    pair.now += HOUR;
    for _ in 0..999 {
        assert!(pair.pop().is_some());
    }
    assert_eq!(pair.pop(), None);
    assert_eq!(pair.wheel.next_deadline(), Some(7 * YEAR + 2 * HOUR));
}

#[test]
fn a_timer_without_a_deadline_waits_only_for_its_removal() {
    let mut pair = Pair::new(5, 3);
    pair.insert(NEVER);
    pair.insert(NEVER);
    assert_eq!(pair.wheel.next_deadline(), None);
    assert_eq!(pair.wheel.len(), 2);
    pair.insert(HOUR);
    assert_eq!(pair.wheel.next_deadline(), Some(HOUR));
    pair.now = NEVER;
    assert_eq!(pair.pop(), Some(HOUR));
    assert_eq!(pair.pop(), None);
    pair.remove_at(0);
    pair.remove_at(0);
    assert!(pair.wheel.is_empty());
}

#[test]
fn what_is_due_can_be_removed_or_inserted_between_two_pops() {
    let mut pair = Pair::new(0, 10);
    for deadline in [30, 10, 20, 10, 40] {
        pair.insert(deadline * SECOND);
    }
    pair.now = HOUR;
    assert_eq!(pair.pop(), Some(10 * SECOND));
    // The other one of 10 s, which is in the heap by now.
    let position = pair
        .linked
        .iter()
        .position(|&number| pair.node(number).deadline() == 10 * SECOND);
    pair.remove_at(position.unwrap());
    // Earlier than all that is left, and between two of them.
    pair.insert(SECOND);
    pair.insert(25 * SECOND);
    for expected in [1, 20, 25, 30, 40] {
        assert_eq!(pair.pop(), Some(expected * SECOND));
    }
    assert_eq!(pair.pop(), None);
}

#[test]
fn a_clock_that_steps_back_neither_fires_early_nor_confuses_the_wheel() {
    let mut pair = Pair::new(HOUR, 10);
    pair.insert(2 * HOUR);
    assert_eq!(pair.pop(), None);
    pair.now = HOUR - SECOND;
    assert_eq!(pair.pop(), None);
    pair.insert(HOUR - 1);
    assert_eq!(pair.pop(), None);
    assert_eq!(pair.wheel.next_deadline(), Some(HOUR - 1));
    pair.now = HOUR - 1;
    assert_eq!(pair.pop(), Some(HOUR - 1));
    assert_eq!(pair.sleep_through(), 0);
}

#[test]
fn a_node_may_free_its_frame_when_it_fires() {
    /// # Safety
    ///
    /// `node` was made from a box and is not used after this.
    unsafe fn free(node: NonNull<TimerNode>) {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(node.as_ptr()) });
    }
    let mut wheel = Wheel::new(0);
    let node = NonNull::from(Box::leak(Box::new(TimerNode::new(free, std::ptr::null()))));
    // SAFETY: a new node, which only its own function frees.
    unsafe { wheel.insert(node, 10) };
    assert_eq!(wheel.pop_expired(9), None);
    let popped = wheel.pop_expired(10).expect("it is due");
    // SAFETY: it is alive, and it is the one that its function frees.
    unsafe { TimerNode::fire(popped) };
    assert!(wheel.is_empty());
    assert_eq!(wheel.pop_expired(NEVER), None);
}
