//! A tour of the library in ten stops, each a small program that prints what it has seen and asserts it.
//!
//! ```text
//! cargo run --release --example tour
//! ```
//!
//! Each file is one stop and can be read alone. There is nothing in them but plain Rust that looks as if it blocked.
//!
//! For those who know Kotlin: the example `programs` has the originals' programs, one by one.

mod borrowing;
mod callback;
mod cancelling;
mod component;
mod echo;
mod hopping;
mod many;
mod output;
mod parallel;
mod supervising;
mod timeouts;

use std::time::Instant;

use switchback::prelude::*;

type Stop = fn() -> Result<()>;

const STOPS: [(&str, Stop); 10] = [
    ("Children borrow what their caller owns", borrowing::stop),
    ("Waiting happens at the same time", parallel::stop),
    ("Cancelling is a value, and cleanup runs", cancelling::stop),
    ("Time limits", timeouts::stop),
    ("A supervisor lets children fail alone", supervising::stop),
    ("To a thread that may block, and back", hopping::stop),
    ("A callback becomes a call", callback::stop),
    ("A component owns its coroutines", component::stop),
    ("Ten thousand of them", many::stop),
    ("An echo server and its clients", echo::stop),
];

fn main() -> Result<()> {
    let start = Instant::now();
    for (number, (title, stop)) in (1..).zip(STOPS) {
        output::headline(number, title);
        stop()?;
        output::end();
    }
    output::farewell(start.elapsed());
    Ok(())
}
