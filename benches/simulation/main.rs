//! What do the pool's workers do with launches, when there are more of them than this machine has cores?
//!
//! Not measured but simulated, in virtual time, with the library's own policy (`tests/simulation/kit`). Prints the table of
//! `benches/results/simulation.md`; with `costs`, what the acts take on this machine that the virtual time is made of.

#![forbid(unsafe_code)]

mod costs;
#[path = "../../tests/simulation/kit/mod.rs"]
mod kit;
mod table;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    if asked("costs") {
        costs::print();
    } else if asked("--bench") {
        print!("{}", table::write(kit::scenarios::SIZES));
    } else {
        // Built as a test: that it runs is enough.
        print!("{}", table::write(&kit::scenarios::SIZES[..1]));
    }
}
