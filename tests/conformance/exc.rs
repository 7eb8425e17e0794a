//! Failures on their way up.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Shown, Trace, attempt, boom, chain, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(exc_01_failure_cancels_siblings),
    scenario!(exc_02_unawaited_async_fails_scope),
    scenario!(exc_03_root_async_keeps_exception),
    scenario!(exc_04_catch_at_await_does_not_save_scope),
    scenario!(exc_05_handler_only_at_root),
    scenario!(exc_06_handler_ignores_cancellation),
    scenario!(exc_07_first_failure_wins_others_suppressed),
    scenario!(exc_08_finally_throws_during_cancel),
    scenario!(exc_09_body_throws_cancellation),
    scenario!(exc_10_try_around_launch),
    scenario!(exc_11_scope_rethrows_after_children),
    scenario!(
        exc_12_failed_singleton_scope_is_dead,
        differs: "Launch on a dead scope",
        "plain scope\n\
         write 1 done\n\
         write 1: active=false completed=true cancelled=false\n\
         handler: Boom(write 2)\n\
         write 2: active=false completed=true cancelled=true\n\
         LOG launched on a scope that has failed: Boom(write 2)\n\
         write 3: active=false completed=true cancelled=true\n\
         write 4: active=false completed=true cancelled=true\n\
         scope active=false\n\
         supervisor scope\n\
         write 1 done\n\
         write 1: active=false completed=true cancelled=false\n\
         handler: Boom(write 2)\n\
         write 2: active=false completed=true cancelled=true\n\
         write 3 done\n\
         write 3: active=false completed=true cancelled=false\n\
         write 4 done\n\
         write 4: active=false completed=true cancelled=false\n\
         scope active=true\n\
         END\n"
    ),
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
        let handler = CoroutineExceptionHandler::new(|_, e| {
            t!(trace, "handler must not be called {}", x(e));
        });
        let scope = CoroutineScope::new(SupervisorJob::new() + handler);
        let d = scope.async_(|_| -> Result<i32> { boom("root async") });
        d.join()?;
        t!(trace, "joined: {}", st(&d));
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

fn exc_05_handler_only_at_root(trace: &'static Trace) -> Result<()> {
    let root_handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "root handler: {}", x(e)));
    let child_handler = CoroutineExceptionHandler::new(|_, e| {
        t!(trace, "child handler must not be called: {}", x(e));
    });
    run_blocking(|_| {
        let scope = CoroutineScope::new(Job::by_hand() + root_handler);
        let root = scope.launch(|s| {
            s.builder().context(child_handler).launch(|_| {
                delay(ms(20))?;
                boom("from child")
            });
            let slept = delay(ms(1000));
            t!(trace, "root body cancelled");
            slept
        });
        root.join()?;
        t!(trace, "root: {}", st(&root));
        t!(trace, "scope job: active={}", scope.is_active());
        Ok(())
    })
}

fn exc_06_handler_ignores_cancellation(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler: {}", x(e)));
        let scope = CoroutineScope::new(SupervisorJob::new() + handler);
        let a = scope.launch(|_| delay(ms(1000)));
        a.cancel();
        a.join()?;
        let b = scope.launch(|_| Err(Error::cancelled_with("by hand")));
        b.join()?;
        let c = scope.launch(|_| boom("real"));
        c.join()?;
        t!(trace, "a {}", st(&a));
        t!(trace, "b {}", st(&b));
        t!(trace, "c {}", st(&c));
        Ok(())
    })
}

fn exc_07_first_failure_wins_others_suppressed(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let handler = CoroutineExceptionHandler::new(|_, e| {
            let suppressed: Vec<_> = e.suppressed().iter().map(x).collect();
            t!(trace, "handler: {} suppressed={}", x(e), suppressed.shown());
        });
        let scope = CoroutineScope::new(s.context() + handler);
        let j = scope.launch(|s| {
            s.launch(|_| {
                let _ = delay(ms(1000));
                boom("second")
            });
            s.launch(|_| {
                let _ = delay(ms(1000));
                non_cancellable(|_| delay(ms(40)))?;
                boom("third")
            });
            s.launch(|_| {
                delay(ms(30))?;
                boom("first")
            });
        });
        j.join()
    })
}

fn exc_12_failed_singleton_scope_is_dead(trace: &'static Trace) -> Result<()> {
    let trial = |title: &str, scope: CoroutineScope| {
        run_blocking(|_| {
            t!(trace, "{title}");
            for n in 1..=4 {
                let j = scope.launch(move |_| {
                    if n == 2 {
                        return boom("write 2");
                    }
                    t!(trace, "write {n} done");
                    Ok(())
                });
                j.join()?;
                t!(trace, "write {n}: {}", st(&j));
            }
            t!(trace, "scope active={}", scope.is_active());
            Ok(())
        })
    };
    let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler: {}", x(e)));
    let plain = Dispatchers::io() + handler.clone();
    trial("plain scope", CoroutineScope::new(plain))?;
    let supervised = Dispatchers::io() + SupervisorJob::new() + handler;
    trial("supervisor scope", CoroutineScope::new(supervised))
}
