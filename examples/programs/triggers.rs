//! Program 13. What triggers a cancellation: `cancel` on a launched and on an async coroutine, on a grandparent, and a
//! timeout.
//!
//! In Kotlin: `job.cancel()`, `deferred.cancel()`, `grandparent.cancel()`, `withTimeoutOrNull(500) { compute() }`.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// Waits, and says what came of it.
fn wait(log: &Log, who: &str, time: u64) -> Result<()> {
    let waited = delay(ms(time));
    match &waited {
        Ok(()) => say!(log, "{who}: waited"),
        Err(error) => say!(log, "{who}: {error}"),
    }
    waited
}

fn one_of_each(log: &Log) -> Result<()> {
    run_test(|s| {
        let launched = s.launch(|_| wait(log, "launched", 5000));
        delay(ms(1000))?;
        launched.cancel();
        launched.join()?;

        let value = s.async_(|_| {
            wait(log, "async", 5000)?;
            Ok(42)
        });
        delay(ms(1000))?;
        value.cancel();
        let answer = value.await_().unwrap_err();
        // Somebody else's cancellation is not ours: here it is an ordinary error.
        assert!(!answer.is_cancelled());
        say!(log, "awaiting it: an error, we go on: {}", s.is_active());
        Ok(())
    })
}

fn three_generations(log: &Log) -> Result<()> {
    run_test(|s| {
        let grandparent = s.launch(|s| {
            s.launch(|s| {
                s.launch(|_| wait(log, "child", 5000));
                wait(log, "parent", 5000)
            });
            wait(log, "grandparent", 5000)
        });
        let bystander = s.launch(|_| wait(log, "bystander", 2000));
        delay(ms(1000))?;
        grandparent.cancel_with("the family is over");
        grandparent.join()?;
        say!(log, "all three are over");
        bystander.join()
    })
}

fn slow_computation() -> Result<u32> {
    delay(ms(1000))?;
    Ok(42)
}

fn timeouts(log: &Log) -> Result<()> {
    run_test(|_| {
        let value = with_timeout_or_none(ms(500), |_| slow_computation())?;
        say!(log, "within 500 ms: {value:?}");
        let value = with_timeout_or_none(ms(1500), |_| slow_computation())?;
        say!(log, "within 1500 ms: {value:?}");
        Ok(())
    })
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    one_of_each(&log)?;
    three_generations(&log)?;
    timeouts(&log)?;
    log.assert(&[
        " 1000 ms  launched: cancelled",
        " 2000 ms  async: cancelled",
        " 2000 ms  awaiting it: an error, we go on: true",
        " 1000 ms  child: cancelled: the family is over",
        " 1000 ms  parent: cancelled: the family is over",
        " 1000 ms  grandparent: cancelled: the family is over",
        " 1000 ms  all three are over",
        " 2000 ms  bystander: waited",
        "  500 ms  within 500 ms: None",
        " 1500 ms  within 1500 ms: Some(42)",
    ]);
    Ok(log)
}
