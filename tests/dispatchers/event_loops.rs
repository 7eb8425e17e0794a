//! Loops that a host drives.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::{EventLoop, event_loop, is_active};

use crate::Log;

/// Only one loop at a time can be the main one.
static MAIN: Mutex<()> = Mutex::new(());

#[test]
fn nothing_runs_before_the_host_gives_a_turn_and_one_turn_runs_one() {
    let log = Log::default();
    let host = EventLoop::new().unwrap();
    let scope = CoroutineScope::new(host.dispatcher());
    for name in ["a", "b"] {
        let log = log.clone();
        scope.launch(move |_| {
            log.say(format!("{name}1"));
            yield_()?;
            log.say(format!("{name}2"));
            Ok(())
        });
    }
    assert!(log.taken().is_empty());
    assert!(host.run_one());
    assert_eq!(log.taken(), ["a1"]);
    host.run_until_idle();
    assert_eq!(log.taken(), ["b1", "a2", "b2"]);
    assert!(!host.run_one());
}

#[test]
fn the_wake_callback_is_called_for_work_from_anywhere_and_not_inside_the_loop() {
    let host = EventLoop::new().unwrap();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    host.set_wake(move || {
        counter.fetch_add(1, Ordering::AcqRel);
    });
    let scope = CoroutineScope::new(host.dispatcher());
    scope.launch(|_| ());
    assert_eq!(
        wakes.swap(0, Ordering::AcqRel),
        1,
        "launched by the host itself"
    );
    host.run_until_idle();

    let value = CompletableDeferred::new();
    let waits = value.clone();
    scope.launch(move |s| {
        s.launch(|_| ());
        waits.await_()
    });
    host.run_until_idle();
    wakes.store(0, Ordering::Release);
    value.complete(());
    assert_eq!(
        wakes.swap(0, Ordering::AcqRel),
        1,
        "resumed by the host itself"
    );
    host.run_until_idle();
    assert_eq!(
        wakes.load(Ordering::Acquire),
        0,
        "what happens inside is seen there"
    );

    let handle = host.handle();
    let posted = std::thread::spawn(move || handle.post(|| ()))
        .join()
        .unwrap();
    assert_eq!(wakes.load(Ordering::Acquire), 1, "sent by another thread");
    host.run_until_idle();
    assert!(posted.is_completed() && !posted.is_cancelled());
}

#[test]
fn a_timer_tells_when_it_is_due_and_wait_sleeps_until_then() {
    let host = EventLoop::new().unwrap();
    assert_eq!(host.time_to_next(), None);
    let scope = CoroutineScope::new(host.dispatcher());
    let sleeper = scope.launch(|_| delay(ms(30)));
    host.run_until_idle();
    let due = host.time_to_next().unwrap();
    assert!(due > Duration::ZERO && due <= ms(30), "{due:?}");
    let begun = std::time::Instant::now();
    while !sleeper.is_completed() {
        host.wait(None);
    }
    assert!(begun.elapsed() >= ms(20));
    host.wait(Some(ms(1)));
}

#[test]
fn a_presenter_loads_on_io_and_goes_on_on_the_main_loop() {
    let _one_at_a_time = MAIN.lock().unwrap();
    let host = EventLoop::new().unwrap();
    host.install_as_main().unwrap();
    assert!(host.install_as_main().is_err());
    let main_thread = std::thread::current().id();
    let scope = CoroutineScope::new(Dispatchers::main() + SupervisorJob::new());
    let shown = scope.async_(move |_| {
        let text = with_context(Dispatchers::io(), move |_| {
            assert_ne!(std::thread::current().id(), main_thread);
            Ok("news")
        })?;
        // Already there: no dispatch, and what is not Send stays usable.
        let local = Rc::new(Cell::new(0));
        assert_eq!(std::thread::current().id(), main_thread);
        local.set(text.len());
        Ok(local.get())
    });
    let update = scope.launch(|_| await_cancellation());
    while !shown.is_completed() {
        host.wait(None);
    }
    scope.cancel();
    host.run_until_idle();
    assert!(update.is_cancelled() && update.is_completed());
    assert_eq!(shown.await_().unwrap(), 4);
}

