//! The programs by which Kotlin's coroutines are usually explained, written with this library.
//!
//! ```text
//! cargo run --release --example programs            # all of them
//! cargo run --release --example programs 10 states  # some, by number or name
//! ```
//!
//! Each file is one program and can be read alone. What it says goes to a [`log`](log::Log), which is compared whole at its
//! end. Where the Kotlin original waits for seconds, the clock is a virtual one. For a shorter look around, see the
//! example `tour`.

mod closing;
mod composing;
mod contexts;
mod cooperating;
mod family;
mod handling;
mod hello;
mod independent;
mod log;
mod log_context;
mod naming;
mod owned;
mod post_mortem;
mod presenter;
mod retrying;
mod searching;
mod server;
mod states;
mod swallowing;
mod transactions;
mod tree;
mod triggers;

use std::process::ExitCode;

use switchback::prelude::*;

use log::Log;

/// One program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// By which the command line may name it.
    pub number: u32,
    /// The same, and its module.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Runs it, and gives what it has said.
    pub run: fn() -> Result<Log>,
}

/// Lists a program under the name of its module.
macro_rules! program {
    ($number:literal, $name:ident, $title:literal) => {
        Program {
            number: $number,
            name: stringify!($name),
            title: $title,
            run: $name::run,
        }
    };
}

/// All programs, in the order in which they are best read.
pub const PROGRAMS: &[Program] = &[
    program!(1, hello, "The caller goes on first; waiting blocks nothing"),
    program!(
        2,
        composing,
        "In sequence, at once, and with parts that fail"
    ),
    program!(3, naming, "Names of coroutines in a log"),
    program!(4, family, "Who waits for whom"),
    program!(5, tree, "The job tree can be looked at"),
    program!(6, contexts, "Contexts are inherited, and replaced in part"),
    program!(7, owned, "Components own their scopes"),
    program!(8, presenter, "A presenter on the host's main loop"),
    program!(9, server, "A server whose scopes form a tree"),
    program!(
        10,
        post_mortem,
        "A scope that died of one request, and four cures"
    ),
    program!(11, states, "The states of a family in which one fails"),
    program!(13, triggers, "What triggers a cancellation"),
    program!(
        14,
        swallowing,
        "A loop that swallows its cancellation, and two cures"
    ),
    program!(15, cooperating, "Work that computes must ask"),
    program!(16, closing, "A connection lost, and one that is not"),
    program!(17, transactions, "Cleanup that suspends"),
    program!(18, retrying, "Attempts, each with a limit"),
    program!(19, handling, "A handler at the root"),
    program!(20, log_context, "A log context that follows its coroutine"),
    program!(21, independent, "Independent on purpose"),
    program!(22, searching, "Several sources, some of which fail"),
];

fn main() -> ExitCode {
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let is_meant =
        |program: &&Program, word: &str| word == program.name || word.parse() == Ok(program.number);
    for word in &wanted {
        if !PROGRAMS.iter().any(|program| is_meant(&program, word)) {
            eprintln!("there is no program {word}");
            return ExitCode::FAILURE;
        }
    }
    for program in PROGRAMS {
        if wanted.is_empty() || wanted.iter().any(|word| is_meant(&program, word)) {
            println!(
                "{:>2}  {} ({})",
                program.number, program.title, program.name
            );
            match (program.run)() {
                Ok(log) => println!("{log}"),
                Err(error) => {
                    eprintln!("{} has failed: {error:?}", program.name);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}
