//! Runs the scenarios and compares their traces with the recorded ones.
//!
//! - `SCENARIOS=exc_` runs only those with this text in their names.
//! - `CONFORMANCE_RUNS=200` runs everything so many times; the first run with a difference is the last.
//!
//! At the end stands one table. No recorded trace can be left out of it in silence: a file in `traces/` without a
//! scenario fails the suite.

use std::collections::BTreeSet;
use std::io::{Write, stderr};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use switchback::Result;

use crate::support::{self, Trace};

/// No scenario takes two seconds; one that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One scenario of an area.
pub struct Scenario {
    pub name: &'static str,
    pub run: fn(&'static Trace) -> Result<()>,
    pub recorded: &'static str,
    pub difference: Option<Difference>,
}

/// What a scenario gives instead of the recorded trace.
pub enum Difference {
    /// Another trace, on purpose; `row` names the reason in the table of differences.
    OnPurpose {
        row: &'static str,
        ours: &'static str,
    },
    /// All but some lines: our types refuse what would leave them. A program of `tests/compile_fail` stands for each.
    Refused {
        cases: &'static [&'static str],
        lines: &'static [&'static str],
    },
}

/// Lists a scenario: alone, if its trace is the recorded one; else with what is different, and why.
macro_rules! scenario {
    ($name:ident) => {
        scenario!(@ $name, None)
    };
    ($name:ident, differs: $row:expr, $ours:expr) => {
        scenario!(@ $name, Some($crate::suite::Difference::OnPurpose { row: $row, ours: $ours }))
    };
    ($name:ident, refused: $cases:expr, without: $lines:expr) => {
        scenario!(@ $name, Some($crate::suite::Difference::Refused { cases: &$cases, lines: &$lines }))
    };
    (@ $name:ident, $difference:expr) => {
        $crate::suite::Scenario {
            name: stringify!($name),
            run: $name,
            recorded: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/conformance/traces/",
                stringify!($name),
                ".txt"
            )),
            difference: $difference,
        }
    };
}
pub(crate) use scenario;

/// Runs everything that is asked for, as often as is asked for, and prints the table.
pub fn run(areas: &[&[Scenario]]) {
    let scenarios: Vec<_> = areas.iter().copied().flatten().collect();
    let known: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
    let recorded = recorded_names();
    let left_out = left_out(&recorded, &known);
    assert!(
        left_out.is_empty(),
        "recorded, but without a scenario: {left_out:?}"
    );

    let wanted = std::env::var("SCENARIOS").unwrap_or_default();
    let runs = std::env::var("CONFORMANCE_RUNS").map_or(1, |runs| {
        runs.parse().expect("CONFORMANCE_RUNS is a number of runs")
    });
    let mut table = Table::default();
    for run in 1..=runs {
        table = Table::default();
        for scenario in scenarios.iter().filter(|s| s.name.contains(&wanted)) {
            table.enter(scenario, &leave_trace(scenario));
        }
        if !table.wrong.is_empty() {
            table.text += &format!("the first run with a difference: {run} of {runs}\n");
            break;
        }
    }
    table.text += &format!(
        "{} the same, {} differ on purpose, {} can be written in part only; {runs} runs\n",
        table.same, table.on_purpose, table.refused
    );
    // Past the capture of the test's output: the table is the result.
    let _ = write!(stderr(), "\n{}", table.text);
    let some = table.same + table.on_purpose + table.refused > 0 || !table.wrong.is_empty();
    assert!(some, "no scenario has {wanted:?} in its name");
    assert!(table.wrong.is_empty(), "\n\n{}", table.wrong);
}

/// What the suite has to say in the end.
#[derive(Default)]
struct Table {
    text: String,
    wrong: String,
    same: u32,
    on_purpose: u32,
    refused: u32,
}

impl Table {
    fn line(&mut self, name: &str, verdict: &str) {
        self.text += &format!("{name:<45} {verdict}\n");
    }

