//! What must hold where user code runs inside the runtime, or while a thread unwinds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use switchback::prelude::*;

/// What a call gave that had to wait where nothing may wait.
fn refused(result: Result<()>) -> bool {
    result.is_err_and(|error| error.to_string().starts_with("a suspending call"))
}

#[test]
fn a_completion_handler_of_an_ancestor_may_ask_and_launch_but_not_wait() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    run_blocking(|s| {
        let parent = s.launch(|s| {
            s.launch(|_| delay(ms(1)));
        });
        let lines = seen.clone();
        parent.invoke_on_completion(move |_| {
            // The coroutine that ended last, on whose stack this runs, may be freed by now.
            let mut lines = lines.lock().unwrap();
            lines.push(format!("active={}", is_active()));
            lines.push(format!("refused={}", refused(delay(ms(1)))));
            lines.push(format!("refused={}", refused(yield_())));
            lines.push(format!("scope={:?}", coroutine_scope(|_| Ok(3)).ok()));
            lines.push(format!("loop={:?}", run_blocking(|_| Ok(4)).ok()));
        });
        parent.join()
    })
    .unwrap();
    let expected = [
        "active=true",
        "refused=true",
        "refused=true",
        "scope=Some(3)",
        "loop=Some(4)",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_handler_that_a_running_coroutine_calls_does_not_suspend_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    run_blocking(|s| {
        let sleeper = s.launch(|_| await_cancellation::<()>());
        yield_()?;
        let lines = seen.clone();
        // Called in place, by `cancel`: whoever waited in it would leave that half done.
        sleeper.invoke_on_cancelling(move |_| {
            let yielded = refused(yield_());
            lines.lock().unwrap().push(yielded);
        });
        let lines = seen.clone();
        let canceller = s.launch(move |s| {
            let after = lines.clone();
            s.launch(move |_| after.lock().unwrap().push(false));
            sleeper.cancel();
            // Before the one that would have had its turn meanwhile.
            assert_eq!(*lines.lock().unwrap(), [true]);
        });
        canceller.join()
    })
    .unwrap();
    assert_eq!(*seen.lock().unwrap(), [true, false]);
}

#[test]
fn a_cancellation_handler_on_the_loop_resumes_others() {
    run_blocking(|s| {
        // The timeout rings in the loop, between two coroutines; its handler resumes the body of the scope, and a
        // coroutine that was the last to run on the loop.
        let slot: Arc<Mutex<Vec<Continuation<()>>>> = Arc::default();
        let (one, two) = (slot.clone(), slot.clone());
        let late = s.launch(move |_| {
            let ended: Result<()> = with_timeout(ms(5), |_| {
                suspend_cancellable_coroutine(|me: Continuation<()>| {
                    me.invoke_on_cancellation(move |_| {
                        two.lock()
                            .unwrap()
                            .drain(..)
                            .for_each(|other| other.resume(()));
                    });
                    // Kept, so that it is not dropped unresumed.
                    std::mem::forget(me);
                })
            });
            assert!(ended.unwrap_err().is_timeout());
        });
        let other =
            s.launch(move |_| suspend_cancellable_coroutine(|me| one.lock().unwrap().push(me)));
        suspend_coroutine(|me| slot.lock().unwrap().push(me))?;
        other.join()?;
        late.join()
    })
    .unwrap();
}

#[test]
fn a_cancellation_handler_that_is_late_resumes_the_coroutine_that_has_just_suspended() {
    const LATE: Duration = Duration::from_millis(2);
    // In some of these rounds it rings in a look at the outside, in the others when nothing is ready.
    for _ in 0..20 {
        let (tell, told) = mpsc::channel();
        // A thread of its own, since one that loses the wake-up waits for ever.
        let round = thread::spawn(move || {
            run_blocking(|s| {
                let slot: Arc<Mutex<Option<Continuation<()>>>> = Arc::default();
                let waiting = slot.clone();
                let due = Instant::now() + LATE;
                let timed = s.launch(move |_| {
                    let ended: Result<()> = with_timeout(LATE, |_| {
                        suspend_cancellable_coroutine(|me: Continuation<()>| {
                            me.invoke_on_cancellation(move |_| {
                                let other = waiting.lock().unwrap().take();
                                other.expect("the other one has suspended").resume(());
                            });
                            // Kept, so that it is not dropped unresumed.
                            std::mem::forget(me);
                        })
                    });
                    assert!(ended.unwrap_err().is_timeout());
                });
                let last = s.launch(move |_| {
                    while Instant::now() < due + LATE {
                        std::hint::spin_loop();
                    }
                    suspend_coroutine(|me| *slot.lock().unwrap() = Some(me))
                });
                last.join()?;
                timed.join()
            })
            .unwrap();
            tell.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(20)).unwrap();
        round.join().unwrap();
    }
}

/// Runs something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn nothing_suspends_in_a_coroutine_while_it_unwinds() {
    let told = AtomicUsize::new(0);
    let ended: Result<()> = run_blocking(|s| {
        s.launch(|_| -> Result<()> {
            let _guard = OnDrop(|| {
                told.fetch_add(usize::from(refused(delay(ms(1)))), Ordering::Relaxed);
                let launched = coroutine_scope(|s| Ok(s.launch(|_| ()).is_cancelled()));
                told.fetch_add(usize::from(launched.unwrap()), Ordering::Relaxed);
            });
            panic!("unwinds through the guard")
        });
        Ok(())
    });
    assert!(ended.unwrap_err().is_panic());
    assert_eq!(told.into_inner(), 2);
}

