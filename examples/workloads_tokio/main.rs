//! The same workloads on tokio, to be measured beside ours: `examples/workloads` tells how it is used and what it prints.
//!
//! Plain tokio, as its documentation shows it, in its default settings; `JoinSet` where ours has a scope. Three workloads
//! have a second form here, which ours has no use for: a task that wakes itself in place of `yield_now` (which goes by the
//! driver whenever no other task is ready), and a vector of handles in place of the `JoinSet`.

#![forbid(unsafe_code)]

mod channels;
#[path = "../workloads/clock.rs"]
mod clock;
#[path = "../workloads/http.rs"]
mod http;
#[path = "../workloads/lateness.rs"]
mod lateness;
#[path = "../workloads/options.rs"]
mod options;
mod parking;
#[path = "../workloads/report.rs"]
mod report;
mod scheduling;
mod servers;
mod timers;
mod workload;

use std::process::ExitCode;

use options::{Command, Options};
use switchback::Result;
use workload::{Kind, Threads, Workload};

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
    let print = |figures| report::print("tokio", workload.name, &figures);
    match workload.kind {
        Kind::Repeated(threads, body) => {
            let runtime = threads.runtime();
            let run = || threads.run(&runtime, body(count));
            report::warm_up(options.warm_up, || {
                run();
                Ok(())
            })?;
            (0..options.runs).try_for_each(|_| print(run()))
        }
        Kind::Once(warm_up_count, body) => {
            let runtime = Threads::Two.runtime();
            Threads::Two.run(&runtime, body(warm_up_count));
            print(Threads::Two.run(&runtime, body(count)))
        }
        Kind::Server(serve) => Ok(servers::run(options.port, options.limit, serve)?),
    }
}

fn main() -> ExitCode {
    let (name, options) = match Command::from_arguments(std::env::args().skip(1)) {
        Ok(Command::Run(name, options)) => (name, options),
        Ok(Command::List) => {
            for workload in workloads() {
                println!("{}", workload.name);
            }
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("workloads_tokio: {problem}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let Some(workload) = workloads().find(|workload| workload.name == name) else {
        eprintln!("workloads_tokio: there is no workload {name}");
        return ExitCode::from(UNKNOWN);
    };
    match run(workload, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workloads_tokio: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
