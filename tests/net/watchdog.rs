//! An end for tests that would hang.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends the process if the test has not ended in time. It is a thread of its own, so that it also bites when the runtime
/// itself has lost a wake-up and no timer of its would fire.
#[derive(Debug)]
pub struct Watchdog {
    /// Only ever dropped, which ends the wait.
    test: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub fn new() -> Self {
        let (test, ended) = channel();
        let name = std::thread::current().name().unwrap_or("?").to_owned();
        let thread = std::thread::spawn(move || watch(&name, &ended));
        Self {
            test: Some(test),
            thread: Some(thread),
        }
    }
}

fn watch(name: &str, ended: &Receiver<()>) {
    if ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
        eprintln!("the test {name} has not ended after a minute");
        std::process::abort();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.test = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
