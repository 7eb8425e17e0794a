//! The life of a job.

use std::collections::HashMap;

use switchback::CoroutineStart::Lazy;
use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Shown, Trace, attempt, boom, chain, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(job_01_launch_states),
    scenario!(job_02_lazy_start_results),
    scenario!(job_03_completing_waits_for_children),
    scenario!(job_04_cancelling_then_cancelled),
    scenario!(job_05_cancel_is_idempotent),
    scenario!(job_06_cancel_children_only),
    scenario!(job_07_plain_job_needs_complete),
    scenario!(job_08_complete_with_children),
    scenario!(job_09_launch_under_finished_job),
    scenario!(job_10_complete_exceptionally),
    scenario!(job_11_completion_handlers),
    scenario!(job_12_children_and_parent),
    scenario!(job_13_join_ignores_outcome),
    scenario!(job_14_cancel_and_join_waits),
    scenario!(job_15_cancel_new),
    scenario!(job_16_await_all_fails_fast),
    scenario!(
        job_17_completable_deferred,
        differs: "Somebody else's job that I await was cancelled",
        "complete: true\n\
         complete again: false\n\
         fail now: false\n\
         waiter 0 got one\n\
         waiter 1 got one\n\
         value stays one\n\
         await failed -> threw Boom(f)\n\
         failed: active=false completed=true cancelled=true\n\
         await cancelled -> threw AwaitedJobCancelled(cancelled: closed)\n\
         complete after cancel: false active=false completed=true cancelled=true\n\
         END\n"
    ),
];

fn job_01_launch_states(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|s| {
            t!(trace, "body starts: {}", st(&s.job()));
            delay(ms(30))?;
            t!(trace, "body ends");
            Ok(())
        });
        t!(trace, "after launch: {}", st(&j));
        yield_()?;
        t!(trace, "while suspended: {}", st(&j));
        j.join()?;
        t!(trace, "after join: {}", st(&j));
        Ok(())
    })
}

fn job_03_completing_waits_for_children(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let parent = s.launch(|s| {
            s.launch(|_| {
                delay(ms(180))?;
                t!(trace, "child ends");
                Ok(())
            });
            t!(trace, "parent body ends");
        });
        parent.invoke_on_completion(|cause| t!(trace, "parent completes, cause={}", x(cause)));
        delay(ms(60))?;
        let children = parent.children().len();
        t!(trace, "completing: {} children={children}", st(&parent));
        parent.join()?;
        let children = parent.children().len();
        t!(trace, "completed: {} children={children}", st(&parent));
        Ok(())
    })
}

fn job_04_cancelling_then_cancelled(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|s| {
            let slept = delay(ms(1000));
            t!(trace, "cleanup starts: isActive={}", s.is_active());
            non_cancellable(|_| delay(ms(120)))?;
            t!(trace, "cleanup ends");
            slept
        });
        yield_()?;
        j.cancel();
        t!(trace, "right after cancel: {}", st(&j));
        delay(ms(60))?;
        t!(trace, "cleaning up: {}", st(&j));
        j.join()?;
        t!(trace, "after join: {}", st(&j));
        Ok(())
    })
}

fn job_05_cancel_is_idempotent(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let a = s.launch(|_| delay(ms(1000)));
        a.invoke_on_completion(|cause| t!(trace, "a cause={}", x(cause)));
        yield_()?;
        a.cancel_with("first");
        a.cancel_with("second");
        a.join()?;
        a.cancel_with("third");
        t!(trace, "a: {}", st(&a));
        let b = s.launch(|_| ());
        b.join()?;
        b.cancel_with("too late");
        t!(trace, "b: {}", st(&b));
        Ok(())
    })
}

fn job_06_cancel_children_only(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let parent = Job::by_hand();
        let scope = CoroutineScope::new(s.context() + parent.clone());
        for n in 0..2 {
            scope.launch(move |_| {
                if let Err(error) = delay(ms(1000)) {
                    t!(trace, "child {n}: {}", x(&error));
                }
            });
        }
        yield_()?;
        parent.cancel_children_with("tidy up");
        t!(trace, "parent: {}", st(&parent));
        yield_()?;
        t!(trace, "children left: {}", parent.children().len());
        scope.launch(|_| t!(trace, "new child runs")).join()?;
        parent.complete();
        Ok(())
    })
}

fn job_08_complete_with_children(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let job = Job::by_hand();
        CoroutineScope::new(s.context() + job.clone()).launch(|_| {
            delay(ms(50))?;
            t!(trace, "child ends");
            Ok(())
        });
        job.invoke_on_completion(|cause| t!(trace, "job completes, cause={}", x(cause)));
        t!(trace, "complete: {}", job.complete());
        t!(trace, "now: {}", st(&job));
        t!(trace, "complete again: {}", job.complete());
        job.join()?;
        t!(trace, "after join: {}", st(&job));
        Ok(())
    })
}