#[test]
fn other_coroutines_do_not_see_that_the_body_of_their_loop_panics() {
    let undisturbed = Arc::new(AtomicUsize::new(0));
    let count = undisturbed.clone();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        run_blocking(|s| -> Result<()> {
            let scope = CoroutineScope::new(s.context() + SupervisorJob::new());
            let keep = scope.clone();
            scope.launch(move |_| {
                let _scope = keep;
                for _ in 0..3 {
                    yield_()?;
                    count.fetch_add(usize::from(!std::thread::panicking()), Ordering::Relaxed);
                }
                Ok(())
            });
            yield_()?;
            panic!("the body")
        })
    }));
    assert_eq!(
        *caught.unwrap_err().downcast_ref::<&str>().unwrap(),
        "the body"
    );
    assert_eq!(undisturbed.load(Ordering::Relaxed), 3);
}

#[test]
fn panics_of_destructors_and_handlers_end_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "dropped");
        }
    }
    #[derive(Debug)]
    struct Loaded;
    impl std::fmt::Display for Loaded {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("loaded")
        }
    }
    impl std::error::Error for Loaded {}
    impl Drop for Loaded {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "an error dropped");
        }
    }
    switchback::set_message_hook(|_| ());
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    // A closure that never runs.
    let bomb = Bomb;
    let job = scope.launch(move |_| {
        let _bomb = bomb;
        delay(ms(10_000))
    });
    job.cancel();
    job.join().unwrap();
    // A result that nobody claims any more when it comes.
    let gate = CompletableDeferred::new();
    let opened = gate.clone();
    let unclaimed = scope.async_(move |_| {
        opened.await_()?;
        Ok(Bomb)
    });
    let job = unclaimed.job();
    drop(unclaimed);
    gate.complete(());
    job.join().unwrap();
    // A failure that is dropped with its job, and a handler.
    let job = scope.launch(|_| -> Result<()> { Err(Loaded.into()) });
    job.invoke_on_completion(|_| panic!("a handler"));
    job.join().unwrap();
    drop(job);
    // The workers are all there.
    for _ in 0..100 {
        assert_eq!(scope.async_(|_| Ok(1)).await_().unwrap(), 1);
    }
}

#[test]
fn a_suspending_call_inside_the_block_of_another_is_refused() {
    run_blocking(|s| {
        s.launch(|_| {
            let value = suspend_coroutine(|me| {
                assert!(refused(delay(ms(1))));
                assert!(refused(yield_()));
                assert!(coroutine_scope(|s| Ok(s.launch(|_| ()).is_cancelled())).unwrap());
                me.resume(5);
            });
            assert_eq!(value.unwrap(), 5);
        });
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_block_that_panics_or_fails_leaves_no_suspension_behind() {
    run_blocking(|_| {
        let failed: Result<()> =
            suspend_coroutine(|_| -> Result<()> { Err(Error::msg("the block")) });
        assert_eq!(failed.unwrap_err().to_string(), "the block");
        let caught = catch_unwind(AssertUnwindSafe(|| {
            suspend_cancellable_coroutine(|me: Continuation<i32>| -> Result<()> {
                std::thread::spawn(move || me.resume(1)).join().unwrap();
                panic!("after a foreign thread has claimed it");
            })
        }));
        assert!(caught.is_err());
        delay(ms(1))
    })
    .unwrap();
}

#[test]
fn an_overdue_panic_payload_is_rethrown_by_its_owner() {
    let error = coroutine_scope(|s| -> Result<()> {
        s.launch(|_| -> Result<()> { std::panic::panic_any(42_u8) });
        Ok(())
    })
    .unwrap_err();
    let caught = catch_unwind(AssertUnwindSafe(|| error.resume_unwind()));
    assert_eq!(*caught.unwrap_err().downcast_ref::<u8>().unwrap(), 42);
}
