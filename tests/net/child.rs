//! Tests that count or exhaust what belongs to the whole process run in a process of their own: the same test again.

use std::process::Command;

const CASE: &str = "SWITCHBACK_TEST_CASE";

/// Runs the test `name` again in a child process, with as many descriptors as it may have, and demands that it passes.
#[track_caller]
pub fn in_a_child(name: &str) {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{failed}");
    assert!(told.contains("1 passed"), "no test is called {name}");
}

/// Whether this process is the child that runs the test.
pub fn in_child(name: &str) -> bool {
    std::env::var(CASE).is_ok_and(|case| case == name)
}
