//! Corners of the rules of jobs, each found by the random programs of `tests/reference` and cut down.

use std::sync::atomic::{AtomicBool, Ordering};

use switchback::CoroutineStart::{Lazy, Undispatched};
use switchback::prelude::*;
use switchback::testing::run_test;

#[test]
fn a_lazy_coroutine_launched_in_a_cancelled_scope_completes_at_once() {
    let result = run_test(|s| {
        s.cancel();
        let job = s.builder().start(Lazy).launch(|_| ());
        assert!(job.is_cancelled() && job.is_completed());
        assert!(!job.start());
        Ok(())
    });
    assert!(result.unwrap_err().is_cancelled());
}

#[test]
fn cancel_children_does_not_reach_a_non_cancellable_block() {
    run_test(|s| {
        s.launch(|s| {
            let outer = s.job();
            non_cancellable(|s| {
                assert!(outer.children().is_empty());
                outer.cancel_children();
                assert!(s.is_active());
                delay(ms(1))
            })?;
            delay(ms(1))
        })
        .join()
    })
    .unwrap();
}

#[test]
fn a_job_made_by_hand_ends_with_the_cancellation_of_its_parent() {
    run_test(|_| {
        let parent = Job::by_hand();
        let child = Job::by_hand_under(&parent);
        let grandchild = Job::by_hand_under(&child);
        parent.cancel();
        assert!(grandchild.is_completed() && child.is_completed() && parent.is_completed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_does_not_wait_for_ever_for_a_job_made_by_hand_that_it_has_cancelled() {
    let late = run_test(|_| {
        with_timeout(ms(10), |s| {
            let _forgotten = Job::by_hand_under(&s.job());
            Ok(())
        })
    });
    assert!(late.unwrap_err().is_timeout());
}

#[test]
fn a_child_starts_its_lazy_parent() {
    run_test(|s| {
        let ran = AtomicBool::new(false);
        coroutine_scope(|s| {
            let parent = s
                .builder()
                .start(Lazy)
                .launch(|_| ran.store(true, Ordering::Relaxed));
            let child = CoroutineScope::new(s.context() + parent.clone()).launch(|_| delay(ms(5)));
            assert!(parent.is_active() && child.is_active());
            parent.join()?;
            assert!(child.is_completed());
            Ok(())
        })?;
        assert!(ran.load(Ordering::Relaxed));
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lazy_parent_does_not_complete_before_its_children() {
    run_test(|s| {
        let parent = s.builder().start(Lazy).launch(|_| ());
        let child = CoroutineScope::new(s.context() + parent.clone()).launch(|_| {
            let _ = delay(ms(5));
            non_cancellable(|_| delay(ms(5)))
        });
        yield_()?;
        parent.cancel();
        assert!(!child.is_completed() && !parent.is_completed());
        parent.join()?;
        assert!(child.is_completed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn under_a_coroutine_that_is_over_a_new_one_ends_in_its_turn_as_under_any_job() {
    run_test(|s| {
        let over = s.launch(|_| ());
        over.join()?;
        let late = CoroutineScope::new(s.context() + over)
            .launch(|_| -> Result<()> { panic!("it never runs") });
        assert!(late.is_cancelled() && !late.is_completed());
        late.join()
    })
    .unwrap();
}

#[test]
fn undispatched_runs_in_place_in_a_cancelled_scope() {
    let ran = AtomicBool::new(false);
    let result = run_test(|s| {
        s.cancel();
        let job = s.builder().start(Undispatched).launch(|_| {
            ran.store(true, Ordering::Relaxed);
            delay(ms(1))
        });
        assert!(ran.load(Ordering::Relaxed));
        assert!(job.is_cancelled());
        Ok(())
    });
    assert!(result.unwrap_err().is_cancelled());
}

#[test]
fn what_is_made_under_a_job_that_has_failed_late_is_cancelled_because_of_that() {
    run_test(|s| {
        let parent = supervisor_scope(|s| {
            let parent = s.builder().launch(|s| {
                s.cancel();
                Err(Error::msg("in the cleanup"))
            });
            parent.join()?;
            Ok(parent)
        })?;
        let context = s.context() + parent.clone();
        for late in [
            Job::clone(&Job::by_hand_under(&parent)),
            CoroutineScope::new(context).launch(|_| ()),
        ] {
            late.join()?;
            let cancelled = late.cause().unwrap().downcast::<Cancelled>().unwrap();
            assert_eq!(cancelled.cause().unwrap().to_string(), "in the cleanup");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn run_blocking_in_a_cancelled_body_of_run_blocking_does_not_run_its_own() {
    let result = run_test(|s| {
        s.cancel();
        run_blocking(|_| -> Result<()> { panic!("it never runs") })
    });
    assert!(result.unwrap_err().is_cancelled());
}
