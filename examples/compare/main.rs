//! How much faster or slower than tokio? A table of ratios, over the workloads of `examples/workloads`.
//!
//! ```sh
//! cargo build --release --examples
//! cargo run --release --example compare                            # all of them: some minutes
//! cargo run --release --example compare -- --rounds 9 yield_2 hop  # some of them
//! ```
//!
//! A machine has its moods, and a program measured after another is measured on another machine. So the two take turns, each
//! time in a process of its own, and the one that goes first changes too. What counts is the ratio of the medians; the lowest
//! and the highest figure tell how far to trust it. Below one is in our favour.

#![forbid(unsafe_code)]

mod load;
mod program;
mod table;

use std::process::ExitCode;

use program::{OURS, Program, THEIRS};
use switchback::{Error, Result};
use table::Table;

const USAGE: &str = "usage: compare [--rounds N] [WORKLOAD..]";
const ROUNDS: usize = 5;
/// What is measured by its clients, and by how many at once.
const SERVERS: [&str; 2] = ["echo_server", "http_server"];
const CLIENTS: [usize; 2] = [64, 1000];

/// What to compare, and how often.
#[derive(Debug)]
struct Options {
    rounds: usize,
    /// All, if empty.
    names: Vec<String>,
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            rounds: ROUNDS,
            names: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if argument == "--rounds" {
                options.rounds = arguments
                    .next()?
                    .parse()
                    .ok()
                    .filter(|rounds| *rounds > 0)?;
            } else if argument.starts_with('-') {
                return None;
            } else {
                options.names.push(argument);
            }
        }
        Some(options)
    }
}

/// One measurement of both: a name for it, and by which name each program knows it.
#[derive(Debug)]
struct Pair {
    name: String,
    workloads: [String; 2],
    /// Of a server.
    clients: Option<usize>,
}

/// The workloads that are asked for. What tokio has in a second form is compared with both.
fn pairs(programs: &[Program; 2], options: &Options) -> Result<Vec<Pair>> {
    let [ours, theirs] = [programs[0].list()?, programs[1].list()?];
    let wanted = if options.names.is_empty() {
        &ours
    } else {
        &options.names
    };
    let mut pairs = Vec::new();
    for name in wanted {
        if !ours.contains(name) {
            return Err(Error::msg(format!("there is no workload {name}")));
        }
        if SERVERS.contains(&name.as_str()) {
            let kind = name.trim_end_matches("_server");
            pairs.extend(CLIENTS.map(|clients| Pair {
                name: format!("{kind}_{clients}"),
                workloads: [name.clone(), name.clone()],
                clients: Some(clients),
            }));
            continue;
        }
        let forms = ["", "_selfwake", "_raw"].map(|form| format!("{name}{form}"));
        for form in forms.into_iter().filter(|form| theirs.contains(form)) {
            pairs.push(Pair {
                name: form.clone(),
                workloads: [name.clone(), form],
                clients: None,
            });
        }
    }
    Ok(pairs)
}

fn compare(options: &Options) -> Result<Table> {
    let programs = [Program::new(OURS)?, Program::new(THEIRS)?];
    let pairs = pairs(&programs, options)?;
    let mut table = Table::default();
    for round in 0..options.rounds {
        for pair in &pairs {
            let turns = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for who in turns {
                let workload = &pair.workloads[who];
                let figures = match pair.clients {
                    Some(clients) => load::measure(&programs[who], workload, clients)?,
                    None => programs[who].measure(workload)?,
                };
                for (figure, value) in figures {
                    table.add(&pair.name, &figure, who, value);
                }
            }
        }
        eprintln!("round {} of {}", round + 1, options.rounds);
    }
    Ok(table)
}

fn main() -> ExitCode {
    let Some(options) = Options::from_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match compare(&options) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}
