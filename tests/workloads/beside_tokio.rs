//! The same workloads on tokio, and the program that compares the two.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::example;
use crate::program::{fields, run, text};

static TOKIO: LazyLock<PathBuf> = LazyLock::new(|| example::build("workloads_tokio"));
static COMPARE: LazyLock<PathBuf> = LazyLock::new(|| example::build("compare"));

fn tokio(arguments: &[&str]) -> Output {
    Command::new(&*TOKIO).args(arguments).output().unwrap()
}

fn compare(arguments: &[&str]) -> Output {
    // It looks for the two programs beside itself.
    assert!(TOKIO.exists() && run(&["list"]).status.success());
    Command::new(&*COMPARE).args(arguments).output().unwrap()
}

#[test]
fn tokio_has_every_workload_that_we_have() {
    let (ours, theirs) = (run(&["list"]), tokio(&["list"]));
    let theirs: Vec<_> = text(&theirs.stdout).lines().collect();
    for name in text(&ours.stdout).lines() {
        assert!(theirs.contains(&name), "{name}");
    }
}

#[test]
fn tokio_prints_what_we_print() {
    for name in [
        "yield_2_selfwake",
        "chan_mpmc",
        "cancel_10k",
        "timers",
        "parked_10k",
        "hop",
    ] {
        let arguments = [name, "--n", "4", "--runs", "1", "--warm-ms", "0"];
        let output = tokio(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line = fields(text(&output.stdout).trim());
        assert_eq!(line[0], ("peer", "\"tokio\""));
        // Only tokio has the second form.
        let ours = name.trim_end_matches("_selfwake");
        let ours = run(&[ours, "--n", "4", "--runs", "1", "--warm-ms", "0"]);
        let ours = fields(text(&ours.stdout).trim());
        let keys = |line: &[(&str, &str)]| {
            line.iter()
                .map(|(key, _)| key.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&line), keys(&ours), "{name}");
    }
}

#[test]
fn a_comparison_has_a_row_for_each_figure() {
    let output = compare(&["--rounds", "1", "spawn_batch_10k", "echo_server"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(
        rows[0],
        "| workload | figure | switchback | tokio | ratio |"
    );
    let names = rows[2..].iter().map(|row| {
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        assert!(columns[5].parse::<f64>().unwrap() > 0.0, "{row}");
        (columns[1], columns[2])
    });
    assert!(names.eq([
        ("`spawn_batch_10k`", "ns_per_op"),
        ("", "cpu_ns_per_op"),
        ("`echo_64`", "server_cpu_ns_per_req"),
        ("", "ns_per_req"),
        ("", "p99_us"),
        ("`echo_1000`", "server_cpu_ns_per_req"),
        ("", "ns_per_req"),
        ("", "p99_us"),
    ]));
}

#[test]
fn what_is_compared_must_be_there() {
    let output = compare(&["no_such_workload"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no_such_workload"));
    for wrong in [&["--rounds"][..], &["--rounds", "0"], &["--fast"]] {
        let output = compare(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
