//! Random programs of jobs, run by a model of the rules and by the library, which must agree.
//!
//! - [`program`] is what is run: a tree of bodies, made from a seed by [`generate`].
//! - [`model`] runs it by the rules of Kotlin's structured concurrency, with the differences that this library wants. It
//!   is written from the rules and shares no code with the library: read it as their specification.
//! - [`library`] runs it through the public interface, on the virtual clock.
//! - Both give a [`trace`]. If they differ, if the library hangs, or dies, [`shrink`] looks for a smaller program that
//!   shows the same, and the test prints it with both traces.
//! - [`processes`] does the running in child processes, so that a hang or an abort is a finding like any other.
//!
//! `REFERENCE_TREES=10000000` says how many programs are run; `REFERENCE_FIRST=n` with which seed they begin;
//! `REFERENCE_SEED=n` runs one alone, and `REFERENCE_CUTS` is what a report says about a shrunk one.
//!
//! `mutations.txt` lists ways to break the library (`--cfg 'mutation="NAME"'`) that this test must notice.

#![forbid(unsafe_code)]

mod coverage;
mod generate;
mod library;
mod model;
mod processes;
mod program;
mod shrink;
mod trace;

use processes::{Child, Verdict};

/// How many programs are run if nobody says: as many as take half a minute on two slow cores.
const TREES: u64 = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};

#[test]
fn random_programs_do_what_the_rules_say() {
    if let Some(child) = Child::this() {
        child.run();
    }
    let trouble = match processes::number("REFERENCE_SEED") {
        Some(seed) => {
            let cuts = processes::cuts_from_environment();
            let verdict = processes::verdict(seed, &cuts, processes::HANGS_AFTER);
            (!matches!(verdict, Verdict::Agrees | Verdict::Stuck)).then_some((seed, cuts, verdict))
        }
        None => {
            let first = processes::number("REFERENCE_FIRST").unwrap_or(0);
            let trees = processes::number("REFERENCE_TREES").unwrap_or(TREES);
            let found = processes::search(first..first + trees);
            found.map(|(seed, verdict)| (seed, Vec::new(), verdict))
        }
    };
    if let Some((seed, cuts, verdict)) = trouble {
        panic!("{}", processes::report(seed, cuts, verdict));
    }
}

#[test]
fn a_program_is_cut_down_to_what_matters() {
    // A difference that is easy to tell: the program has a panic below a supervisor.
    let shows = |program: &program::Program| {
        let text = program.to_string();
        text.contains("supervisor_scope") && text.contains("panic")
    };
    let program = (0..)
        .map(generate::program)
        .find(shows)
        .expect("one of very many");
    let cuts = shrink::shrink(&program, |cuts| shows(&shrink::apply(&program, cuts)));
    let smallest = shrink::apply(&program, &cuts);
    assert!(smallest.steps().len() == 2, "{smallest}");
    let text = processes::cuts_as_text(&cuts);
    assert_eq!(processes::cuts_from_text(&text), cuts);
}
