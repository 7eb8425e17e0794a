//! What the tests share.

use std::panic::Location;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use switchback::prelude::*;

/// What happened, in order, told from any thread.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<String>>);

impl Log {
    pub fn put(&self, event: impl ToString) {
        self.0.lock().unwrap().push(event.to_string());
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    #[track_caller]
    pub fn expect(&self, events: &[&str]) {
        assert_eq!(self.take(), events);
    }
}

/// Waits for a state that somebody else brings about, without holding up others; a test that would wait for ever fails
/// instead.
#[track_caller]
pub fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    let place = Location::caller();
    while !what() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain at {place}"
        );
        delay(Duration::from_micros(200)).unwrap();
    }
}

/// Lets everything that is ready on this loop run until it waits again.
pub fn settle() -> Result<()> {
    for _ in 0..10 {
        yield_()?;
    }
    Ok(())
}
