//! Small applications.

use std::sync::atomic::{AtomicU32, Ordering};

use switchback::prelude::*;
use switchback::testing::run_test;

use super::streams::{app_07_pipeline, app_08_worker_pool, app_09_crawler, app_11_actor_counter};
use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Shown, Trace, attempt, boom, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(app_01_parallel_fetch),
    scenario!(app_02_dashboard_partial_failure),
    scenario!(app_03_retry_with_timeouts),
    scenario!(app_04_background_cache_write),
    scenario!(app_05_component_start_stop),
    scenario!(app_06_transaction),
    scenario!(app_07_pipeline),
    scenario!(app_08_worker_pool),
    scenario!(app_09_crawler),
    scenario!(app_10_periodic_maintenance),
    scenario!(app_11_actor_counter),
];

fn app_01_parallel_fetch(trace: &'static Trace) -> Result<()> {
    let fetch = |what: &'static str, time: u64, ok: bool| {
        if let Err(cancelled) = delay(ms(time)) {
            t!(trace, "{what} cancelled");
            return Err(cancelled);
        }
        if !ok {
            return boom(format!("{what} not available"));
        }
        t!(trace, "{what} fetched");
        Ok(what)
    };
    let page = |user_ok| {
        coroutine_scope(|s| {
            let user = s.async_(move |_| fetch("user", 60, user_ok));
            let orders = s.async_(move |_| fetch("orders", 180, true));
            let ads = s.async_(move |_| fetch("ads", 120, true));
            Ok(format!(
                "page({}, {}, {})",
                user.await_()?,
                orders.await_()?,
                ads.await_()?
            ))
        })
    };
    run_test(|_| {
        t!(trace, "{}", page(true)?);
        attempt(trace, "second request", || page(false));
        Ok(())
    })
}

fn app_02_dashboard_partial_failure(trace: &'static Trace) -> Result<()> {
    fn widget(name: &str) -> Result<String> {
        delay(ms(60))?;
        if name == "news" {
            return boom("news down");
        }
        if name == "map" {
            delay(ms(5000))?;
        }
        Ok(format!("[{name}]"))
    }
    run_test(|_| {
        let r = supervisor_scope(|s| {
            let widgets: Vec<_> = ["weather", "news", "map", "mail"]
                .into_iter()
                .map(|name| {
                    (
                        name,
                        s.async_(move |_| with_timeout(ms(300), |_| widget(name))),
                    )
                })
                .collect();
            let mut shown = Vec::new();
            for (name, loaded) in widgets {
                shown.push(match loaded.await_() {
                    Ok(widget) => widget,
                    Err(error) if error.is_timeout() => format!("[{name}: too slow]"),
                    Err(error) => match error.downcast_ref::<Boom>() {
                        Some(Boom(message)) => format!("[{name}: {message}]"),
                        None => return Err(error),
                    },
                });
            }
            Ok(shown)
        })?;
        t!(trace, "{}", r.join(" "));
        Ok(())
    })
}

fn app_03_retry_with_timeouts(trace: &'static Trace) -> Result<()> {
    fn retry<T>(
        trace: &Trace,
        times: usize,
        limit: u64,
        operation: impl Fn() -> Result<T>,
    ) -> Result<T> {
        let mut pause = 10;
        for _ in 1..times {
            match with_timeout(ms(limit), |_| operation()) {
                Ok(value) => return Ok(value),
                Err(error) if error.is_timeout() => t!(trace, "timed out"),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => t!(trace, "failed: {}", x(&error)),
            }
            delay(ms(pause))?;
            pause *= 2;
        }
        operation()
    }
    let calls = AtomicU32::new(0);
    let flaky = || {
        let n = calls.fetch_add(1, Ordering::Relaxed) + 1;
        t!(trace, "call {n}");
        match n {
            1 => delay(ms(5000))?,
            2 => return boom("refused"),
            _ => {}
        }
        delay(ms(10))?;
        Ok(format!("answer of call {n}"))
    };
    run_test(|s| {
        t!(trace, "{}", retry(trace, 4, 50, flaky)?);
        let j = s.launch(|_| {
            let ended = retry(trace, 10, 1000, || {
                t!(trace, "long call");
                delay(ms(800))
            });
            t!(trace, "left without retrying");
            ended
        });
        delay(ms(30))?;
        j.cancel_and_join()
    })
}

/// A component that owns its scope, and is told where to run.
struct Poller {
    name: &'static str,
    context: CoroutineContext,
    scope: Option<CoroutineScope>,
    trace: &'static Trace,
}

