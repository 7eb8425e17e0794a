//! Failures on their way up.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Trace, attempt, boom, chain, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(exc_01_failure_cancels_siblings),
    scenario!(exc_02_unawaited_async_fails_scope),
    scenario!(exc_03_root_async_keeps_exception),
    scenario!(exc_04_catch_at_await_does_not_save_scope),
    scenario!(exc_08_finally_throws_during_cancel),
    scenario!(exc_09_body_throws_cancellation),
    scenario!(exc_10_try_around_launch),
    scenario!(exc_11_scope_rethrows_after_children),
    scenario!(exc_13_uncaught_without_handler),
    scenario!(exc_14_contained_by_try_around_scope),
];

fn exc_01_failure_cancels_siblings(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let caught = coroutine_scope(|s| {
            s.launch(|_| {
                let slept = delay(ms(1000));
                if let Err(error) = &slept {
                    t!(trace, "sibling cancelled: {}", chain(error));
                }
                slept
            });
            s.launch(|_| {
                delay(ms(20))?;
                t!(trace, "about to fail");
                boom("child")
            });
            t!(trace, "scope body done");
            Ok(())
        });
        match caught {
            Err(error) if error.is::<Boom>() => t!(trace, "caught {}", x(&error)),
            other => other?,
        }
        t!(trace, "outer goes on: isActive={}", s.is_active());
        Ok(())
    })
}

fn exc_02_unawaited_async_fails_scope(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let thrown = coroutine_scope(|s| {
            let _nobody_awaits_it = s.async_(|_| -> Result<()> {
                delay(ms(20))?;
                boom("async")
            });
            match delay(ms(1000)) {
                Ok(()) => t!(trace, "not reached"),
                Err(error) => {
                    t!(trace, "body sees {}", chain(&error));
                    return Err(error);
                }
            }
            Ok(())
        });
        match thrown {
            Err(error) if error.is::<Boom>() => t!(trace, "scope threw {}", x(&error)),
            other => other?,
        }
        Ok(())
    })
}

fn exc_03_root_async_keeps_exception(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        let scope = CoroutineScope::new(SupervisorJob::new());
        let d = scope.async_(|_| -> Result<i32> { boom("root async") });
        d.job().join()?;
        t!(trace, "joined: {}", st(&d.job()));
        attempt(trace, "await 1", || d.await_ref().copied());
        attempt(trace, "await 2", || d.await_());
        Ok(())
    })
}

fn exc_04_catch_at_await_does_not_save_scope(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        attempt(trace, "scope", || {
            coroutine_scope(|s| {
                let d = s.async_(|_| -> Result<i32> { boom("async") });
                if let Err(error) = d.await_() {
                    t!(trace, "caught at await: {}", x(&error));
                }
                t!(trace, "scope isActive={}", s.is_active());
                attempt(trace, "next suspension", || delay(ms(10)));
                Ok("result is dropped")
            })
        });
        Ok(())
    })
}

fn exc_08_finally_throws_during_cancel(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        attempt(trace, "scope", || {
            coroutine_scope(|s| {
                let j = s.launch(|_| {
                    let _ = delay(ms(1000));
                    boom("in finally")
                });
                yield_()?;
                j.cancel_with("please stop");
                j.join()?;
                t!(trace, "joined: {} scope active={}", st(&j), s.is_active());
                delay(ms(10))?;
                t!(trace, "not reached");
                Ok(())
            })
        });
        Ok(())
    })
}

fn exc_09_body_throws_cancellation(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        coroutine_scope(|s| {
            let a = s.launch(|_| Err(Error::cancelled_with("my own")));
            a.invoke_on_completion(|cause| t!(trace, "a completed with {}", x(cause)));
            s.launch(|_| {
                delay(ms(30))?;
                t!(trace, "sibling unharmed");
                Ok(())
            });
            a.join()?;
            t!(trace, "a: {} scope active={}", st(&a), s.is_active());
            Ok(())
        })?;
        t!(trace, "scope completed normally");
        Ok(())
    })
}

fn exc_10_try_around_launch(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        attempt(trace, "scope", || {
            coroutine_scope(|s| {
                // There is nothing that `launch` could fail with.
                let _: Job = s.launch(|_| boom("inside"));
                t!(trace, "launch returned");
                t!(trace, "body end");
                Ok(())
            })
        });
        Ok(())
    })
}

fn exc_11_scope_rethrows_after_children(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let thrown = coroutine_scope(|s| {
            s.launch(|_| {
                let slept = delay(ms(1000));
                non_cancellable(|_| delay(ms(180)))?;
                t!(trace, "slow cleanup done");
                slept
            });
            s.launch(|_| {
                delay(ms(60))?;
                t!(trace, "failing");
                boom("b")
            });
            Ok(())
        });
        match thrown {
            Err(error) if error.is::<Boom>() => t!(trace, "rethrown {}", x(&error)),
            other => other?,
        }
        Ok(())
    })
}

fn exc_13_uncaught_without_handler(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        let scope = CoroutineScope::new(SupervisorJob::new());
        let j = scope.launch(|s| {
            s.launch(|_| boom("nobody handles me"));
        });
        j.join()?;
        t!(trace, "after: {}", st(&j));
        scope.launch(|_| t!(trace, "still works")).join()
    })
}

fn exc_14_contained_by_try_around_scope(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|s| {
            let r = coroutine_scope(|s| {
                s.launch(|_| boom("inner"));
                delay(ms(1000))?;
                Ok("not reached")
            });
            let r = match r {
                Err(error) if error.is::<Boom>() => "fallback",
                other => other?,
            };
            t!(trace, "r={r} isActive={}", s.is_active());
            delay(ms(10))?;
            t!(trace, "went on");
            Ok(())
        });
        j.join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}
