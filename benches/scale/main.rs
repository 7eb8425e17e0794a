//! What becomes of the figures as the numbers grow, as the load gets uneven, and beside what computes for long?
//!
//! ```text
//! cargo bench --bench scale                                   # all three, some minutes
//! cargo bench --bench scale -- growth --to benches/results    # one of them; the table and the plot go to that folder
//! cargo bench --bench scale -- --quick                        # small numbers, once: whether it runs
//! ```
//!
//! - [`growth`]: what each operation costs with 10 to 1 000 000 coroutines, beside tokio.
//! - [`skew`]: bursts in which one in a hundred coroutines works a hundred times as long as the others.
//! - [`hogs`]: how late coroutines run beside others that compute in slices and yield.

#[path = "../peers/mod.rs"]
mod peers;

mod growth;
mod hogs;
mod ours;
mod plot;
mod samples;
mod skew;
mod tokios;
mod waits;

use std::env;
use std::path::PathBuf;

use peers::NOTHING_FAILS;

type Run = fn(&Options);

/// What was asked for.
#[derive(Debug)]
struct Options {
    /// Small numbers, once.
    quick: bool,
    rounds: usize,
    /// Where the table and the plot go.
    folder: PathBuf,
}

fn target_folder() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    target.join("scale")
}

fn main() {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if_eq(growth::POINT).is_some() {
        return growth::point(arguments);
    }
    let mut options = Options {
        // `cargo test` passes nothing, and wants to know whether it runs.
        quick: !env::args().any(|argument| argument == "--bench"),
        rounds: 5,
        folder: target_folder(),
    };
    let mut wanted = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--quick" | "--test" => options.quick = true,
            "--rounds" => {
                let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
                options.rounds = rounds.expect("--rounds is followed by a number");
            }
            "--to" => {
                let folder = arguments.next();
                options.folder = folder.expect("--to is followed by a folder").into();
            }
            _ => wanted.push(argument),
        }
    }
    let all: [(&str, Run); 3] = [
        ("growth", growth::run),
        ("skew", skew::run),
        ("hogs", hogs::run),
    ];
    for (name, run) in all {
        // Anything else is a filter of `cargo bench`, which means other benches.
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            run(&options);
        }
    }
}
