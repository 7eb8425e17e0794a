//! Contexts.

use switchback::new_single_thread_context;
use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Trace, attempt, boom, chain, dispatcher, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        ctx_01_scope_adds_job,
        refused: ["global_scope_cancelled"],
        without: [
            "GlobalScope has job: false isActive=true",
            "GlobalScope.cancel -> threw IllegalStateException"
        ]
    ),
    scenario!(ctx_02_plus_right_wins),
    scenario!(ctx_03_inheritance),
    scenario!(ctx_04_job_is_new_child),
    scenario!(ctx_05_foreign_job_breaks_tree),
    scenario!(ctx_06_run_blocking_waits_for_children),
    scenario!(ctx_07_run_blocking_fails_with_child),
    scenario!(ctx_08_with_context),
    scenario!(
        ctx_09_with_context_when_cancelled,
        refused: ["foreign_parent_for_a_block"],
        without: ["withContext(dead) -> threw CancellationException(dead)"]
    ),
    scenario!(
        ctx_10_scope_active_and_cancel,
        refused: ["owned_scope_without_a_job"],
        without: [
            "bare isActive=true",
            "bare.cancel -> threw IllegalStateException"
        ]
    ),
    scenario!(ctx_11_custom_element),
    scenario!(ctx_12_main_like_scope),
];

fn name() -> String {
    let context = current_context();
    context
        .get::<CoroutineName>()
        .map_or_else(|| "null".to_owned(), CoroutineName::to_string)
}

fn ctx_01_scope_adds_job(trace: &'static Trace) -> Result<()> {
    let a = CoroutineScope::new(CoroutineContext::empty());
    t!(trace, "has job: true {}", st(&a.job()));
    let mine = Job::by_hand();
    let b = CoroutineScope::new(CoroutineName::new("b") + mine.clone());
    let context = b.context();
    let name = context.get::<CoroutineName>().unwrap();
    t!(trace, "keeps mine: {} name={name}", b.job() == *mine);
    Ok(())
}

fn ctx_02_plus_right_wins(trace: &'static Trace) -> Result<()> {
    let is = |context: &CoroutineContext, dispatcher: Dispatcher| {
        context.get::<Dispatcher>() == Some(&dispatcher)
    };
    let name = |context: &CoroutineContext| {
        let name = context.get::<CoroutineName>();
        name.map_or_else(|| "null".to_owned(), CoroutineName::to_string)
    };
    let c = CoroutineName::new("left") + Dispatchers::io() + CoroutineName::new("right");
    t!(trace, "name={} io={}", name(&c), is(&c, Dispatchers::io()));
    let d = c.clone() + Dispatchers::default();
    let default = is(&d, Dispatchers::default());
    t!(trace, "default={default} name={}", name(&d));
    let e = d.minus::<CoroutineName>();
    t!(trace, "name after minusKey={} size={}", name(&e), e.len());
    // What has no identity is the same if it shows the same.
    let same = |context: CoroutineContext| format!("{context:?}") == format!("{c:?}");
    let empty = CoroutineContext::empty();
    let neutral = (same(c.clone() + empty.clone()), same(empty + c.clone()));
    t!(trace, "neutral: {} {}", neutral.0, neutral.1);
    let (j1, j2) = (Job::by_hand(), Job::by_hand());
    let both = (CoroutineName::new("n") + j1) + (j2.clone() + CoroutineName::new("m"));
    t!(trace, "job right wins: {}", both.job() == Some(&*j2));
    Ok(())
}

fn ctx_03_inheritance(trace: &'static Trace) -> Result<()> {
    run_blocking_with(CoroutineName::new("root"), |s| {
        s.launch(|_| t!(trace, "child: {}", name())).join()?;
        let own = s.builder().name("own").launch(|s| {
            t!(trace, "renamed: {}", name());
            s.launch(|_| t!(trace, "grandchild: {}", name())).join()?;
            coroutine_scope(|_| {
                t!(trace, "scope inside: {}", name());
                Ok(())
            })
        });
        own.join()?;
        t!(trace, "root: {}", name());
        let on_default = s.builder().dispatcher(Dispatchers::default()).launch(|s| {
            s.launch(|_| {
                let on_default = dispatcher() == "Default";
                t!(trace, "grandchild on default: {on_default}");
            });
        });
        on_default.join()
    })
}

