//! What two cores cannot show: the pool's policy with up to 128 workers, in virtual time.
//!
//! [`kit`] is the simulation, which compiles the library's own `policy.rs`; `cargo bench --bench simulation` writes the table
//! of all scenarios.

#![forbid(unsafe_code)]

mod kit;

use kit::scenarios::{SCENARIOS, SIZES};
use kit::world::Rules;

#[test]
fn every_job_starts_once_and_ends() {
    // A job that starts twice panics, and so does a run in which everybody sleeps before the last one has ended.
    for &(_, scenario) in SCENARIOS {
        for workers in [1, 2, 3, 8] {
            for rules in [Rules::Ours, Rules::RoundRobin, Rules::RandomStealing] {
                let report = scenario.run(workers, rules, 7);
                assert_eq!(report.started, report.launched, "{scenario:?}");
                assert_eq!(report.ended, report.launched, "{scenario:?}");
            }
        }
    }
}

#[test]
fn a_run_is_repeated_by_its_seed() {
    for (&(_, scenario), &workers) in SCENARIOS.iter().zip(SIZES.iter().cycle()) {
        let run = |seed| scenario.run(workers, Rules::Ours, seed);
        assert_eq!(run(5), run(5), "{scenario:?}");
        assert_ne!(run(5), run(6), "{scenario:?}");
    }
}
