//! One program for everything that is measured beside other runtimes: how fast is it, and what does it cost?
//!
//! ```text
//! cargo run --release --example workloads -- list
//! cargo run --release --example workloads -- yield_2 [--n N] [--runs R] [--warm-ms MS] [--secs S] [--port P]
//! ```
//!
//! A workload is warmed up and then run R times; each run prints one line, a JSON object. What a run computes is checked,
//! and a wrong result ends the program with an error. An unknown name exits with 3, wrong usage with 2. The two servers
//! print `LISTENING <port>` and serve until standard input is closed or S seconds are over.
//!
//! The workloads are plain programs on the public interface, as a user would write them: no setting is touched.

#![forbid(unsafe_code)]

mod channels;
mod clock;
mod http;
mod lateness;
mod options;
mod parking;
mod report;
mod scheduling;
mod servers;
mod timers;
mod workload;

use std::process::ExitCode;

use options::{Command, Options};
use switchback::prelude::*;
use workload::{Kind, Workload};

/// What it exits with when there is no workload of that name.
const UNKNOWN: u8 = 3;

fn workloads() -> impl Iterator<Item = &'static Workload> {
    let families = [
        scheduling::WORKLOADS,
        channels::WORKLOADS,
        timers::WORKLOADS,
        parking::WORKLOADS,
        servers::WORKLOADS,
    ];
    families.into_iter().flatten()
}

fn run(workload: &Workload, options: &Options) -> Result<()> {
    let count = options.count.unwrap_or(workload.count);
    let print = |figures| report::print("switchback", workload.name, &figures);
    match workload.kind {
        Kind::Repeated(place, body) => place.run(|| {
            report::warm_up(options.warm_up, || body(count).map(drop))?;
            for _ in 0..options.runs {
                print(body(count)?)?;
            }
            Ok(())
        }),
        Kind::Once(place, warm_up_count, body) => place.run(|| {
            body(warm_up_count)?;
            print(body(count)?)?;
            Ok(())
        }),
        Kind::Server(serve) => servers::run(options.port, options.limit, serve),
    }
}

fn main() -> ExitCode {
    let command = match Command::from_arguments(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(problem) => {
            eprintln!("workloads: {problem}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let (name, options) = match command {
        Command::List => {
            for workload in workloads() {
                println!("{}", workload.name);
            }
            return ExitCode::SUCCESS;
        }
        Command::Run(name, options) => (name, options),
    };
    let Some(workload) = workloads().find(|workload| workload.name == name) else {
        eprintln!("workloads: there is no workload {name}");
        return ExitCode::from(UNKNOWN);
    };
    match run(workload, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workloads: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
