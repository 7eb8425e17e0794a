//! Waiting for what the system does not tell of: to ask again, first soon, then less and less often.

use std::io;
use std::panic::Location;
use std::time::Duration;

use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::driver::delay::wait_until;
use crate::net::socket::{check, report};
use crate::scheduler::thread;
use crate::task::label::Label;
use crate::task::wait::Here;

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// When to ask again.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// The next moment, on the thread's clock.
    pub(crate) fn next(&mut self, here: &Here) -> u64 {
        let deadline = deadline_after(Driver::of(here.home()).clock.now(), self.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        deadline
    }
}

/// Calls `operation` until it does not say `WouldBlock`. Before each call a cancellation is met.
pub(crate) fn patiently<R>(
    label: &'static Label,
    place: &'static Location<'static>,
    mut operation: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    check()?;
    let mut pauses = Pauses::new();
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let here = thread::here();
                let deadline = pauses.next(&here);
                wait_until(&here, deadline, label, place).map_err(|error| report(&here, error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => check()?,
            answer => return answer,
        }
    }
}
