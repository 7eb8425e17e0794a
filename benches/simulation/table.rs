//! The table of all scenarios, with all policies.

use std::fmt::Write;

use crate::kit::scenarios::SCENARIOS;
use crate::kit::world::Rules;

/// The seed of the table.
const SEED: u64 = 1;

const POLICIES: &[(&str, Rules)] = &[
    ("ours", Rules::Ours),
    ("round robin", Rules::RoundRobin),
    ("random stealing", Rules::RandomStealing),
];

/// In Markdown.
pub fn write(sizes: &[usize]) -> String {
    let mut table = String::from(
        "| scenario | workers | policy | max/mean busy | time/ideal | steals | looks | wake-ups | naps | handed over \
         | wait p50 | wait p99 | wait max | late p99 | neglect |\n\
         |---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (name, scenario) in SCENARIOS {
        for &workers in sizes {
            for (policy, rules) in POLICIES {
                let report = scenario.run(workers, *rules, SEED);
                let [p50, p99, max] = report.wait.map(time);
                writeln!(
                    table,
                    "| {name} | {workers} | {policy} | {:.2} | {:.2} | {:.3} | {:.1} | {:.4} | {:.3} | {:.3} | {p50} | {p99} | {max} \
                     | {} | {} |",
                    report.imbalance,
                    report.completion,
                    report.steals,
                    report.looks,
                    report.wakes,
                    report.naps,
                    report.handed,
                    time(report.late[1]),
                    time(report.neglect),
                )
                .expect("a string takes it all");
            }
        }
    }
    table
}

/// A time to three digits.
fn time(nanos: u64) -> String {
    let micros = nanos as f64 / 1000.0;
    match micros {
        ..10.0 => format!("{micros:.1} us"),
        ..10_000.0 => format!("{micros:.0} us"),
        _ => format!("{:.0} ms", micros / 1000.0),
    }
}
