//! Every workload that is measured by itself, at a small size.

use crate::program::{fields, run, text};

const KEYS: [&str; 6] = [
    "peer",
    "workload",
    "n",
    "ns_per_op",
    "cpu_ns_per_op",
    "rss_kb",
];
const RUNS: usize = 2;

/// Runs a workload at a size, and checks all lines: as many as must be, each with the usual keys and the extra ones, and
/// with figures in them. Gives the figures of each line by their order.
fn measure(name: &str, size: u64, runs: usize, extras: &[&str]) -> Vec<Vec<f64>> {
    let (asked, n) = (RUNS.to_string(), size.to_string());
    let output = run(&[name, "--n", &n, "--runs", &asked, "--warm-ms", "0"]);
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), runs, "{name}");
    let figures = lines.iter().map(|line| {
        let fields = fields(line);
        let keys = fields.iter().map(|(key, _)| key);
        assert!(keys.eq(KEYS.iter().chain(extras)), "{line}");
        assert_eq!(fields[0].1, "\"switchback\"");
        assert_eq!(fields[1].1, format!("\"{name}\""));
        assert_eq!(fields[2].1, n, "{line}");
        let figures = fields[3..].iter().map(|(_, value)| value.parse().unwrap());
        figures.collect::<Vec<f64>>()
    });
    figures.collect()
}

/// As `measure`, for the many that have no keys of their own: each operation takes time and memory.
fn measure_all<const N: usize>(names: [&str; N], size: u64) {
    for name in names {
        for figures in measure(name, size, RUNS, &[]) {
            assert!(figures.iter().all(|figure| *figure > 0.0), "{figures:?}");
        }
    }
}

#[test]
fn yields() {
    measure_all(["yield_2", "yield_1000", "yield_mt"], 2000);
}

#[test]
fn spawns() {
    measure_all(["spawn_join_1t", "spawn_join_mt"], 100);
    measure_all(["spawn_batch", "spawn_batch_1t", "spawn_batch_10k"], 100);
}

#[test]
fn skynets() {
    measure_all(["skynet_10k", "skynet_100k", "skynet_1m"], 100);
}

#[test]
fn ping_pongs() {
    measure_all(["pingpong_local", "pingpong_mt", "pingpong_cross"], 100);
}

#[test]
fn streams_and_locks() {
    measure_all(["chan_spsc_1t", "chan_spsc_mt", "chan_unbounded_mt"], 1000);
    measure_all(["chan_mpsc", "chan_mpmc", "mutex_contended"], 1000);
}

#[test]
fn timeouts_and_hops() {
    measure_all(["timer_cancel", "timer_cancel_park", "hop"], 100);
}

#[test]
fn cancellations() {
    measure_all(["cancel_10k", "cancel_100k"], 100);
}

#[test]
fn sleepers_tell_how_late_they_woke() {
    for name in ["timers", "timers_10k"] {
        let extras = ["wall_ms", "late_p50_us", "late_p99_us"];
        for figures in measure(name, 3, RUNS, &extras) {
            let [ns, cpu_ns, _, wall_ms, p50, p99] = figures[..] else {
                panic!("{figures:?}");
            };
            assert_eq!(ns, cpu_ns, "an operation is the processor's time");
            assert!(wall_ms >= 1.0, "nobody sleeps for less");
            assert!(p50 <= p99);
        }
    }
}

#[test]
fn the_parked_run_once_and_tell_their_memory() {
    for name in ["parked_10k", "parked_100k", "parked_1m"] {
        let extras = [
            "rss_bytes_per_task",
            "pte_bytes_per_task",
            "finish_ns_per_op",
        ];
        // More than the thousand that have made the process warm: their stacks are there already.
        let figures = &measure(name, 2000, 1, &extras)[0];
        let [_, _, _, resident, tables, finish] = figures[..] else {
            panic!("{figures:?}");
        };
        assert!(
            resident > 0.0 && tables > 0.0 && finish > 0.0,
            "{figures:?}"
        );
    }
}