fn ctx_04_job_is_new_child(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let root = s.job();
        let j = s.launch(move |s| {
            let mine = s.job();
            let parent_is_root = mine.parent().as_ref() == Some(&root);
            t!(
                trace,
                "own job: {} parent is root: {parent_is_root}",
                mine != root
            );
            coroutine_scope(|inner| {
                let s = inner.job();
                let parent_is_caller = s.parent().as_ref() == Some(&mine);
                t!(
                    trace,
                    "coroutineScope: own job {} parent is caller: {parent_is_caller}",
                    s != mine
                );
                inner.launch(move |_| {
                    let parent = current_job().unwrap().parent();
                    t!(trace, "child of the scope: {}", parent == Some(s));
                });
                Ok(())
            })?;
            with_context(CoroutineName::new("w"), |_| {
                let own = current_job().unwrap();
                let parent_is_caller = own.parent().as_ref() == Some(&mine);
                t!(
                    trace,
                    "withContext: own job {} parent is caller: {parent_is_caller}",
                    own != mine
                );
                Ok(())
            })?;
            with_timeout(ms(1000), |_| {
                let parent = current_job().unwrap().parent();
                t!(
                    trace,
                    "withTimeout: parent is caller: {}",
                    parent.as_ref() == Some(&mine)
                );
                Ok(())
            })
        });
        j.join()
    })
}

fn ctx_05_foreign_job_breaks_tree(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let foreign = Job::by_hand();
        let strays = foreign.clone();
        let parent = s.launch(move |s| {
            // A borrowing scope takes no foreign Job: only an owned one does.
            CoroutineScope::new(s.context() + strays).launch(|_| {
                delay(ms(240))?;
                t!(trace, "stray ends");
                Ok(())
            });
            s.launch(|_| {
                let slept = delay(ms(1000));
                t!(trace, "real child cancelled");
                slept
            });
        });
        delay(ms(60))?;
        parent.cancel_and_join()?;
        let strays = foreign.children();
        t!(
            trace,
            "parent is over: {}; stray running: {}",
            st(&parent),
            strays.len()
        );
        for stray in strays {
            stray.join()?;
        }
        Ok(())
    })
}

fn ctx_06_run_blocking_waits_for_children(trace: &'static Trace) -> Result<()> {
    let mut stray = None;
    let r = run_blocking(|s| {
        s.launch(|_| {
            delay(ms(40))?;
            t!(trace, "child ends");
            Ok(())
        });
        stray = Some(GlobalScope.launch(|_| {
            delay(ms(60_000))?;
            t!(trace, "must not be waited for");
            Ok(())
        }));
        t!(trace, "body ends");
        Ok("value")
    })?;
    t!(trace, "runBlocking returned {r}");
    if let Some(stray) = stray {
        stray.cancel();
    }
    Ok(())
}

fn ctx_07_run_blocking_fails_with_child(trace: &'static Trace) -> Result<()> {
    let thrown = run_blocking(|s| {
        s.launch(|_| {
            delay(ms(20))?;
            boom("child")
        });
        let slept = delay(ms(1000));
        if let Err(error) = &slept {
            t!(trace, "body sees {}", chain(error));
        }
        slept
    });
    match thrown {
        Err(error) if error.is::<Boom>() => t!(trace, "runBlocking threw {}", x(&error)),
        other => other?,
    }
    Ok(())
}

