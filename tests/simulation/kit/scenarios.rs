//! The scenarios, by name.

use crate::kit::plan::{self, Plan};
use crate::kit::random::Random;
use crate::kit::tally::Report;
use crate::kit::world::{self, Rules};

/// The numbers of workers that are simulated.
pub const SIZES: &[usize] = &[2, 8, 32, 128];

/// What is launched, and how.
#[derive(Clone, Copy, Debug)]
pub enum Scenario {
    Burst,
    Steady { load: u32, inside: bool },
    Skewed,
    Sleepers,
}

/// All of them.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("burst of 100,000", Scenario::Burst),
    (
        "30 % from outside",
        Scenario::Steady {
            load: 30,
            inside: false,
        },
    ),
    (
        "70 % from outside",
        Scenario::Steady {
            load: 70,
            inside: false,
        },
    ),
    (
        "95 % from outside",
        Scenario::Steady {
            load: 95,
            inside: false,
        },
    ),
    (
        "30 % from inside",
        Scenario::Steady {
            load: 30,
            inside: true,
        },
    ),
    (
        "70 % from inside",
        Scenario::Steady {
            load: 70,
            inside: true,
        },
    ),
    (
        "95 % from inside",
        Scenario::Steady {
            load: 95,
            inside: true,
        },
    ),
    ("skewed bursts", Scenario::Skewed),
    ("50,000 sleepers, one worker slow", Scenario::Sleepers),
];

impl Scenario {
    pub fn plan(self, workers: usize, seed: u64) -> Plan {
        let random = &mut Random::new(seed);
        match self {
            Self::Burst => plan::burst(100_000, random),
            Self::Steady { load, inside } => plan::steady(workers, load, inside, random),
            Self::Skewed => plan::skewed(workers, random),
            Self::Sleepers => plan::sleepers(50_000, random),
        }
    }

    pub fn run(self, workers: usize, rules: Rules, seed: u64) -> Report {
        world::run(workers, rules, &self.plan(workers, seed), seed)
    }
}