fn job_12_children_and_parent(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let root = s.job();
        let jobs: Vec<Job> = (1..=3)
            .map(|n| s.launch(move |_| delay(ms(n * 120))))
            .collect();
        let names: HashMap<&Job, &str> = jobs.iter().zip(["c1", "c2", "c3"]).collect();
        let children = || -> String {
            let list: Vec<_> = root.children().iter().map(|child| names[child]).collect();
            list.shown()
        };
        t!(trace, "children: {}", children());
        let all = root.children();
        let all_ours = all.iter().all(|child| child.parent() == Some(root.clone()));
        t!(trace, "parent of each: {all_ours}");
        delay(ms(180))?;
        t!(trace, "after 180 ms: {}", children());
        delay(ms(300))?;
        t!(trace, "after 480 ms: {}", children());
        t!(trace, "root has parent: {}", root.parent().is_some());
        let parent_of_first = jobs[0].parent() == Some(root.clone());
        t!(trace, "parent of a finished child: {parent_of_first}");
        Ok(())
    })
}

fn job_14_cancel_and_join_waits(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|s| {
            s.launch(|_| {
                let slept = delay(ms(1000));
                non_cancellable(|_| delay(ms(180)))?;
                t!(trace, "child cleaned up");
                slept
            });
            let slept = delay(ms(1000));
            t!(trace, "parent body cleaned up");
            slept
        });
        yield_()?;
        yield_()?;
        j.cancel_and_join()?;
        t!(trace, "cancelAndJoin returned: {}", st(&j));
        Ok(())
    })
}

fn job_09_launch_under_finished_job(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let done = Job::by_hand();
        done.complete();
        let scope = CoroutineScope::new(s.context() + done);
        let a = scope.launch(|_| t!(trace, "must not run"));
        t!(trace, "under completed: {}", st(&a));
        a.join()?;
        t!(trace, "joined: {}", st(&a));
        let cancelled = Job::by_hand();
        cancelled.cancel_with("closed for today");
        let scope = CoroutineScope::new(s.context() + cancelled);
        let b = scope.launch(|_| t!(trace, "must not run"));
        b.invoke_on_completion(|cause| {
            t!(
                trace,
                "b cause chain: {}",
                cause.map_or_else(|| x(None), chain)
            );
        });
        b.join()?;
        t!(trace, "under cancelled: {}", st(&b));
        Ok(())
    })
}

fn job_02_lazy_start_results(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let a = s.builder().start(Lazy).launch(|_| t!(trace, "a runs"));
        t!(trace, "new: {}", st(&a));
        t!(trace, "first start: {}", a.start());
        t!(trace, "second start: {}", a.start());
        t!(trace, "started, body not run yet: {}", st(&a));
        a.join()?;
        t!(trace, "start after completion: {} {}", a.start(), st(&a));
        let b = s.builder().start(Lazy).async_(|_| {
            t!(trace, "b runs");
            Ok(7)
        });
        delay(ms(30))?;
        t!(trace, "b is still new: {}", st(&b.job()));
        t!(trace, "await started it: {}", b.await_()?);
        let c = s.builder().start(Lazy).launch(|_| t!(trace, "c runs"));
        c.join()?;
        t!(trace, "join started it: {}", st(&c));
        Ok(())
    })
}

fn job_15_cancel_new(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let j = s
            .builder()
            .start(Lazy)
            .launch(|_| t!(trace, "must not run"));
        j.invoke_on_completion(|cause| t!(trace, "completed with {}", x(cause)));
        j.cancel_with("no longer needed");
        t!(trace, "after cancel: {}", st(&j));
        t!(trace, "start: {}", j.start());
        j.join()?;
        t!(trace, "joined");
        Ok(())
    })
}

fn job_07_plain_job_needs_complete(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let job = Job::by_hand();
        let scope = CoroutineScope::new(s.context() + job.clone());
        scope.launch(|_| t!(trace, "child done")).join()?;
        t!(trace, "child is over: {}", st(&job));
        let in_time = with_timeout_or_none(ms(50), |_| {
            job.join()?;
            Ok("completed")
        })?;
        t!(trace, "join within 50 ms: {}", in_time.unwrap_or("null"));
        t!(trace, "complete: {}", job.complete());
        t!(trace, "complete again: {} {}", job.complete(), st(&job));
        let late = job.complete_exceptionally(Boom("late".into()));
        t!(
            trace,
            "completeExceptionally afterwards: {late} {}",
            st(&job)
        );
        Ok(())
    })
}

