//! What two cores cannot show: the pool's policy with up to 128 workers, in virtual time.
//!
//! [`kit`] is the simulation, which compiles the library's own `policy.rs`; `cargo bench --bench simulation` writes the table
//! of all scenarios. Here are the claims that the policy has to keep. The bounds leave room for another seed, not for
//! another policy.

#![forbid(unsafe_code)]

mod busy;
mod kit;
mod quiet;

use kit::policy::{LOOK_EVERY, given_at_once};
use kit::scenarios::{SCENARIOS, SIZES, Scenario};
use kit::tally::Report;
use kit::world::Rules;

/// Without optimization a run takes ten times as long.
const SEEDS: &[u64] = if cfg!(debug_assertions) {
    &[1]
} else {
    &[1, 2, 3]
};

/// No worker idles for so long, in nanoseconds, while work that it could have started is overdue.
const NEGLECT: u64 = 1_000_000;

/// Makes a claim about the library's policy, for all sizes and seeds, and that nobody idles while work is overdue.
fn claim(scenario: Scenario, holds: impl Fn(&Report) -> bool) {
    for &workers in SIZES {
        for &seed in SEEDS {
            let report = scenario.run(workers, Rules::Ours, seed);
            assert!(
                holds(&report) && report.neglect < NEGLECT,
                "{workers} workers, seed {seed}, {scenario:?}: {report:#?}"
            );
        }
    }
}

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

#[test]
fn a_burst_of_100_000_occupies_all_workers_and_wakes_one_less_than_2_000_times() {
    claim(Scenario::Burst, |report| {
        report.completion < 1.15 && report.imbalance < 1.1 && report.wakes < 0.02
    });
}

#[test]
fn long_jobs_among_short_ones_do_not_keep_these_waiting() {
    claim(Scenario::Skewed, |report| {
        report.completion < 1.15 && report.imbalance < 1.25 && report.wakes < 0.05
    });
}

#[test]
fn steady_arrivals_from_outside_start_soon() {
    for (load, soon) in [(30, 150_000), (70, 250_000), (95, 1_500_000)] {
        let inside = false;
        claim(Scenario::Steady { load, inside }, |report| {
            report.wait[1] < soon && report.completion < 1.05 && report.wakes < 0.3
        });
    }
}

#[test]
fn steady_arrivals_inside_start_soon() {
    for (load, soon) in [(30, 150_000), (70, 250_000), (95, 2_000_000)] {
        let inside = true;
        claim(Scenario::Steady { load, inside }, |report| {
            report.wait[1] < soon && report.completion < 1.05 && report.wakes < 0.3
        });
    }
}

#[test]
fn who_wakes_does_not_wait_for_those_who_are_still_to_start() {
    // Nor those for a worker that is slower than the others.
    claim(Scenario::Sleepers, |report| {
        report.late[1] < 500_000 && report.completion < 1.8
    });
}

#[test]
fn what_was_given_has_an_eighth_of_the_turns_however_few_there_are_between_two_looks() {
    for turns in 1..=LOOK_EVERY {
        let looks = (0..8000).map(|look| u32::MAX.wrapping_add(look * turns));
        let given: u32 = looks
            .map(|last| given_at_once(last, last.wrapping_add(turns), 1, true))
            .sum();
        assert_eq!(given, 1000 * turns, "{turns} turns");
    }
}

#[test]
fn with_128_workers_no_crowd_waits_where_a_few_would_not() {
    // Each worker's own coroutines come first where it has some; with more workers somebody is always between two.
    for inside in [false, true] {
        for &seed in SEEDS {
            let scenario = Scenario::Steady { load: 95, inside };
            let few = scenario.run(8, Rules::Ours, seed);
            let many = scenario.run(128, Rules::Ours, seed);
            assert!(many.wait[1] < few.wait[1], "{few:#?} {many:#?}");
        }
    }
}

#[test]
fn the_policy_occupies_the_workers_as_well_as_one_that_never_sleeps_long() {
    for scenario in [Scenario::Burst, Scenario::Skewed] {
        let ours = scenario.run(128, Rules::Ours, 1);
        let restless = scenario.run(128, Rules::RandomStealing, 1);
        assert!(ours.completion < restless.completion * 1.1);
    }
    let quiet = Scenario::Steady {
        load: 30,
        inside: true,
    };
    let ours = quiet.run(128, Rules::Ours, 1);
    let restless = quiet.run(128, Rules::RandomStealing, 1);
    assert!(ours.naps * 4.0 < restless.naps, "{ours:#?} {restless:#?}");
}