fn ctx_08_with_context(trace: &'static Trace) -> Result<()> {
    run_blocking_with(CoroutineName::new("outer"), |s| {
        let r = with_context(CoroutineName::new("inner"), |s| {
            t!(trace, "inside: {}", name());
            s.launch(|_| {
                delay(ms(30))?;
                t!(trace, "child of withContext: {}", name());
                Ok(())
            });
            Ok(5)
        })?;
        t!(trace, "returned {r}, name={}", name());
        attempt(trace, "failing child", || {
            with_context(CoroutineName::new("x"), |s| {
                s.launch(|_| boom("c"));
                Ok(1)
            })
        });
        t!(trace, "still active: {}", s.is_active());
        Ok(())
    })
}

fn ctx_09_with_context_when_cancelled(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let j = s.launch(|s| {
            s.job().cancel_with("me");
            attempt(trace, "withContext", || {
                with_context(CoroutineName::new("n"), |_| {
                    t!(trace, "must not run");
                    Ok(())
                })
            });
            attempt(trace, "NonCancellable", || {
                non_cancellable(|s| Ok(format!("ran, isActive={}", s.is_active())))
            });
        });
        j.join()?;
        t!(trace, "caller isActive={}", s.is_active());
        Ok(())
    })
}

fn ctx_10_scope_active_and_cancel(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let scope = CoroutineScope::new(s.context() + Job::by_hand());
        let a = scope.launch(|_| delay(ms(1000)));
        let b = scope.launch(|_| delay(ms(1000)));
        t!(trace, "active={}", scope.is_active());
        attempt(trace, "ensureActive", || scope.ensure_active());
        scope.cancel_with("scope closed");
        join_all([&a, &b])?;
        t!(
            trace,
            "active={} a cancelled={} b cancelled={}",
            scope.is_active(),
            a.is_cancelled(),
            b.is_cancelled()
        );
        attempt(trace, "ensureActive", || scope.ensure_active());
        Ok(())
    })
}

/// An element of the user's own.
#[derive(Debug)]
struct RequestId(u32);

impl Element for RequestId {}

fn request_id() -> String {
    let context = current_context();
    context
        .get::<RequestId>()
        .map_or_else(|| "null".to_owned(), |id| id.0.to_string())
}

fn ctx_11_custom_element(trace: &'static Trace) -> Result<()> {
    let others_ended = CompletableDeferred::new();
    run_blocking(|_| {
        t!(trace, "none: {}", request_id());
        with_context(CoroutineContext::of(RequestId(1)), |s| {
            t!(trace, "inside: {}", request_id());
            s.launch(|_| {
                others_ended.await_()?;
                t!(trace, "child: {}", request_id());
                Ok(())
            });
            let overriding = s.builder().context(CoroutineContext::of(RequestId(2)));
            overriding
                .async_(|_| {
                    t!(trace, "overridden: {}", request_id());
                    Ok(())
                })
                .await_()?;
            coroutine_scope(|_| {
                with_context(Dispatchers::default(), |_| {
                    t!(trace, "other dispatcher: {}", request_id());
                    Ok(())
                })
            })?;
            others_ended.complete(());
            Ok(())
        })?;
        t!(trace, "after: {}", request_id());
        Ok(())
    })
}

fn ctx_12_main_like_scope(trace: &'static Trace) -> Result<()> {
    let ui = new_single_thread_context("ui")?;
    let dialog = CoroutineExceptionHandler::new(|_, e| t!(trace, "error dialog: {}", x(e)));
    let scope = CoroutineScope::new(SupervisorJob::new() + ui.dispatcher() + dialog);
    let loaded = CompletableDeferred::new();
    run_blocking(|_| {
        let loading = loaded.clone();
        let click_1 = scope.launch(move |_| {
            t!(trace, "click 1 start");
            loading.await_()?;
            t!(trace, "click 1 end");
            Ok(())
        });
        let click_2 = scope.launch(|_| {
            t!(trace, "click 2 fails");
            boom("click 2")
        });
        click_2.join()?;
        loaded.complete(());
        click_1.join()?;
        scope.launch(|_| t!(trace, "click 3")).join()?;
        scope.cancel();
        scope.launch(|_| t!(trace, "must not run")).join()?;
        t!(trace, "active={}", scope.is_active());
        Ok(())
    })?;
    ui.close();
    Ok(())
}
