//! Reads the sources and holds the rules that the compiler does not know.
//!
//! - [`layers`]: which module may import which; no circles.
//! - [`unsafety`]: where `unsafe` may stand, and what must be said beside it.
//! - [`docs`]: what the documentation of the public interface must tell.
//! - [`hygiene`]: sizes of files, single homes of things, no leftovers.
//!
//! Every check is a function from sources to violations. It runs here on the real ones, and beside its definition on
//! bad samples, which it must refuse.

#![forbid(unsafe_code)]

mod docs;
mod hygiene;
mod layers;
mod lexer;
mod source;
mod unsafety;

use source::Violation;

#[track_caller]
fn demand_none(mut violations: Vec<Violation>) {
    violations.sort();
    violations.dedup();
    let lines: Vec<_> = violations.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "\n\n{}\n", lines.join("\n"));
}

#[test]
fn the_walk_finds_the_sources() {
    let sources = source::rust();
    for path in ["src/lib.rs", "src/task/mod.rs", "tests/tidy/main.rs"] {
        assert!(sources.iter().any(|source| source.path == path), "{path}");
    }
    let documents = source::with_extensions(&["rs", "md", "toml"]);
    assert!(documents.iter().any(|source| source.path == "Cargo.toml"));
    assert!(documents.len() > sources.len());
}

#[test]
fn imports_follow_the_layers() {
    demand_none(layers::unknown_modules(&source::rust()));
    demand_none(layers::upward_imports(&source::rust()));
}

#[test]
fn modules_of_one_layer_form_no_circle() {
    demand_none(layers::circles(&source::rust()));
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    demand_none(unsafety::unexplained(&source::rust()));
}

#[test]
fn unsafe_stands_only_in_the_modules_that_need_it() {
    demand_none(unsafety::misplaced(&source::rust()));
}

#[test]
fn files_are_under_500_lines() {
    demand_none(hygiene::long_files(&source::rust()));
}

#[test]
fn corosensei_is_named_in_one_module() {
    demand_none(hygiene::stack_switching(&source::rust()));
}

#[test]
fn thread_locals_live_in_one_file() {
    demand_none(hygiene::thread_locals(&source::rust()));
}

#[test]
fn nothing_is_left_over() {
    demand_none(hygiene::leftovers(&source::rust()));
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    demand_none(hygiene::machine_paths(&source::with_extensions(&[
        "rs", "md", "toml", "txt",
    ])));
}

#[test]
fn every_public_function_says_whether_it_suspends() {
    demand_none(docs::silent_about_suspension(&source::rust()));
}
