//! Supervision.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, attempt, boom, chain, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(sup_01_children_are_isolated),
    scenario!(sup_02_body_failure_cancels_children),
    scenario!(sup_03_child_handler_is_used),
    scenario!(sup_04_only_direct_children_are_isolated),
    scenario!(sup_05_partial_results),
    scenario!(sup_06_cancel_goes_down_only),
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

fn sup_01_children_are_isolated(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler: {}", x(e)));
        with_context(handler, |_| {
            let r = supervisor_scope(|s| {
                s.launch(|_| {
                    delay(ms(60))?;
                    boom("one")
                });
                s.launch(|_| {
                    delay(ms(120))?;
                    boom("two")
                });
                s.launch(|_| {
                    delay(ms(180))?;
                    t!(trace, "three is fine");
                    Ok(())
                });
                Ok("result")
            })?;
            t!(trace, "scope returned {r}");
            Ok(())
        })
    })
}

fn sup_03_child_handler_is_used(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        supervisor_scope(|s| {
            let h = CoroutineExceptionHandler::new(|_, e| t!(trace, "own handler: {}", x(e)));
            let handled = s.builder().context(h).launch(|s| {
                s.launch(|_| boom("grandchild"));
            });
            handled.join()?;
            s.launch(|_| boom("no handler")).join()?;
            t!(trace, "scope isActive={}", s.is_active());
            Ok(())
        })
    })
}

fn sup_04_only_direct_children_are_isolated(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler: {}", x(e)));
        with_context(handler, |_| {
            supervisor_scope(|s| {
                let a = s.launch(|s| {
                    s.launch(|_| {
                        let slept = delay(ms(1000));
                        t!(trace, "a.1 cancelled");
                        slept
                    });
                    s.launch(|_| {
                        delay(ms(60))?;
                        boom("a.2")
                    });
                });
                let b = s.launch(|_| {
                    delay(ms(180))?;
                    t!(trace, "b unharmed");
                    Ok(())
                });
                join_all([&a, &b])?;
                t!(trace, "a: {}", st(&a));
                t!(trace, "b: {}", st(&b));
                Ok(())
            })
        })
    })
}

fn sup_06_cancel_goes_down_only(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let sup = SupervisorJob::new();
        let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler {}", x(e)));
        let scope = CoroutineScope::new(s.context() + sup.clone() + handler);
        let a = scope.launch(|_| delay(ms(1000)));
        let b = scope.launch(|_| boom("b"));
        let c = scope.launch(|_| {
            if let Err(error) = delay(ms(1000)) {
                t!(trace, "c cancelled: {}", x(&error));
            }
        });
        a.cancel();
        join_all([a, b])?;
        t!(trace, "after one cancel and one failure: {}", st(&sup));
        sup.cancel_with("closing");
        c.join()?;
        t!(trace, "after cancel: {}", st(&sup));
        scope.launch(|_| t!(trace, "must not run")).join()
    })
}
