//! The dispatcher that sends nothing anywhere.

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::{Log, thread_name};

#[test]
fn it_runs_in_the_launch_and_inside_the_call_that_resumes_it() {
    let log = Log::default();
    run_test(|s| {
        let (log, value) = (&log, CompletableDeferred::new());
        let waits = value.clone();
        let job = s
            .builder()
            .dispatcher(Dispatchers::unconfined())
            .launch(move |_| {
                log.say("starts at once");
                log.say(format!("resumed with {}", waits.await_()?));
                Ok(())
            });
        log.say("launched");
        value.complete(7);
        log.say("completed");
        assert!(job.is_completed());
        Ok(())
    })
    .unwrap();
    assert_eq!(
        log.taken(),
        ["starts at once", "launched", "resumed with 7", "completed"]
    );
}

#[test]
fn nested_ones_form_a_queue_instead_of_a_pile() {
    let log = Log::default();
    run_test(|s| {
        let log = &log;
        let unconfined = Dispatchers::unconfined();
        s.builder().dispatcher(unconfined).launch(|s| {
            log.say("outer begins");
            s.launch(|_| log.say("inner 1"));
            s.launch(|_| log.say("inner 2"));
            log.say("outer ends");
        });
        log.say("body");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        log.taken(),
        ["outer begins", "outer ends", "inner 1", "inner 2", "body"]
    );
}

#[test]
fn a_chain_of_a_hundred_thousand_resumptions_needs_no_depth() {
    run_test(|s| {
        let unconfined = Dispatchers::unconfined();
        let first = CompletableDeferred::new();
        let mut last = first.clone();
        for _ in 0..100_000 {
            let next = CompletableDeferred::new();
            let (waits, tells) = (last, next.clone());
            s.builder().dispatcher(unconfined.clone()).launch(move |_| {
                tells.complete(waits.await_()? + 1);
                Ok(())
            });
            last = next;
        }
        first.complete(0);
        assert_eq!(last.await_()?, 100_000);
        Ok(())
    })
    .unwrap();
}

#[test]
fn it_stays_on_the_thread_on_which_it_started() {
    let (before, after, resumer) = run_blocking(|s| {
        let value = CompletableDeferred::new();
        let waits = value.clone();
        let job = s
            .builder()
            .dispatcher(Dispatchers::unconfined())
            .async_(move |_| {
                let before = thread_name();
                let resumer: String = waits.await_()?;
                Ok((before, thread_name(), resumer))
            });
        with_context(Dispatchers::io(), |_| {
            value.complete(thread_name());
            Ok(())
        })?;
        job.await_()
    })
    .unwrap();
    assert_eq!(before, after);
    assert_ne!(after, resumer);
}

#[test]
fn launched_from_a_plain_thread_it_starts_on_the_default_dispatcher() {
    let scope = CoroutineScope::new(Dispatchers::unconfined());
    let name = scope.async_(|_| Ok(thread_name())).await_().unwrap();
    assert!(name.starts_with("switchback-default"), "{name}");
}

#[test]
fn a_cancellation_runs_its_cleanup_inside_the_cancel() {
    let log = Log::default();
    run_test(|s| {
        let log = &log;
        let job = s
            .builder()
            .dispatcher(Dispatchers::unconfined())
            .launch(|_| {
                let met: Result<()> = await_cancellation();
                log.say("cleans up");
                met
            });
        job.cancel();
        log.say("cancel has returned");
        job.join()
    })
    .unwrap();
    assert_eq!(log.taken(), ["cleans up", "cancel has returned"]);
}
