//! An order that nobody can rely on.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// splitmix64 (Steele, Lea, Flood: <https://doi.org/10.1145/2714064.2660195>): its state is a counter, so threads can
/// share it without a lock.
static STATE: AtomicU64 = AtomicU64::new(0x2545_F491_4F6C_DD1D);

fn next() -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    // ORDERING: relaxed, since only the number matters.
    let mut z = STATE.fetch_add(STEP, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number below `limit`, each as likely but for a part in 2^32.
fn below(limit: usize) -> usize {
    let limit = u64::try_from(limit).expect("a length fits");
    let high = (u128::from(next()) * u128::from(limit)) >> 64;
    usize::try_from(high).expect("below a length")
}

/// Fisher and Yates.
pub(super) fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn all_orders_are_about_as_frequent() {
        let mut seen = BTreeMap::new();
        for _ in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            shuffle(&mut order);
            *seen.entry(order).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        // Five standard deviations are 155.
        assert!(
            seen.values().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
    }
}
