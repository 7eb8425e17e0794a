//! Examples that are tested as programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds an example as this test was built, and gives the path of its executable.
///
/// `cargo test` has built it already, but `cargo test --test ..` has not, and would test what an earlier build left behind.
pub fn build(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let output = test.parent().and_then(Path::parent).unwrap();
    let profile = match output.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", name])
        .args(["--profile", profile])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(output.parent().unwrap())
        .status()
        .unwrap();
    assert!(built.success(), "the example {name} does not build");
    output.join("examples").join(name)
}
