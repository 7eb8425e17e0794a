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

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn micros(&mut self, limit: u64) -> Duration {
        Duration::from_micros(self.below(limit))
    }
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
