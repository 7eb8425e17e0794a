//! Start modes.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::{Log, thread_name};

#[test]
fn an_undispatched_coroutine_runs_in_place_up_to_its_first_suspension() {
    let log = Log::default();
    run_test(|s| {
        let log = &log;
        s.launch(|_| log.say("default"));
        let job = s.builder().start(CoroutineStart::Undispatched).launch(|_| {
            log.say("in place");
            yield_()?;
            log.say("dispatched");
            Ok(())
        });
        log.say("launched");
        job.join()?;
        let ended = s
            .builder()
            .start(CoroutineStart::Undispatched)
            .async_(|_| Ok(7));
        assert!(ended.is_completed());
        assert_eq!(ended.await_()?, 7);
        Ok(())
    })
    .unwrap();
    assert_eq!(
        log.taken(),
        ["in place", "launched", "default", "dispatched"]
    );
}

#[test]
fn undispatched_starts_nest_and_come_back_in_order() {
    let log = Log::default();
    run_test(|s| {
        let log = &log;
        s.builder().start(CoroutineStart::Undispatched).launch(|s| {
            log.say("outer");
            s.builder().start(CoroutineStart::Undispatched).launch(|s| {
                log.say("inner");
                s.builder()
                    .start(CoroutineStart::Undispatched)
                    .launch(|_| log.say("innermost"));
                yield_()?;
                log.say("inner again");
                Ok(())
            });
            log.say("outer goes on");
            delay(ms(1))?;
            log.say("outer ends");
            Ok(())
        });
        log.say("body");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        log.taken(),
        [
            "outer",
            "inner",
            "innermost",
            "outer goes on",
            "body",
            "inner again",
            "outer ends"
        ]
    );
}

#[test]
fn an_undispatched_panic_stays_in_its_coroutine() {
    run_test(|_| {
        let failed = supervisor_scope(|s| {
            let job = s
                .builder()
                .start(CoroutineStart::Undispatched)
                .async_(|_| -> Result<()> { std::panic::panic_any("in place") });
            assert!(job.is_completed());
            job.await_()
        });
        assert!(failed.unwrap_err().is_panic());
        Ok(())
    })
    .unwrap();
}

#[test]
fn undispatched_on_another_dispatcher_is_an_ordinary_start() {
    let here = thread_name();
    let there = run_blocking(|s| {
        s.builder()
            .dispatcher(Dispatchers::default())
            .start(CoroutineStart::Undispatched)
            .async_(|_| Ok(thread_name()))
            .await_()
    })
    .unwrap();
    assert_ne!(here, there);
    // From one of its own workers it is in place.
    let in_place = with_context(Dispatchers::default(), |s| {
        let job = s
            .builder()
            .start(CoroutineStart::Undispatched)
            .async_(|_| Ok(thread_name()));
        assert!(job.is_completed());
        Ok(job.await_()? == thread_name())
    });
    assert!(in_place.unwrap());
}

#[test]
fn an_atomic_coroutine_that_is_cancelled_before_its_start_runs_up_to_its_first_suspension() {
    let log = Log::default();
    run_test(|s| {
        let log = &log;
        let atomic = s.builder().start(CoroutineStart::Atomic).launch(|_| {
            log.say("atomic runs");
            let met = delay(ms(1));
            log.say(format!(
                "cancelled: {}",
                met.as_ref().is_err_and(Error::is_cancelled)
            ));
            met
        });
        let ordinary = s.launch(|_| log.say("ordinary runs"));
        atomic.cancel();
        ordinary.cancel();
        join_all([&atomic, &ordinary])?;
        assert!(atomic.is_cancelled() && ordinary.is_cancelled());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.taken(), ["atomic runs", "cancelled: true"]);
}

#[test]
fn an_atomic_coroutine_starts_in_a_cancelled_scope_too() {
    let ran = Log::default();
    let told = ran.clone();
    run_test(|_| {
        let cancelled = coroutine_scope(|s| {
            s.cancel();
            let told = told.clone();
            s.builder()
                .start(CoroutineStart::Atomic)
                .launch(move |_| told.say("ran"));
            Ok(())
        });
        assert!(cancelled.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
    assert_eq!(ran.taken(), ["ran"]);
}
