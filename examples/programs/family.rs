//! Program 4. Who waits for whom: a parent for its child, a child for the grandchild, and nobody for a coroutine of the
//! global scope.
//!
//! In Kotlin: `launch { launch { launch { delay(3000) }; delay(2000) }; delay(1000) }`, then the same with
//! `GlobalScope.launch`, where `main` returns and the program is over.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

pub fn run() -> Result<Log> {
    let log = Log::timed();
    say!(log, "- a family");
    a_family(&log)?;
    say!(log, "- without a parent");
    without_a_parent(&log)?;
    log.assert(&[
        "    0 ms  - a family",
        "    0 ms  main has launched the parent",
        " 1000 ms  the parent's body ends",
        " 2000 ms  the child's body ends",
        " 3000 ms  the grandchild ends",
        " 3000 ms  the parent has completed",
        "    0 ms  - without a parent",
        "    0 ms  main has launched it",
        "    0 ms  the program ends, and it would run on: true",
    ]);
    Ok(log)
}

fn a_family(log: &Log) -> Result<()> {
    run_test(|s| {
        let parent = s.launch(|s| {
            s.launch(|s| {
                s.launch(|_| {
                    delay(ms(3000))?;
                    say!(log, "the grandchild ends");
                    Ok(())
                });
                delay(ms(2000))?;
                say!(log, "the child's body ends");
                Ok(())
            });
            delay(ms(1000))?;
            say!(log, "the parent's body ends");
            Ok(())
        });
        say!(log, "main has launched the parent");
        parent.join()?;
        say!(log, "the parent has completed");
        Ok(())
    })
}

fn without_a_parent(log: &Log) -> Result<()> {
    let stray = run_test(|_| {
        let own_log = log.clone();
        let stray = GlobalScope.launch(move |_| {
            delay(ms(60_000))?;
            say!(own_log, "nobody gets to see this");
            Ok(())
        });
        say!(log, "main has launched it");
        Ok(stray)
    })?;
    say!(
        log,
        "the program ends, and it would run on: {}",
        stray.is_active()
    );
    // Here other programs follow in the same process, so we do end it.
    stray.cancel_and_join()
}
