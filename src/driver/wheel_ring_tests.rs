//! The ring of what is near, where it meets the levels of what is far.

use super::super::{DIGITS_FROM, RING, TICK_BITS};
use super::Pair;

const TICK: u64 = 1 << TICK_BITS;
/// What the ring covers, and a slot of the lowest level.
const ROUND: u64 = 1 << DIGITS_FROM;

/// One that was far when it came stands in a slot that starts at the very moment as that of one which came when it was near.
fn meeting(start: u64, ticks_before: u64, [far, near]: [u64; 2]) -> Pair {
    let edge = (start / ROUND + 2) * ROUND;
    let mut pair = Pair::new(start, 2);
    assert!(pair.insert(edge + far));
    pair.now = edge - ticks_before * TICK;
    assert_eq!(pair.pop(), None);
    assert!(pair.insert(edge + near));
    pair.check();
    pair
}

#[test]
fn those_who_were_far_and_those_who_are_near_expire_in_order() {
    for start in [0, 1, ROUND - 1, 5 * ROUND + 12_345, 70 * ROUND] {
        for ticks_before in [1, 2, RING - 1] {
            for offsets in [[0, 0], [3, 5], [5, 3], [0, TICK], [TICK, 0], [7, TICK - 1]] {
                let mut pair = meeting(start, ticks_before, offsets);
                let edge = (start / ROUND + 2) * ROUND;
                pair.now = edge + 2 * TICK;
                let [first, second] = [offsets.iter().min(), offsets.iter().max()];
                assert_eq!(pair.pop(), first.map(|offset| edge + offset));
                assert_eq!(pair.pop(), second.map(|offset| edge + offset));
                assert_eq!(pair.pop(), None);

                let mut pair = meeting(start, ticks_before, offsets);
                assert_eq!(pair.sleep_through(), 0);
            }
        }
    }
}

/// All round the ring, from each of its slots.
#[test]
fn who_is_near_is_found_all_round() {
    for start in (0..RING).map(|tick| 3 * ROUND + tick * TICK + 17) {
        for ahead in [1, 2, 63, 64, 65, RING / 2, RING - 2, RING - 1] {
            let mut pair = Pair::new(start, 1);
            let deadline = start + ahead * TICK;
            assert!(pair.insert(deadline));
            pair.check();
            pair.now = deadline - 1;
            assert_eq!(pair.pop(), None);
            pair.now = deadline;
            assert_eq!(pair.pop(), Some(deadline));
        }
    }
}
