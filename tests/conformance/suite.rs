//! Runs the scenarios and compares their traces with the recorded ones.

use std::io::{Write, stderr};
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
    pub differs: Option<Difference>,
}

/// What a scenario gives instead of the recorded trace, on purpose.
pub struct Difference {
    pub why: &'static str,
    pub ours: &'static str,
}

/// Lists a scenario: alone, if its trace is the recorded one; else with the reason and with the trace that it leaves.
macro_rules! scenario {
    ($name:ident) => {
        scenario!(@ $name, None)
    };
    ($name:ident, differs: $why:expr, $ours:expr) => {
        scenario!(@ $name, Some($crate::suite::Difference { why: $why, ours: $ours }))
    };
    (@ $name:ident, $differs:expr) => {
        $crate::suite::Scenario {
            name: stringify!($name),
            run: $name,
            recorded: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/conformance/traces/",
                stringify!($name),
                ".txt"
            )),
            differs: $differs,
        }
    };
}
pub(crate) use scenario;

/// Runs everything, or what has the text of the variable `SCENARIOS` in its name, and prints the table.
pub fn run(areas: &[&[Scenario]]) {
    let wanted = std::env::var("SCENARIOS").unwrap_or_default();
    let mut table = String::new();
    let mut wrong = String::new();
    let (mut same, mut differing) = (0, 0);
    let mut some = false;
    for scenario in areas.iter().copied().flatten() {
        if !scenario.name.contains(&wanted) {
            continue;
        }
        some = true;
        let left = leave_trace(scenario);
        let expected = match &scenario.differs {
            None => scenario.recorded,
            Some(difference) => {
                let (name, recorded) = (scenario.name, scenario.recorded);
                assert_ne!(difference.ours, recorded, "{name} differs no more");
                difference.ours
            }
        };
        let verdict = match &scenario.differs {
            _ if left != expected => {
                wrong += &format!("{}\n{}\n", scenario.name, side_by_side(expected, &left));
                "WRONG".to_owned()
            }
            None => {
                same += 1;
                "same".to_owned()
            }
            Some(difference) => {
                differing += 1;
                format!("differs on purpose: {}", difference.why)
            }
        };
        table += &format!("{:<45} {verdict}\n", scenario.name);
    }
    table += &format!("{same} like Kotlin, {differing} differ on purpose\n");
    // Past the capture of the test's output: the table is the result.
    let _ = write!(stderr(), "\n{table}");
    assert!(some, "no scenario has {wanted:?} in its name");
    assert!(wrong.is_empty(), "\n\n{wrong}");
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