impl Poller {
    fn start(&mut self) {
        let (name, trace) = (self.name, self.trace);
        if self.scope.as_ref().is_some_and(CoroutineScope::is_active) {
            t!(trace, "{name} already running");
            return;
        }
        let scope = CoroutineScope::new(self.context.clone() + SupervisorJob::new());
        scope.launch(move |_| {
            let mut n = 0;
            let poll = || -> Result<()> {
                loop {
                    t!(trace, "{name} poll {n}");
                    n += 1;
                    delay(ms(150))?;
                }
            };
            let left = { poll }();
            t!(trace, "{name} loop left");
            left
        });
        self.scope = Some(scope);
    }

    fn stop(&self) -> Result<()> {
        if let Some(scope) = &self.scope {
            scope.job().cancel_and_join()?;
        }
        t!(self.trace, "{} stopped", self.name);
        Ok(())
    }
}

fn app_05_component_start_stop(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let mut p = Poller {
            name: "p",
            context: s.context(),
            scope: None,
            trace,
        };
        p.start();
        delay(ms(225))?;
        p.start();
        p.stop()?;
        p.stop()?;
        p.start();
        delay(ms(75))?;
        p.stop()
    })
}

fn app_06_transaction(trace: &'static Trace) -> Result<()> {
    fn transaction<T>(trace: &Trace, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        t!(trace, "{name} begin");
        let result = work();
        non_cancellable(|_| {
            delay(ms(10))?;
            t!(
                trace,
                "{name} {}",
                if result.is_ok() { "commit" } else { "rollback" }
            );
            delay(ms(10))?;
            t!(trace, "{name} connection returned");
            Ok(())
        })?;
        result
    }
    run_test(|s| {
        let r1 = transaction(trace, "t1", || {
            delay(ms(10))?;
            Ok("r1")
        })?;
        t!(trace, "{r1}");
        attempt(trace, "t2", || -> Result<()> {
            transaction(trace, "t2", || {
                delay(ms(10))?;
                boom("constraint")
            })
        });
        let j = s.launch(|_| transaction(trace, "t3", || delay(ms(1000))));
        delay(ms(20))?;
        j.cancel_and_join()?;
        let t4 = with_timeout_or_none(ms(30), |_| transaction(trace, "t4", || delay(ms(1000))))?;
        t!(trace, "t4: {}", t4.shown());
        Ok(())
    })
}

fn app_10_periodic_maintenance(trace: &'static Trace) -> Result<()> {
    fn pass(trace: &Trace, n: u32) -> Result<()> {
        t!(trace, "pass {n} starts");
        if n == 2 {
            return boom(format!("pass {n}"));
        }
        non_cancellable(|_| {
            delay(ms(150))?;
            t!(trace, "pass {n} compacted");
            Ok(())
        })
    }
    run_test(|s| {
        let service = CoroutineScope::new(s.context() + SupervisorJob::new());
        let maintenance = service.launch(|s| {
            let mut n = 0;
            let mut passes = || {
                while s.is_active() {
                    delay(ms(100))?;
                    n += 1;
                    match pass(trace, n) {
                        Err(error) if error.is::<Boom>() => t!(trace, "log {}", x(&error)),
                        other => other?,
                    }
                }
                Ok(())
            };
            let ended = passes();
            t!(trace, "maintenance ends after {n} passes");
            ended
        });
        delay(ms(100 + 150 + 100 + 100 + 75))?;
        t!(trace, "shutdown");
        maintenance.cancel_and_join()?;
        service.cancel();
        t!(trace, "service active={}", service.is_active());
        Ok(())
    })
}

/// Answers at once, and writes to its cache afterwards, in a scope that outlives the request.
struct Repository {
    app: CoroutineScope,
    trace: &'static Trace,
}

impl Repository {
    fn load(&self, id: i32) -> Result<String> {
        delay(ms(30))?;
        let value = format!("item {id}");
        let (written, trace) = (value.clone(), self.trace);
        self.app.launch(move |_| {
            delay(ms(180))?;
            if id == 2 {
                return boom("cache full");
            }
            t!(trace, "cached {written}");
            Ok(())
        });
        Ok(value)
    }
}

fn app_04_background_cache_write(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let log = CoroutineExceptionHandler::new(|_, e| t!(trace, "log: {}", x(e)));
        let app = CoroutineScope::new(s.context() + SupervisorJob::new() + log);
        let repo = std::sync::Arc::new(Repository {
            app: app.clone(),
            trace,
        });
        let asked = repo.clone();
        let request = s.launch(move |_| {
            t!(trace, "answer {}", asked.load(1)?);
            delay(ms(1000))
        });
        delay(ms(120))?;
        request.cancel_and_join()?;
        t!(trace, "request over");
        delay(ms(240))?;
        t!(trace, "answer {}", repo.load(2)?);
        delay(ms(300))?;
        t!(trace, "answer {}", repo.load(3)?);
        join_all(app.job().children())?;
        app.cancel();
        Ok(())
    })
}
