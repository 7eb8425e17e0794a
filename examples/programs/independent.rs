//! Program 21. A coroutine that is independent on purpose: it gets a job of its own, and with it leaves the tree.
//!
//! In Kotlin: `scope.launch(Job()) { .. }`. Here only the builder of an owned scope takes a job; a borrowing scope,
//! which its children could then outlive, does not compile with one.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// Waits, and says what came of it.
fn wait(log: &Log, who: &str, time: u64) -> Result<()> {
    let waited = delay(ms(time));
    match &waited {
        Ok(()) => say!(log, "{who}: done"),
        Err(error) => say!(log, "{who}: {error}"),
    }
    waited
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    run_test(|s| {
        let scope = CoroutineScope::new(s.context() + Job::by_hand());
        let own_log = log.clone();
        let child = scope.launch(move |_| wait(&own_log, "child", 2000));

        let apart = Job::by_hand();
        let own_log = log.clone();
        let independent = scope
            .builder()
            .context(apart.clone())
            .launch(move |_| wait(&own_log, "independent", 2000));

        assert_eq!(child.parent(), Some(scope.job()));
        assert_eq!(independent.parent().as_ref(), Some(&*apart));
        assert_eq!(scope.job().children().len(), 1);

        // The dispatcher comes from the scope as ever; cancelling the scope reaches its children only.
        delay(ms(1000))?;
        scope.cancel();
        child.join()?;
        say!(log, "the scope is over: {}", scope.job().is_completed());
        say!(log, "independent, active: {}", independent.is_active());

        // The price: nobody waits for it, unless somebody thinks of it.
        independent.join()?;
        say!(log, "its job, active: {}", apart.is_active());
        apart.complete();
        say!(log, "its job, completed: {}", apart.is_completed());
        Ok(())
    })?;
    log.assert(&[
        " 1000 ms  child: cancelled",
        " 1000 ms  the scope is over: true",
        " 1000 ms  independent, active: true",
        " 2000 ms  independent: done",
        " 2000 ms  its job, active: true",
        " 2000 ms  its job, completed: true",
    ]);
    Ok(log)
}
