//! Scopes, builders and the job tree, through the public interface.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use switchback::CoroutineStart;
use switchback::prelude::*;

/// A trace of what happened, in order.
#[derive(Default)]
struct Trace(Mutex<Vec<String>>);

impl Trace {
    fn put(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn the_loop_runs_children_when_the_body_waits_in_order() {
    let trace = Trace::default();
    run_blocking(|s| {
        s.launch(|_| trace.put("a"));
        s.launch(|_| trace.put("b"));
        trace.put("body");
        yield_()?;
        trace.put("body again");
        Ok(())
    })
    .unwrap();
    assert_eq!(trace.take(), ["body", "a", "b", "body again"]);
}

#[test]
fn a_scope_waits_for_children_that_borrow() {
    let numbers: Vec<u64> = (0..1000).collect();
    let sum = coroutine_scope(|s| {
        let parts: Vec<_> = numbers
            .chunks(100)
            .map(|part| s.async_(move |_| Ok(part.iter().sum::<u64>())))
            .collect();
        let mut sum = 0;
        for part in parts {
            sum += part.await_()?;
        }
        Ok(sum)
    })
    .unwrap();
    assert_eq!(sum, 499_500);
}

#[test]
fn two_delays_run_at_the_same_time() {
    let start = Instant::now();
    let sum = run_blocking(|s| {
        let a = s.async_(|_| {
            delay(ms(60))?;
            Ok(1)
        });
        let b = s.async_(|_| {
            delay(ms(60))?;
            Ok(2)
        });
        Ok(a.await_()? + b.await_()?)
    })
    .unwrap();
    assert_eq!(sum, 3);
    assert!(start.elapsed() >= ms(60));
    assert!(start.elapsed() < ms(115), "{:?}", start.elapsed());
}

#[test]
fn a_failing_child_cancels_its_siblings_and_fails_the_scope() {
    let trace = Trace::default();
    let result: Result<()> = run_blocking(|s| {
        let failed = coroutine_scope(|s| {
            s.launch(|_| {
                let ended = delay(ms(10_000));
                trace.put(format!(
                    "sibling cancelled={}",
                    ended.as_ref().unwrap_err().is_cancelled()
                ));
                ended
            });
            s.launch(|_| {
                delay(ms(5))?;
                Err(Error::msg("boom"))
            });
            trace.put("body done");
            Ok(())
        });
        trace.put(failed.unwrap_err().to_string());
        assert!(s.is_active());
        Ok(())
    });
    result.unwrap();
    assert_eq!(
        trace.take(),
        ["body done", "sibling cancelled=true", "boom"]
    );
}

#[test]
fn a_panic_in_a_child_is_an_error_of_its_scope() {
    let result: Result<()> = run_blocking(|s| {
        s.launch(|_| -> () { panic!("on purpose") });
        delay(ms(10_000))
    });
    let error = result.unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.panic_message(), Some("on purpose"));
}

#[test]
fn a_panic_of_the_body_goes_on_after_the_children_have_ended() {
    let ended = AtomicUsize::new(0);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<()> = run_blocking(|s| {
            s.launch(|_| {
                let _ = delay(ms(10_000));
                ended.fetch_add(1, Ordering::Relaxed);
            });
            yield_()?;
            panic!("the body")
        });
    }));
    assert_eq!(
        *caught.unwrap_err().downcast_ref::<&str>().unwrap(),
        "the body"
    );
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[test]
fn supervised_children_fail_alone() {
    let parts = supervisor_scope(|s| {
        let bad = s.async_(|_| -> Result<i32> { Err(Error::msg("no")) });
        let good = s.async_(|_| {
            delay(ms(2))?;
            Ok(2)
        });
        Ok((bad.await_().unwrap_err().to_string(), good.await_()?))
    })
    .unwrap();
    assert_eq!(parts, (String::from("no"), 2));
}

#[test]
fn cancel_wakes_a_delay_and_join_waits_for_the_cleanup() {
    let trace = Trace::default();
    run_blocking(|s| {
        let start = Instant::now();
        let job = s.launch(|_| {
            let ended = delay(ms(10_000));
            trace.put("cleanup");
            non_cancellable(|_| delay(ms(5)))?;
            trace.put("cleaned");
            ended
        });
        yield_()?;
        job.cancel();
        assert!(job.is_cancelled() && !job.is_completed());
        job.join()?;
        assert!(job.is_completed());
        assert!(start.elapsed() < ms(5_000));
        trace.put("joined");
        Ok(())
    })
    .unwrap();
    assert_eq!(trace.take(), ["cleanup", "cleaned", "joined"]);
}

