//! The example as a program, and the lines that it prints.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::example;

/// The example with these arguments.
pub fn workloads(arguments: &[&str]) -> Command {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| example::build("workloads"));
    let mut command = Command::new(&*BINARY);
    command.args(arguments);
    command
}

/// Runs the example to its end.
pub fn run(arguments: &[&str]) -> Output {
    workloads(arguments).output().unwrap()
}

/// What went to standard output or to standard error.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The keys and values of a line, in their order.
pub fn fields(line: &str) -> Vec<(&str, &str)> {
    let inner = line
        .strip_prefix('{')
        .and_then(|line| line.strip_suffix('}'));
    let inner = inner.unwrap_or_else(|| panic!("no JSON object: {line}"));
    // No value has a comma or a colon in it.
    inner
        .split(',')
        .map(|field| {
            let (key, value) = field.split_once(':').expect("a key and a value");
            (key.trim_matches('"'), value)
        })
        .collect()
}