    fn enter(&mut self, scenario: &Scenario, left: &str) {
        let (expected, count, verdict) = match &scenario.difference {
            None => (
                scenario.recorded.to_owned(),
                &mut self.same,
                "same".to_owned(),
            ),
            Some(Difference::OnPurpose { row, ours }) => {
                let name = scenario.name;
                assert_ne!(*ours, scenario.recorded, "{name} differs no more");
                (
                    (*ours).to_owned(),
                    &mut self.on_purpose,
                    format!("differs on purpose ({row})"),
                )
            }
            Some(Difference::Refused { cases, lines }) => {
                for case in *cases {
                    let program = tests().join(format!("compile_fail/{case}.rs"));
                    assert!(program.exists(), "{} does not exist", program.display());
                }
                (
                    without(scenario.recorded, lines),
                    &mut self.refused,
                    format!("cannot be written in part ({})", cases.join(", ")),
                )
            }
        };
        if left == expected {
            *count += 1;
            self.line(scenario.name, &verdict);
        } else {
            self.line(scenario.name, "WRONG");
            self.wrong += &format!("{}\n{}\n", scenario.name, side_by_side(&expected, left));
        }
    }
}

fn tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// The names of all that is recorded.
fn recorded_names() -> BTreeSet<String> {
    let files = std::fs::read_dir(tests().join("conformance/traces")).expect("a folder of traces");
    files
        .map(|file| file.expect("a file").path())
        .map(|path| path.with_extension(""))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

fn left_out<'a>(recorded: &'a BTreeSet<String>, known: &[&str]) -> Vec<&'a str> {
    let names = recorded.iter().map(String::as_str);
    names.filter(|name| !known.contains(name)).collect()
}

/// A trace without some of its lines, each of which must be there.
fn without(recorded: &str, lines: &[&str]) -> String {
    let mut missing = lines.to_vec();
    let mut kept = String::new();
    for line in recorded.lines() {
        match missing.first() {
            Some(first) if *first == line => drop(missing.remove(0)),
            _ => kept += &format!("{line}\n"),
        }
    }
    assert!(missing.is_empty(), "not in the recorded trace: {missing:?}");
    kept
}

/// Runs one scenario on a thread of its own, so that one that hangs can be named.
fn leave_trace(scenario: &Scenario) -> String {
    let trace: &'static Trace = Box::leak(Box::default());
    support::report_uncaught_to(trace);
    let (ended, end) = mpsc::channel();
    let run = scenario.run;
    let thread = std::thread::Builder::new().name(scenario.name.to_owned());
    let thread = thread.spawn(move || {
        match run(trace) {
            Ok(()) => trace.put("END".to_owned()),
            Err(error) => trace.put(format!("THREW {}", support::x(&error))),
        }
        let _ = ended.send(());
    });
    if end.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{} hangs after\n{}", scenario.name, trace.text());
    }
    let joined = thread.expect("a thread for the scenario").join();
    assert!(joined.is_ok(), "{} panicked", scenario.name);
    trace.text()
}

fn side_by_side(expected: &str, left: &str) -> String {
    let expected: Vec<_> = expected.lines().collect();
    let left: Vec<_> = left.lines().collect();
    let mut text = String::new();
    for line in 0..expected.len().max(left.len()) {
        let (wanted, got) = (expected.get(line), left.get(line));
        let mark = if wanted == got { ' ' } else { '!' };
        let show = |line: Option<&&str>| line.copied().unwrap_or("-").to_owned();
        text += &format!("  {mark} {:<60} | {}\n", show(wanted), show(got));
    }
    text
}

mod harness {
    use super::*;

    #[test]
    fn a_recorded_trace_without_a_scenario_is_found() {
        let recorded = BTreeSet::from(["a_01".to_owned(), "a_02".to_owned()]);
        assert_eq!(left_out(&recorded, &["a_01"]), ["a_02"]);
        assert!(left_out(&recorded, &["a_02", "a_01"]).is_empty());
    }

    #[test]
    fn refused_lines_are_missing_and_no_others() {
        assert_eq!(without("a\nb\na\nc\n", &["b", "c"]), "a\na\n");
    }

    #[test]
    #[should_panic(expected = "not in the recorded trace")]
    fn a_refused_line_must_be_recorded() {
        without("a\nb\n", &["c"]);
    }

    fn nothing(_: &'static Trace) -> Result<()> {
        Ok(())
    }

    #[test]
    fn another_trace_is_wrong() {
        let scenario = Scenario {
            name: "a_01",
            run: nothing,
            recorded: "a\nEND\n",
            difference: None,
        };
        let mut table = Table::default();
        table.enter(&scenario, "a\nEND\n");
        assert!(table.wrong.is_empty());
        table.enter(&scenario, "b\nEND\n");
        assert!(table.wrong.contains("! a"));
        assert_eq!(table.same, 1);
    }
}
