//! How long the threads of this process were ready to run and had no processor: other programs had it.
//!
//! What a scheduler does about idle and busy workers can only be judged where the machine has let them run.

use std::fs;
use std::time::Duration;

/// The sum over all threads since they were started; zero where the kernel does not tell. It falls when a thread ends.
pub fn for_a_processor() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let waited = threads.flatten().filter_map(|thread| {
        let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(waited.sum())
}