#[test]
fn with_context_goes_to_io_and_back() {
    run_blocking(|_| {
        let main = std::thread::current().id();
        let text = String::from("borrowed");
        let there = with_context(Dispatchers::io(), |_| {
            assert_eq!(text, "borrowed");
            Ok((
                std::thread::current().id(),
                std::thread::current().name().unwrap_or("").to_owned(),
            ))
        })?;
        assert_ne!(there.0, main);
        assert!(there.1.starts_with("switchback-io-"), "{}", there.1);
        assert_eq!(std::thread::current().id(), main);
        Ok(())
    })
    .unwrap();
}

#[test]
fn timeouts_are_failures_and_nest() {
    run_blocking(|_| {
        assert!(
            with_timeout(ms(5), |_| delay(ms(10_000)))
                .unwrap_err()
                .is_timeout()
        );
        assert_eq!(
            with_timeout_or_none(ms(5), |_| {
                delay(ms(10_000))?;
                Ok(1)
            })?,
            None
        );
        let outer: Result<Option<()>> = with_timeout(ms(5), |_| {
            with_timeout_or_none(ms(10_000), |_| delay(ms(20_000)))
        });
        assert!(outer.unwrap_err().is_timeout());
        assert_eq!(with_timeout(ms(1000), |_| Ok(7))?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ten_thousand_coroutines_on_the_default_pool() {
    let count = AtomicUsize::new(0);
    coroutine_scope(|s| {
        for _ in 0..10_000 {
            s.launch(|_| {
                yield_()?;
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 10_000);
}

#[test]
fn a_continuation_is_resumed_from_a_foreign_thread() {
    run_blocking(|s| {
        let answer = s.async_(|_| {
            suspend_cancellable_coroutine(|k| {
                std::thread::spawn(move || k.resume(42));
            })
        });
        assert_eq!(answer.await_()?, 42);
        assert_eq!(suspend_coroutine(|k| k.resume(1))?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_dropped_continuation_fails_its_coroutine_and_names_the_place() {
    run_blocking(|_| {
        let error = suspend_coroutine(|k: Continuation<()>| drop(k)).unwrap_err();
        assert!(error.to_string().contains("scopes.rs"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_owned_scope_outlives_the_call_and_dies_with_its_last_handle() {
    let scope = CoroutineScope::new(Dispatchers::default());
    let job = scope.launch(|_| delay(ms(10_000)));
    assert!(job.is_active());
    drop(scope);
    job.join().unwrap();
    assert!(job.is_cancelled());
}

#[test]
fn a_supervisor_that_only_the_scope_knows_is_cancelled_with_it() {
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    let job = scope.launch(|_| delay(ms(10_000)));
    drop(scope);
    job.join().unwrap();
    assert!(job.is_cancelled());

    let supervisor = SupervisorJob::new();
    let scope = CoroutineScope::new(Dispatchers::default() + supervisor.clone());
    let job = scope.launch(|_| delay(ms(10_000)));
    drop(scope);
    assert!(job.is_active());
    supervisor.cancel();
    job.join().unwrap();
}

#[test]
fn a_lazy_child_that_its_parent_cancels_never_runs_and_is_dropped_before_the_scope_ends() {
    struct Told<'a>(&'a AtomicUsize);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
        let (dropped, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ended: Result<()> = coroutine_scope(|s| {
            let jobs: Vec<_> = (0..100)
                .map(|_| {
                    let told = Told(&dropped);
                    let ran = &ran;
                    let lazy = s.builder().dispatcher(dispatcher.clone());
                    lazy.start(CoroutineStart::Lazy).launch(move |_| {
                        let _told = told;
                        ran.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            assert!(jobs[0].start());
            jobs[0].join()?;
            jobs[1].cancel();
            assert!(jobs[1].is_completed() && jobs[1].is_cancelled());
            s.cancel();
            assert!(jobs.iter().all(Job::is_completed));
            Ok(())
        });
        assert!(ended.unwrap_err().is_cancelled());
        assert_eq!((dropped.into_inner(), ran.into_inner()), (100, 1));
    }
}

#[test]
fn start_and_cancel_of_a_lazy_coroutine_race_and_one_of_them_wins() {
    for _ in 0..500 {
        let ran = AtomicUsize::new(0);
        let started = coroutine_scope(|s| {
            let job = s.builder().start(CoroutineStart::Lazy).launch(|_| {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            let other = job.clone();
            let canceller = std::thread::spawn(move || other.cancel());
            let started = job.start();
            canceller.join().unwrap();
            job.join()?;
            assert!(job.is_completed());
            Ok(started)
        })
        .unwrap();
        assert!(ran.into_inner() <= usize::from(started));
    }
}
