//! How long sleepers sleep, and how late they wake.

use std::time::Duration;

use switchback::ms;

use crate::clock::Took;
use crate::report::Figures;

/// How long the sleeper of that number sleeps: a millisecond to a second, shuffled (Vigna's splitmix64).
pub fn sleep_of(number: usize) -> Duration {
    let mut z = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ms(1 + z % 1000)
}

/// What a crowd of sleepers gives: the processor's time for each, and how late they woke.
pub fn figures(took: Took, mut late: Vec<Duration>) -> Figures {
    late.sort_unstable();
    let percentile = |percent: usize| {
        let at = (late.len() * percent / 100).min(late.len().saturating_sub(1));
        late.get(at).map_or(0.0, |late| late.as_secs_f64() * 1e6)
    };
    Figures::new(late.len() as u64, took)
        .by_cpu_time()
        .extra("wall_ms", took.wall.as_secs_f64() * 1e3)
        .extra("late_p50_us", percentile(50))
        .extra("late_p99_us", percentile(99))
}
