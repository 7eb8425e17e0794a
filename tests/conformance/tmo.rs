//! Timeouts.

use std::time::Duration;

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, attempt, boom, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        tmo_01_throws,
        differs: "Timeout",
        "body sees TimeoutCancellationException(Timed out waiting for 50 ms)\n\
         caught TimeoutCancellationException(Timed out waiting for 50 ms); is cancellation: false\n\
         caller isActive=true\n\
         in time: value\n\
         END\n"
    ),
    scenario!(tmo_02_or_null),
    scenario!(tmo_03_nested),
    scenario!(tmo_04_zero_or_negative),
    scenario!(tmo_05_cancels_children_first),
    scenario!(tmo_06_immediate_body),
    scenario!(
        tmo_07_leaks_silently_from_launch,
        differs: "Timeout",
        "THREW TimeoutCancellationException(Timed out waiting for 30 ms)\n"
    ),
    scenario!(tmo_08_timeout_inside_non_cancellable),
];

fn tmo_01_throws(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let late = with_timeout(ms(50), |_| {
            let slept = delay(ms(1000));
            if let Err(error) = &slept {
                t!(trace, "body sees {}", x(error));
            }
            slept
        });
        match late {
            Err(error) if error.is_timeout() => {
                let is_cancellation = error.is_cancelled();
                t!(
                    trace,
                    "caught {}; is cancellation: {is_cancellation}",
                    x(&error)
                );
            }
            other => other?,
        }
        t!(trace, "caller isActive={}", s.is_active());
        let in_time = with_timeout(ms(500), |_| {
            delay(ms(10))?;
            Ok("value")
        })?;
        t!(trace, "in time: {in_time}");
        Ok(())
    })
}

fn tmo_02_or_null(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let late = with_timeout_or_none(ms(40), |_| {
            delay(ms(1000))?;
            Ok(1)
        })?;
        t!(trace, "late: {}", late.shown());
        let in_time = with_timeout_or_none(ms(500), |_| {
            delay(ms(10))?;
            Ok(2)
        })?;
        t!(trace, "in time: {}", in_time.shown());
        attempt(trace, "failing", || -> Result<Option<()>> {
            with_timeout_or_none(ms(500), |_| boom("body"))
        });
        t!(trace, "isActive={}", s.is_active());
        Ok(())
    })
}

fn tmo_03_nested(trace: &'static Trace) -> Result<()> {
    let too_long = |_: &Scope<'_, '_>| {
        delay(ms(10_000))?;
        Ok("inner value")
    };
    run_test(|_| {
        let a = with_timeout_or_none(ms(50), |_| {
            let inner = with_timeout_or_none(ms(5000), too_long)?;
            t!(trace, "not reached: {}", inner.shown());
            Ok("outer value")
        })?;
        t!(trace, "outer fired first: {}", a.shown());
        let b = with_timeout_or_none(ms(5000), |_| {
            let inner = with_timeout_or_none(ms(50), too_long)?;
            Ok(format!("outer value with inner {}", inner.shown()))
        })?;
        t!(trace, "inner fired first: {}", b.shown());
        attempt(trace, "inner withTimeout in outer OrNull", || {
            with_timeout_or_none(ms(5000), |_| with_timeout(ms(50), too_long))
        });
        Ok(())
    })
}

fn tmo_04_zero_or_negative(trace: &'static Trace) -> Result<()> {
    // The time that is left until a moment in the past: with our durations that is the nearest to a negative one.
    let negative = Duration::ZERO.saturating_sub(ms(1));
    let body = |_: &Scope<'_, '_>| {
        t!(trace, "must not run");
        Ok(())
    };
    run_test(|_| {
        attempt(trace, "withTimeout(0)", || with_timeout(ms(0), body));
        attempt(trace, "withTimeout(-1)", || with_timeout(negative, body));
        attempt(trace, "withTimeoutOrNull(0)", || {
            with_timeout_or_none(ms(0), body)
        });
        attempt(trace, "withTimeoutOrNull(-1)", || {
            with_timeout_or_none(negative, body)
        });
        Ok(())
    })
}

fn tmo_05_cancels_children_first(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        attempt(trace, "withTimeout", || {
            with_timeout(ms(150), |s| {
                s.launch(|_| {
                    let slept = delay(ms(1000));
                    non_cancellable(|_| delay(ms(150)))?;
                    t!(trace, "child cleaned up");
                    slept
                });
                t!(trace, "body ends");
                Ok("value")
            })
        });
        Ok(())
    })
}

fn tmo_06_immediate_body(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        s.launch(|_| t!(trace, "other coroutine"));
        let r = with_timeout(ms(1000), |_| {
            t!(trace, "body");
            Ok(3)
        })?;
        t!(trace, "got {r} before the other one ran");
        Ok(())
    })
}

fn tmo_07_leaks_silently_from_launch(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        coroutine_scope(|s| {
            let j = s.launch(|_| {
                with_timeout(ms(30), |_| delay(ms(1000)))?;
                t!(trace, "not reached");
                Ok(())
            });
            s.launch(|_| {
                delay(ms(80))?;
                t!(trace, "sibling ends");
                Ok(())
            });
            j.join()?;
            t!(trace, "j: {} scope active={}", st(&j), s.is_active());
            Ok(())
        })?;
        t!(trace, "scope ended normally");
        Ok(())
    })
}

fn tmo_08_timeout_inside_non_cancellable(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| {
            let slept = delay(ms(1000));
            non_cancellable(|_| {
                let r = with_timeout_or_none(ms(40), |_| {
                    delay(ms(1000))?;
                    Ok("closed cleanly")
                })?;
                t!(trace, "cleanup: {}", r.shown());
                let quick = with_timeout_or_none(ms(400), |_| {
                    delay(ms(10))?;
                    Ok("closed cleanly")
                })?;
                t!(trace, "quick: {}", quick.shown());
                Ok(())
            })?;
            slept
        });
        yield_()?;
        j.cancel_and_join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}