#[test]
fn without_a_main_loop_a_launch_on_it_says_so() {
    let _one_at_a_time = MAIN.lock().unwrap();
    let error = with_context(Dispatchers::main(), |_| Ok(())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no EventLoop is installed as the main one"),
        "{error}"
    );
}

#[test]
fn a_loop_that_is_dropped_runs_its_coroutines_to_their_end() {
    let ended = Arc::new(AtomicUsize::new(0));
    let host = EventLoop::new().unwrap();
    let dispatcher = host.dispatcher();
    let scope = CoroutineScope::new(host.dispatcher());
    for time in [0, 5, 20] {
        let ended = ended.clone();
        scope.launch(move |_| {
            delay(ms(time))?;
            ended.fetch_add(1, Ordering::AcqRel);
            Ok(())
        });
    }
    drop(host);
    assert_eq!(ended.load(Ordering::Acquire), 3);
    assert!(with_context(dispatcher, |_| Ok(())).is_err());
    // The thread may have another one now.
    drop(EventLoop::new().unwrap());
}

#[test]
fn the_closed_form_ends_the_loop_after_a_panic_too() {
    let ended = Arc::new(AtomicUsize::new(0));
    let seen = ended.clone();
    let panicked = std::panic::catch_unwind(move || {
        event_loop(|host| {
            let scope = CoroutineScope::new(host.dispatcher());
            let ended = seen.clone();
            scope.launch(move |_| {
                let _ = delay(ms(5));
                ended.fetch_add(1, Ordering::AcqRel);
            });
            host.run_until_idle();
            std::panic::panic_any("the host");
        })
    });
    assert!(panicked.is_err());
    assert_eq!(ended.load(Ordering::Acquire), 1);
    assert!(event_loop(|_| 1).is_ok());
}

#[test]
fn there_is_one_loop_on_a_thread_and_it_serves_run_blocking_too() {
    event_loop(|host| {
        assert!(EventLoop::new().is_err());
        let scope = CoroutineScope::new(host.dispatcher());
        let local = Rc::new(Cell::new(1));
        let held = local.clone();
        scope.launch_local(move |_| held.set(2));
        let value = run_blocking(|s| s.async_(|_| Ok(3)).await_()).unwrap();
        assert_eq!((value, local.get()), (3, 2));
    })
    .unwrap();
    run_blocking(|_| {
        assert!(EventLoop::new().is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_host_may_park_in_a_join() {
    event_loop(|host| {
        let scope = CoroutineScope::new(host.dispatcher());
        let job = scope.launch(|_| delay(ms(3)));
        job.join().unwrap();
        assert!(job.is_completed());
    })
    .unwrap();
}

#[test]
fn a_host_that_waits_for_its_loop_in_a_limit_is_woken_by_it() {
    for asks in [false, true] {
        let host = EventLoop::new().unwrap();
        let late = coroutine_scope(|_| {
            with_timeout(ms(5), |_| {
                if asks {
                    assert!(host.time_to_next().is_some());
                }
                let start = Instant::now();
                while is_active() {
                    host.wait(Some(Duration::from_secs(30)));
                    assert!(
                        start.elapsed().as_secs() < 20,
                        "its own limit did not wake it"
                    );
                }
                Ok(())
            })
        });
        assert!(late.unwrap_err().is_timeout());
    }
}

#[test]
fn what_a_host_drives_in_a_scope_finds_that_scope() {
    event_loop(|host| {
        let scope = CoroutineScope::new(host.dispatcher());
        coroutine_scope(|outer| {
            let (job, found) = (outer.job(), Arc::new(AtomicUsize::new(0)));
            let counted = found.clone();
            scope.launch(move |_| counted.store(job.children().len(), Ordering::Relaxed));
            coroutine_scope(|_| {
                host.run_until_idle();
                Ok(())
            })?;
            assert_eq!(found.load(Ordering::Relaxed), 1);
            Ok(())
        })
        .unwrap();
    })
    .unwrap();
}
