//! What the command line takes, and how the program ends.

use crate::program::{run, text};

/// The names by which other programs ask.
const NAMES: [&str; 32] = [
    "yield_2",
    "yield_1000",
    "yield_mt",
    "spawn_join_1t",
    "spawn_join_mt",
    "spawn_batch",
    "spawn_batch_1t",
    "spawn_batch_10k",
    "skynet_10k",
    "skynet_100k",
    "skynet_1m",
    "pingpong_local",
    "pingpong_mt",
    "pingpong_cross",
    "chan_spsc_1t",
    "chan_spsc_mt",
    "chan_unbounded_mt",
    "chan_mpsc",
    "chan_mpmc",
    "mutex_contended",
    "timers",
    "timers_10k",
    "timer_cancel",
    "timer_cancel_park",
    "parked_10k",
    "parked_100k",
    "parked_1m",
    "cancel_10k",
    "cancel_100k",
    "hop",
    "echo_server",
    "http_server",
];

#[test]
fn lists_each_workload_on_a_line_of_its_own() {
    let output = run(&["list"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).lines().eq(NAMES));
}

#[test]
fn exits_with_3_when_there_is_no_such_workload() {
    let output = run(&["spawn_batch_raw", "--runs", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("spawn_batch_raw"));
}

#[test]
fn exits_with_2_and_tells_the_usage_when_it_is_used_wrongly() {
    for wrong in [
        &[][..],
        &["yield_2", "--n"],
        &["yield_2", "--n", "many"],
        &["yield_2", "--n", "-1"],
        &["yield_2", "--fast", "1"],
        &["yield_2", "fast", "1"],
        &["list", "--n"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_eq!(text(&output.stdout), "", "{wrong:?}");
        assert!(text(&output.stderr).contains("usage: "), "{wrong:?}");
    }
}

#[test]
fn a_wrong_result_ends_it_with_an_error() {
    // Twenty leaves do not fit on a tree that has ten branches at each node.
    let output = run(&["skynet_10k", "--n", "20"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(
        text(&output.stderr).contains("the sum: "),
        "{}",
        text(&output.stderr)
    );
}
