//! The scenarios of the real kotlinx.coroutines, written with this library: what they say they did must be what the
//! originals said, line for line and in the same order.
//!
//! - `traces/`: what the originals said, as recorded.
//! - One module for each area, with a function for each scenario, of the same name.
//! - [`support`]: the words in which a scenario tells what happens, and the one place where our names become Kotlin's.
//! - [`suite`]: runs the scenarios one after another, compares, and prints a table.
//!
//! A scenario that differs on purpose says what it gives instead, and why, where the area lists it. Time is virtual where
//! a scenario runs on one thread; where threads meet, they wait for each other and not for a time to be over.

#![forbid(unsafe_code)]

mod app;
mod can;
mod chan;
mod cont;
mod ctx;
mod disp;
mod exc;
mod job;
mod mtx;
mod sel;
mod seq;
mod streams;
mod suite;
mod sup;
mod support;
mod tmo;

#[test]
fn scenarios_leave_the_traces_of_kotlin() {
    let areas = [
        job::SCENARIOS,
        exc::SCENARIOS,
        sup::SCENARIOS,
        ctx::SCENARIOS,
        can::SCENARIOS,
        tmo::SCENARIOS,
        cont::SCENARIOS,
        disp::SCENARIOS,
        chan::SCENARIOS,
        mtx::SCENARIOS,
        seq::SCENARIOS,
        app::SCENARIOS,
        sel::SCENARIOS,
    ];
    suite::run(&areas);
}
