//! What memory does a coroutine take that waits? A table, in bytes: resident memory and page tables, for each of as many
//! as park at one gate.
//!
//! Memory that was used once is not given back at once, so each figure comes from a process of its own: this program,
//! started again with the name of the runtime and the number as arguments.

mod peers;

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use peers::{NOTHING_FAILS, tokio_pool};
use switchback::prelude::*;
use tokio::sync::Notify;

const CROWDS: [u64; 2] = [1000, 10_000];
type Peer = (&'static str, fn(u64));

const PEERS: [Peer; 3] = [
    ("switchback", switchback_parks),
    ("tokio", tokio_parks),
    ("may", may_parks),
];

/// How many wait.
static WAITING: AtomicU64 = AtomicU64::new(0);

fn count_in() {
    // ORDERING: a count that is only looked at.
    WAITING.fetch_add(1, Ordering::Relaxed);
}

/// Prints what the process has grown by, once so many wait.
fn tell(count: u64, before: [u64; 2]) {
    // ORDERING: a count that is only looked at.
    while WAITING.load(Ordering::Relaxed) < count {
        thread::sleep(ms(1));
    }
    // The last one has still to go from its count to its gate.
    thread::sleep(ms(50));
    let after = memory();
    let each = |i: usize| (after[i] - before[i]) as f64 * 1024.0 / count as f64;
    println!("{:>9.0} {:>11.1}", each(0), each(1));
}

/// Resident memory and page tables of this process, in KiB.
fn memory() -> [u64; 2] {
    let status = fs::read_to_string("/proc/self/status").expect(NOTHING_FAILS);
    ["VmRSS:", "VmPTE:"].map(|field| {
        let line = status.lines().find(|line| line.starts_with(field));
        let figure = line.and_then(|line| line.split_whitespace().nth(1));
        figure.expect(NOTHING_FAILS).parse().expect(NOTHING_FAILS)
    })
}

fn switchback_parks(count: u64) {
    let gate = CompletableDeferred::new();
    with_context(Dispatchers::default(), |s| {
        let before = memory();
        for _ in 0..count {
            s.launch(|_| {
                count_in();
                gate.await_()
            });
        }
        with_context(Dispatchers::io(), |_| {
            tell(count, before);
            Ok(())
        })?;
        gate.complete(());
        Ok(())
    })
    .expect(NOTHING_FAILS);
}

fn tokio_parks(count: u64) {
    let runtime = tokio_pool(2);
    let gate = Arc::new(Notify::new());
    let before = memory();
    for _ in 0..count {
        let gate = gate.clone();
        runtime.spawn(async move {
            let opens = gate.notified();
            count_in();
            opens.await;
        });
    }
    tell(count, before);
}

fn may_parks(count: u64) {
    may::config().set_workers(2);
    let gate = Arc::new(may::sync::SyncFlag::new());
    let before = memory();
    for _ in 0..count {
        let gate = gate.clone();
        may::go!(move || {
            count_in();
            gate.wait();
        });
    }
    tell(count, before);
}

/// Starts this program again, for one line of the table.
fn measure(peer: &str, count: u64) {
    print!("{peer:<12} {count:>8} ");
    let program = env::current_exe().expect(NOTHING_FAILS);
    let output = Command::new(program)
        .args(["parked", peer, &count.to_string()])
        .output()
        .expect(NOTHING_FAILS);
    if output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
    } else {
        println!("{:>9}", "fails");
    }
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["parked", peer, count] => {
            let (_, park) = PEERS
                .into_iter()
                .find(|(name, _)| *name == peer)
                .expect("a name from the table");
            park(count.parse().expect("a number"));
        }
        // What `cargo bench` adds is of no use here.
        _ => {
            println!(
                "{:<12} {:>8} {:>9} {:>11}",
                "", "parked", "resident", "page tables"
            );
            for count in CROWDS {
                for (peer, _) in PEERS {
                    measure(peer, count);
                }
            }
        }
    }
}
