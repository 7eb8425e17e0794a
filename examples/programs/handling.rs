//! Program 19. An exception handler on a scope: the failure of a child cancels what else its parent has to do, and the
//! handler hears of it once, at the root.
//!
//! In Kotlin: `val handler = CoroutineExceptionHandler { _, e -> println(e) }`, `CoroutineScope(SupervisorJob() +
//! handler)`, `scope.launch { launch { delay(1000) }; launch { throw .. } }`.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

fn handler(log: &Log, whose: &'static str) -> CoroutineExceptionHandler {
    let log = log.clone();
    CoroutineExceptionHandler::new(move |context, error| {
        let name = context.get::<CoroutineName>();
        let name = name.map_or("no name", CoroutineName::as_str);
        say!(log, "{whose} handler hears from {name}: {error}");
    })
}

/// Waits, and says what came of it.
fn wait(log: &Log, who: &str) -> Result<()> {
    let waited = delay(ms(1000));
    match &waited {
        Ok(()) => say!(log, "{who}: done"),
        Err(error) => say!(log, "{who}: {error:#}"),
    }
    waited
}

/// A root with two children, of which one fails; the handler that it is given itself is not asked.
fn family(log: &Log, scope: &CoroutineScope) -> Job {
    let log = log.clone();
    scope.builder().name("import").launch(move |_| {
        coroutine_scope(|s| {
            s.launch(|_| wait(&log, "the other child"));
            let failing = s.builder().context(handler(&log, "the child's"));
            failing.launch(|_| -> Result<()> {
                delay(ms(500))?;
                Err(Error::msg("line 3 is malformed"))
            });
            wait(&log, "the parent")
        })
    })
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    run_test(|s| {
        let context = s.context() + handler(&log, "the scope's");
        let scope = CoroutineScope::new(context + SupervisorJob::new());

        let import = family(&log, &scope);
        import.join()?;
        say!(log, "joined: the handler was called before");

        // The scope is a supervisor's: the next root runs.
        let own_log = log.clone();
        scope.launch(move |_| wait(&own_log, "the next")).join()?;

        // Not told: a cancellation, and the failure of an `async_`, which belongs to whoever awaits it.
        let cancelled = scope.launch(|_| delay(ms(1000)));
        cancelled.cancel_and_join()?;
        let value = scope.async_(|_| -> Result<u32> { Err(Error::msg("no value")) });
        say!(log, "awaited: {}", value.await_().unwrap_err());
        Ok(())
    })?;
    log.assert(&[
        "  500 ms  the other child: cancelled: line 3 is malformed",
        "  500 ms  the parent: cancelled: line 3 is malformed",
        "  500 ms  the scope's handler hears from import: line 3 is malformed",
        "  500 ms  joined: the handler was called before",
        " 1500 ms  the next: done",
        " 1500 ms  awaited: no value",
    ]);
    Ok(log)
}
