//! Program 17. Cleanup that suspends: a transaction commits on success, and rolls back on failure and on cancellation.
//!
//! In Kotlin: `try { work(); commit() } catch (e: Throwable) { withContext(NonCancellable) { rollback() }; throw e }`.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// One statement, or a commit: each takes the database a while.
fn execute(log: &Log, name: &str, statement: &str) -> Result<()> {
    delay(ms(100))?;
    say!(log, "{name}: {statement}");
    Ok(())
}

/// Runs `work` as one transaction.
fn transaction<T>(log: &Log, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    execute(log, name, "begin")?;
    let done = work();
    // A commit that was decided on is carried out too.
    let last = if done.is_ok() { "commit" } else { "rollback" };
    non_cancellable(|_| execute(log, name, last))?;
    done
}

/// What becomes of a cleanup that is not shielded.
fn unshielded(log: &Log) -> Result<()> {
    let done = delay(ms(5000));
    if let Err(error) = execute(log, "unshielded", "rollback") {
        say!(log, "unshielded: no rollback, {error}");
    }
    done
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    run_test(|s| {
        let sum = transaction(&log, "success", || {
            execute(&log, "success", "insert")?;
            Ok(3)
        })?;
        say!(log, "gives {sum}");

        let failure = transaction(&log, "failure", || -> Result<()> {
            execute(&log, "failure", "insert")?;
            Err(Error::msg("a constraint is violated"))
        });
        say!(log, "gives {}", failure.unwrap_err());

        let job = s.launch(|_| transaction(&log, "cancelled", || delay(ms(5000))));
        delay(ms(1000))?;
        job.cancel();
        say!(log, "cancelled, has completed: {}", job.is_completed());
        job.join()?;
        say!(log, "joined, has completed: {}", job.is_completed());

        let late = with_timeout_or_none(ms(1000), |_| {
            transaction(&log, "too late", || delay(ms(5000)))
        })?;
        say!(log, "gives {late:?}");

        let job = s.launch(|_| unshielded(&log));
        yield_()?;
        job.cancel_and_join()
    })?;
    log.assert(&[
        "  100 ms  success: begin",
        "  200 ms  success: insert",
        "  300 ms  success: commit",
        "  300 ms  gives 3",
        "  400 ms  failure: begin",
        "  500 ms  failure: insert",
        "  600 ms  failure: rollback",
        "  600 ms  gives a constraint is violated",
        "  700 ms  cancelled: begin",
        " 1600 ms  cancelled, has completed: false",
        " 1700 ms  cancelled: rollback",
        " 1700 ms  joined, has completed: true",
        " 1800 ms  too late: begin",
        " 2800 ms  too late: rollback",
        " 2800 ms  gives None",
        " 2800 ms  unshielded: no rollback, cancelled",
    ]);
    Ok(log)
}
