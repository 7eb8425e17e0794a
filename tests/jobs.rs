//! The interface of jobs: handlers, causes, values without a coroutine, waiting for many.

use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::testing::run_test;

type Log = Arc<Mutex<Vec<String>>>;

fn log() -> Log {
    Log::default()
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn say(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

#[test]
fn an_on_cancelling_handler_is_called_by_the_canceller_and_a_completion_handler_at_the_end() {
    let lines = log();
    run_test(|s| {
        let job = s.launch(|s| {
            s.launch(|_| non_cancellable(|_| delay(ms(10))));
            await_cancellation()
        });
        yield_()?;
        yield_()?;
        let (early, late, gone) = (lines.clone(), lines.clone(), lines.clone());
        job.invoke_on_cancelling(move |cause| {
            say(&early, format!("cancelling: {}", cause.unwrap()));
        });
        job.invoke_on_completion(move |cause| {
            say(&late, format!("completed: {}", cause.unwrap()));
        });
        job.invoke_on_cancelling(move |_| say(&gone, "never"))
            .dispose();
        job.cancel_with("enough");
        say(&lines, "cancel has returned");
        job.join()?;
        say(&lines, "joined");
        let late = lines.clone();
        job.invoke_on_cancelling(move |cause| say(&late, format!("late: {}", cause.unwrap())));
        Ok(())
    })
    .unwrap();
    assert_eq!(
        taken(&lines),
        [
            "cancelling: cancelled: enough",
            "cancel has returned",
            "completed: cancelled: enough",
            "joined",
            "late: cancelled: enough"
        ]
    );
}

#[test]
fn an_on_cancelling_handler_of_a_child_hears_of_the_parents_failure_and_of_success_nothing() {
    let lines = log();
    let result: Result<()> = run_test(|s| {
        let child = s.launch(|_| await_cancellation());
        let (told, fine) = (lines.clone(), lines.clone());
        child.invoke_on_cancelling(move |cause| {
            let cause = cause.unwrap();
            let root = cause.downcast_ref::<Cancelled>().unwrap().cause().unwrap();
            say(&told, format!("child: {root}"));
        });
        let quick = s.launch(|_| ());
        quick.invoke_on_cancelling(move |cause| say(&fine, format!("quick: {}", cause.is_none())));
        quick.join()?;
        Err(Error::msg("the body"))
    });
    assert_eq!(result.unwrap_err().to_string(), "the body");
    assert_eq!(taken(&lines), ["quick: true", "child: the body"]);
}

#[test]
fn await_all_fails_at_the_first_failure_in_time() {
    let took = run_test(|_| {
        let failed = supervisor_scope(|s| {
            let slow = s.async_(|_| {
                delay(ms(1000))?;
                Ok(1)
            });
            let bad = s.async_(|_| -> Result<i32> {
                delay(ms(10))?;
                Err(Error::msg("bad"))
            });
            let failure = await_all([slow, bad]).unwrap_err();
            Ok((failure.to_string(), switchback::testing::current_time()))
        })?;
        assert_eq!(failed, ("bad".to_owned(), ms(10)));
        Ok(switchback::testing::current_time())
    })
    .unwrap();
    assert_eq!(took, ms(1000));
}

#[test]
fn await_all_gives_the_values_in_the_order_of_the_list_and_starts_lazy_ones() {
    let values = run_test(|s| {
        let lazy = s.builder().start(CoroutineStart::Lazy).async_(|_| {
            delay(ms(20))?;
            Ok("lazy")
        });
        let quick = s.async_(|_| Ok("quick"));
        await_all([lazy, quick])
    });
    assert_eq!(values.unwrap(), ["lazy", "quick"]);
    let none: Result<Vec<()>> = run_test(|_| await_all(Vec::<Deferred<()>>::new()));
    assert_eq!(none.unwrap(), []);
}

#[test]
fn await_all_is_cancelled_with_its_caller_and_leaves_the_others_alone() {
    run_test(|s| {
        let never = CompletableDeferred::<i32>::new();
        let waits = never.clone();
        let job = s.launch(move |_| {
            let cancelled = await_all([waits]).unwrap_err();
            assert!(cancelled.is_cancelled());
        });
        yield_()?;
        job.cancel_and_join()?;
        assert!(never.is_active());
        assert!(never.complete(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn await_all_prefers_the_failure_that_has_cancelled_the_waiter() {
    let failure = run_test(|_| {
        let mut seen = None;
        let scope = coroutine_scope(|s| {
            let bad = s.async_(|_| -> Result<i32> {
                delay(ms(5))?;
                Err(Error::msg("bad"))
            });
            let fine = s.async_(|_| {
                delay(ms(50))?;
                Ok(1)
            });
            seen = await_all([fine, bad]).err().map(|error| error.to_string());
            Ok(())
        });
        assert_eq!(scope.unwrap_err().to_string(), "bad");
        Ok(seen)
    });
    assert_eq!(failure.unwrap().as_deref(), Some("bad"));
}

#[test]
fn a_completable_deferred_takes_its_first_outcome_only() {
    let value = CompletableDeferred::new();
    assert!(value.get_completed().is_none());
    assert!(value.complete(1));
    assert!(!value.complete(2));
    assert!(!value.complete_exceptionally(Error::msg("late")));
    value.cancel();
    assert_eq!(*value.get_completed().unwrap().unwrap(), 1);
    assert_eq!(value.await_().unwrap(), 1);

    let failed = CompletableDeferred::<i32>::new();
    assert!(failed.complete_exceptionally(Error::msg("no")));
    assert!(!failed.complete(1));
    assert_eq!(failed.await_().unwrap_err().to_string(), "no");
    assert_eq!(
        failed.get_completed().unwrap().unwrap_err().to_string(),
        "no"
    );

    let cancelled = CompletableDeferred::<i32>::new();
    cancelled.cancel();
    assert!(!cancelled.complete(1));
    let error = cancelled.await_().unwrap_err();
    assert!(
        !error.is_cancelled(),
        "somebody else's cancellation is an ordinary error: {error}"
    );
}

#[test]
fn a_completable_deferred_is_completed_once_by_many_threads() {
    for _ in 0..200 {
        let value = CompletableDeferred::new();
        let wins: usize = std::thread::scope(|threads| {
            let racers: Vec<_> = (0..4)
                .map(|me| {
                    let value = value.clone();
                    threads.spawn(move || match me {
                        3 => {
                            value.cancel();
                            0
                        }
                        2 => usize::from(value.complete_exceptionally(Error::msg("2"))),
                        _ => usize::from(value.complete(me)),
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        value.join().unwrap();
        let outcome = value.await_();
        assert!(wins <= 1);
        assert_eq!(outcome.is_ok(), wins == 1 && !value.is_cancelled());
    }
}

#[test]
fn the_failure_of_a_job_by_hand_goes_to_its_parent_and_its_cancellation_does_not() {
    let parent = Job::by_hand();
    let child = Job::by_hand_under(&parent);
    assert_eq!(child.parent().as_ref(), Some(&*parent));
    child.cancel();
    assert!(child.is_completed() && parent.is_active());

    let child = CompletableDeferred::<i32>::with_parent(&parent);
    assert!(child.complete_exceptionally(Error::msg("disk")));
    assert!(parent.is_completed());
    assert_eq!(parent.cause().unwrap().to_string(), "disk");

    let supervisor = SupervisorJob::new();
    let child = Job::by_hand_under(&supervisor);
    assert!(child.complete_exceptionally(Error::msg("disk")));
    assert!(supervisor.is_active());

    let orphan = SupervisorJob::under(&parent);
    assert!(orphan.is_cancelled() && orphan.is_completed());
}

#[test]
fn a_scope_waits_for_a_job_by_hand_below_it() {
    let order = log();
    run_test(|_| {
        let kept = coroutine_scope(|s| {
            let extra = Job::by_hand_under(&s.job());
            let (done, lines) = (extra.clone(), order.clone());
            s.launch(move |_| {
                delay(ms(30))?;
                say(&lines, "completes it");
                done.complete();
                Ok(())
            });
            say(&order, "the body ends");
            Ok(extra)
        })?;
        say(&order, format!("left: {}", kept.is_completed()));
        Ok(())
    })
    .unwrap();
    assert_eq!(
        taken(&order),
        ["the body ends", "completes it", "left: true"]
    );
}

#[test]
fn ensure_active_of_a_job_tells_its_cause() {
    let job = Job::by_hand();
    assert!(job.ensure_active().is_ok());
    job.cancel_with("shut down");
    let error = job.ensure_active().unwrap_err();
    assert!(error.is_cancelled());
    assert!(error.to_string().contains("shut down"), "{error}");

    let done = Job::by_hand();
    done.complete();
    assert!(done.ensure_active().unwrap_err().is_cancelled());
}

#[test]
fn only_the_children_are_cancelled_by_cancel_children() {
    run_test(|s| {
        let parent = s.launch(|s| {
            let jobs: Vec<Job> = (0..3).map(|_| s.launch(|_| await_cancellation())).collect();
            yield_()?;
            s.job().cancel_children_with("tidy up");
            join_all(&jobs)?;
            assert!(jobs.iter().all(|job| {
                let cause = job.cause().unwrap();
                cause.downcast_ref::<Cancelled>().unwrap().message() == Some("tidy up")
            }));
            s.launch(|_| ()).join()?;
            assert!(s.is_active());
            Ok(())
        });
        parent.join()?;
        assert!(!parent.is_cancelled());
        Ok(())
    })
    .unwrap();
}