fn job_10_complete_exceptionally(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let job = Job::by_hand();
        let scope = CoroutineScope::new(s.context() + job.clone());
        scope.launch(|_| {
            let ended = delay(ms(1000));
            if let Err(error) = &ended {
                t!(trace, "child sees {}", chain(error));
            }
            ended
        });
        job.invoke_on_completion(|cause| t!(trace, "job cause={}", x(cause)));
        yield_()?;
        t!(
            trace,
            "completeExceptionally: {}",
            job.complete_exceptionally(Boom("disk".into()))
        );
        t!(trace, "before children ended: {}", st(&job));
        job.join()?;
        t!(trace, "after: {}", st(&job));
        Ok(())
    })
}

fn job_16_await_all_fails_fast(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        supervisor_scope(|s| {
            let slow = s.async_(|_| {
                delay(ms(360))?;
                t!(trace, "slow done");
                Ok(1)
            });
            let bad = s.async_(|_| {
                delay(ms(120))?;
                boom("bad")
            });
            attempt(trace, "awaitAll", || await_all([&slow, &bad]));
            let still = if slow.is_active() {
                "still active"
            } else {
                "over"
            };
            t!(trace, "slow is {still}");
            attempt(trace, "one by one", || {
                Ok(vec![slow.await_ref()?, bad.await_ref()?])
            });
            let two = s.async_(|_| Ok(2));
            let good = await_all([&slow, &two])?;
            t!(trace, "awaitAll of good ones: {}", good.shown());
            let none: [Deferred<'_, i32>; 0] = [];
            t!(trace, "empty awaitAll: {}", await_all(none)?.shown());
            Ok(())
        })
    })
}

fn job_17_completable_deferred(trace: &'static Trace) -> Result<()> {
    let d = CompletableDeferred::new();
    run_blocking(|s| {
        for n in 0..2 {
            let d = &d;
            s.launch(move |_| {
                t!(trace, "waiter {n} got {}", d.await_()?);
                Ok(())
            });
        }
        yield_()?;
        t!(trace, "complete: {}", d.complete("one"));
        t!(trace, "complete again: {}", d.complete("two"));
        let late = d.complete_exceptionally(Boom("late".into()));
        t!(trace, "fail now: {late}");
        yield_()?;
        t!(trace, "value stays {}", d.await_()?);
        let f = CompletableDeferred::<&str>::new();
        f.complete_exceptionally(Boom("f".into()));
        attempt(trace, "await failed", || f.await_());
        t!(trace, "failed: {}", st(&f));
        let c = CompletableDeferred::new();
        c.cancel_with("closed");
        attempt(trace, "await cancelled", || c.await_());
        let late = c.complete("x");
        t!(trace, "complete after cancel: {late} {}", st(&c));
        Ok(())
    })
}

fn job_11_completion_handlers(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| t!(trace, "body"));
        j.invoke_on_completion(|cause| t!(trace, "first handler {}", x(cause)));
        let h = j.invoke_on_completion(|_| t!(trace, "disposed handler must not run"));
        j.invoke_on_completion(|cause| t!(trace, "second handler {}", x(cause)));
        h.dispose();
        j.join()?;
        j.invoke_on_completion(|cause| t!(trace, "late handler {}", x(cause)));
        t!(trace, "after late registration");
        let c = s.launch(|_| delay(ms(1000)));
        c.invoke_on_completion(|cause| t!(trace, "cancelled handler {}", x(cause)));
        c.cancel_with("bye");
        c.join()?;
        let handler =
            CoroutineExceptionHandler::new(|_, e| t!(trace, "exception handler {}", x(e)));
        // Kept, since the last handle of a scope takes its coroutines with it.
        let scope = CoroutineScope::new(SupervisorJob::new() + handler);
        let f = scope.launch(|_| boom("f"));
        f.join()?;
        f.invoke_on_completion(|cause| t!(trace, "failed handler {}", x(cause)));
        Ok(())
    })
}

fn job_13_join_ignores_outcome(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let handler = CoroutineExceptionHandler::new(|_, e| t!(trace, "handler {}", x(e)));
        let scope = CoroutineScope::new(s.context() + SupervisorJob::new() + handler);
        let ok = scope.launch(|_| ());
        let bad = scope.launch(|_| boom("bad"));
        let cut = scope.launch(|_| delay(ms(1000)));
        cut.cancel();
        for (name, j) in [("ok", &ok), ("bad", &bad), ("cut", &cut)] {
            j.join()?;
            t!(trace, "{name}: {}", st(j));
        }
        join_all([ok, bad, cut])?;
        t!(trace, "joinAll returned");
        Ok(())
    })
}
