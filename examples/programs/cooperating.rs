//! Program 15. Work that computes cannot be cancelled unless it asks: not at all, with `is_active`, `ensure_active`,
//! `yield_`; and how two such coroutines share a thread.
//!
//! In Kotlin: `while (i < 5) { compute() }`, then `while (isActive)`, `ensureActive()`, `yield()` in the loop.

use std::sync::Barrier;

use switchback::prelude::*;

use super::log::{Log, say};

const STEPS: u32 = 5;

/// What the work asks before each step. `false`: leave the loop, and end well.
type Ask = fn() -> Result<bool>;

const MANNERS: [(&str, Ask); 4] = [
    ("asks nothing", || Ok(true)),
    ("is_active", || Ok(is_active())),
    ("ensure_active", || ensure_active().map(|()| true)),
    ("yield_", || yield_().map(|()| true)),
];

/// Cancels work on another thread after its second step.
fn cancel_in_the_middle(log: &Log, manner: &str, ask: Ask) -> Result<()> {
    // The work stops at it before its third step, and goes on when it has been cancelled.
    let middle = [Barrier::new(2), Barrier::new(2)];
    let middle = &middle;
    coroutine_scope(|s| {
        let on_default = s.builder().dispatcher(Dispatchers::default());
        let work = on_default.launch(move |_| {
            let mut done = 0;
            let mut compute = || {
                while done < STEPS && ask()? {
                    done += 1;
                    if done == 2 {
                        middle[0].wait();
                        middle[1].wait();
                    }
                }
                Ok(())
            };
            let ended = compute();
            let how = if ended.is_ok() { "well" } else { "with an Err" };
            say!(log, "{manner}: {done} of {STEPS} steps, ends {how}");
            ended
        });
        middle[0].wait();
        work.cancel();
        middle[1].wait();
        work.join()?;
        assert!(work.is_cancelled() && work.is_completed());
        Ok(())
    })
}

/// Two coroutines on one thread, and who computes when.
fn share_a_thread(manner: &str, ask: Ask) -> Result<String> {
    let turns = std::sync::Mutex::new(Vec::new());
    run_blocking(|s| {
        for name in ["a", "b"] {
            let turns = &turns;
            s.launch(move |_| {
                for step in 1..=3 {
                    turns.lock().unwrap().push(format!("{name}{step}"));
                    ask()?;
                }
                Ok(())
            });
        }
        Ok(())
    })?;
    Ok(format!(
        "{manner}: {}",
        turns.into_inner().unwrap().join(" ")
    ))
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    for (manner, ask) in MANNERS {
        cancel_in_the_middle(&log, manner, ask)?;
    }
    for (manner, ask) in MANNERS {
        say!(log, "{}", share_a_thread(manner, ask)?);
    }
    log.assert(&[
        "asks nothing: 5 of 5 steps, ends well",
        "is_active: 2 of 5 steps, ends well",
        "ensure_active: 2 of 5 steps, ends with an Err",
        "yield_: 2 of 5 steps, ends with an Err",
        "asks nothing: a1 a2 a3 b1 b2 b3",
        "is_active: a1 a2 a3 b1 b2 b3",
        "ensure_active: a1 a2 a3 b1 b2 b3",
        "yield_: a1 b1 a2 b2 a3 b3",
    ]);
    Ok(log)
}
