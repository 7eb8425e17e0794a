//! Supervision.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, attempt, boom, chain, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(sup_02_body_failure_cancels_children),
    scenario!(sup_05_partial_results),
    scenario!(sup_07_scope_waits_and_follows_caller),
];

fn sup_02_body_failure_cancels_children(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        attempt(trace, "scope", || -> Result<()> {
            supervisor_scope(|s| {
                s.launch(|_| {
                    let slept = delay(ms(1000));
                    if let Err(error) = &slept {
                        t!(trace, "child cancelled: {}", chain(error));
                    }
                    slept
                });
                delay(ms(20))?;
                boom("body")
            })
        });
        t!(trace, "outer isActive={}", s.is_active());
        Ok(())
    })
}

fn sup_05_partial_results(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let r = supervisor_scope(|s| {
            let parts: Vec<_> = [30, 10, 20]
                .into_iter()
                .enumerate()
                .map(|(i, time)| {
                    s.async_(move |_| {
                        delay(ms(time))?;
                        if i == 1 {
                            return boom(format!("part {i}"));
                        }
                        Ok(format!("part {i}"))
                    })
                })
                .collect();
            let shown = |part: Deferred<'_, String>| {
                part.await_()
                    .unwrap_or_else(|error| format!("<{}>", x(&error)))
            };
            Ok(parts.into_iter().map(shown).collect::<Vec<_>>())
        })?;
        t!(trace, "{}", r.shown());
        Ok(())
    })
}

fn sup_07_scope_waits_and_follows_caller(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        supervisor_scope(|s| {
            s.launch(|_| {
                delay(ms(90))?;
                t!(trace, "child 1 ends");
                Ok(())
            });
            t!(trace, "body ends");
            Ok(())
        })?;
        t!(trace, "scope returned");
        let j = s.launch(|_| {
            supervisor_scope(|s| {
                s.launch(|_| {
                    let slept = delay(ms(1000));
                    t!(trace, "child 2 cancelled");
                    slept
                });
                t!(trace, "body 2 ends");
                Ok(())
            })?;
            t!(trace, "not reached");
            Ok(())
        });
        delay(ms(60))?;
        j.cancel_and_join()?;
        t!(trace, "done {}", st(&j));
        Ok(())
    })
}
