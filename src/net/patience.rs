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

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Calls `operation` until it does not say `WouldBlock`. Before each call a cancellation is met.
pub(crate) fn patiently<R>(
    label: &'static Label,
    place: &'static Location<'static>,
    mut operation: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    check()?;
    let mut pause = FIRST_PAUSE;
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let here = thread::here();
                let deadline = deadline_after(Driver::of(here.home()).clock.now(), pause);
                wait_until(&here, deadline, label, place).map_err(|error| report(&here, error))?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => check()?,
            answer => return answer,
        }
    }
}
