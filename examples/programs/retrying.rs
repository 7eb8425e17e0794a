//! Program 18. Three attempts with a limit for each, and pauses that grow.
//!
//! In Kotlin: `repeat(3) { try { return withTimeout(1000) { call() } } catch (e: TimeoutCancellationException) { .. };
//! delay(pause); pause *= 2 }`, where a `catch (e: Exception)` would swallow the caller's cancellation as well.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

const ATTEMPTS: u32 = 3;
const LIMIT: Duration = ms(1000);
const FIRST_PAUSE: Duration = ms(100);

/// Calls until it has an answer, [`ATTEMPTS`] times at most. A timeout is a failure like any other; a cancellation is not.
fn retry<T>(log: &Log, call: impl Fn() -> Result<T>) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match with_timeout(LIMIT, |_| call()) {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_cancelled() || attempt == ATTEMPTS => return Err(error),
            Err(error) => say!(log, "attempt {attempt}: {error}"),
        }
        delay(pause)?;
        pause *= 2;
        attempt += 1;
    }
}

/// A server that answers the third call, and takes its time for the first.
#[derive(Default)]
struct Server {
    calls: AtomicU32,
}

impl Server {
    fn call(&self) -> Result<&'static str> {
        match self.calls.fetch_add(1, Ordering::Relaxed) {
            0 => delay(ms(60_000))?,
            1 => return Err(Error::msg("refused")),
            _ => delay(ms(500))?,
        }
        Ok("welcome")
    }
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    let server = Server::default();
    run_test(|_| {
        say!(log, "the third: {}", retry(&log, || server.call())?);
        Ok(())
    })?;
    run_test(|_| {
        let failure = retry(&log, || delay(ms(2000))).unwrap_err();
        assert!(failure.is_timeout());
        say!(log, "gave up: {failure}");
        Ok(())
    })?;
    run_test(|s| {
        let caller = s.launch(|_| {
            let ended = retry(&log, || delay(ms(2000)));
            assert!(ended.as_ref().unwrap_err().is_cancelled());
            say!(log, "cancelled: no further attempt");
            ended
        });
        delay(ms(500))?;
        caller.cancel_and_join()
    })?;
    log.assert(&[
        " 1000 ms  attempt 1: timed out after 1s",
        " 1100 ms  attempt 2: refused",
        " 1800 ms  the third: welcome",
        " 1000 ms  attempt 1: timed out after 1s",
        " 2100 ms  attempt 2: timed out after 1s",
        " 3300 ms  gave up: timed out after 1s",
        "  500 ms  cancelled: no further attempt",
    ]);
    Ok(log)
}
