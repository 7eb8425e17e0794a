//! Waiting for the world: sockets of all kinds, pipes, any descriptor, signals, child processes, ticks.

#[path = "../net/child.rs"]
mod child;
#[path = "../net/watchdog.rs"]
mod watchdog;

mod cancelling;
mod datagrams;
mod descriptors;
mod input;
mod pipes;
mod processes;
mod selecting;
mod selecting_limits;
mod signals;
mod ticks;
mod unix;
mod watched;

use std::error::Error as _;
use std::io::ErrorKind;

use switchback::prelude::*;

fn is_cancellation(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::Other
        && error
            .source()
            .is_some_and(|source| source.is::<Cancelled>())
}

/// How many descriptors this process has.
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A path for a socket that nobody else uses.
struct Place(std::path::PathBuf);

impl Place {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchback-world-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
