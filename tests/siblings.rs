//! Children of one parent that end one after another on one worker, and leave it together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use switchback::prelude::*;

/// Enough for a busy machine; nothing here takes a hundredth of it.
const LONG: u64 = 30_000;

/// In the pool, where children leave together; what hangs there fails.
fn in_pool<T: Send>(block: impl for<'c> FnOnce(&'c Scope<'c, '_>) -> Result<T> + Send) -> T {
    run_blocking(|_| with_context(Dispatchers::default(), |_| with_timeout(ms(LONG), block)))
        .unwrap()
}

#[test]
fn a_parent_completes_once_after_any_number_of_children() {
    in_pool(|s| {
        for count in [1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 200, 1000] {
            let (ended, completed) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
            coroutine_scope(|inner| {
                let parent = inner.launch(|p| {
                    for _ in 0..count {
                        p.launch(|_| {
                            // ORDERING: read when the parent has been joined.
                            ended.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
                let seen = completed.clone();
                parent.invoke_on_completion(move |cause| {
                    assert!(cause.is_none());
                    seen.fetch_add(1, Ordering::Relaxed);
                });
                parent.join()?;
                assert!(parent.is_completed());
                assert!(parent.children().is_empty());
                Ok(())
            })?;
            assert_eq!(ended.into_inner(), count);
            assert_eq!(completed.load(Ordering::Relaxed), 1, "of {count} children");
        }
        assert!(s.job().children().is_empty());
        Ok(())
    });
}

/// Whoever ends is followed by a child of another parent, at times; then those that have stayed leave before.
#[test]
fn the_children_of_many_parents_take_turns() {
    const PARENTS: usize = 7;
    const CHILDREN: u64 = 300;
    in_pool(|_| {
        let ended: Vec<AtomicU64> = (0..PARENTS).map(|_| AtomicU64::new(0)).collect();
        coroutine_scope(|s| {
            let parents: Vec<_> = ended
                .iter()
                .map(|ended| {
                    s.launch(move |p| {
                        for number in 0..CHILDREN {
                            p.launch(move |_| {
                                if number % 5 == 0 {
                                    yield_()?;
                                }
                                ended.fetch_add(1, Ordering::Relaxed);
                                Ok(())
                            });
                            if number % 3 == 0 {
                                yield_()?;
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            for (parent, ended) in parents.iter().zip(&ended) {
                parent.join()?;
                assert_eq!(ended.load(Ordering::Relaxed), CHILDREN);
            }
            Ok(())
        })
    });
}

/// The one for which they have stayed suspends for long: their parent waits for that one, and nobody else does.
#[test]
fn a_sibling_that_follows_and_waits_keeps_nobody_but_its_parent() {
    in_pool(|s| {
        for round in 0..50 {
            let gate = CompletableDeferred::new();
            let started = AtomicU64::new(0);
            coroutine_scope(|inner| {
                let held = inner.launch(|p| {
                    for number in 0..40 {
                        let (gate, started) = (&gate, &started);
                        p.launch(move |_| {
                            started.fetch_add(1, Ordering::Relaxed);
                            if number % 8 == 7 {
                                gate.await_()?;
                            }
                            Ok(())
                        });
                    }
                });
                let free = inner.launch(|p| {
                    for _ in 0..40 {
                        p.launch(|_| ());
                    }
                });
                free.join()?;
                while started.load(Ordering::Relaxed) < 40 {
                    yield_()?;
                }
                assert!(!held.is_completed(), "in round {round}");
                gate.complete(());
                held.join()
            })?;
        }
        assert!(s.job().children().is_empty());
        Ok(())
    });
}

#[test]
fn a_cancelled_parent_completes_when_all_its_waiting_children_have_ended() {
    in_pool(|_| {
        for count in [1, 15, 16, 17, 100, 1000] {
            let cleaned = AtomicU64::new(0);
            let started = AtomicU64::new(0);
            coroutine_scope(|s| {
                let parent = s.launch(|p| {
                    for _ in 0..count {
                        p.launch(|_| {
                            started.fetch_add(1, Ordering::Relaxed);
                            let ended = await_cancellation::<()>();
                            cleaned.fetch_add(1, Ordering::Relaxed);
                            ended
                        });
                    }
                });
                while started.load(Ordering::Relaxed) < count {
                    yield_()?;
                }
                parent.cancel_and_join()?;
                assert!(parent.is_cancelled() && parent.is_completed());
                assert!(parent.children().is_empty());
                assert_eq!(cleaned.load(Ordering::Relaxed), count);
                Ok(())
            })?;
        }
        Ok(())
    });
}

/// A failure among siblings goes to the parent, whoever has stayed with it.
#[test]
fn a_failure_among_siblings_is_the_parents() {
    in_pool(|_| {
        for failing in [0, 1, 14, 15, 16, 39] {
            let failed = coroutine_scope(|s| {
                for number in 0..40 {
                    s.launch(move |_| {
                        if number == failing {
                            Err(Error::msg("one has failed"))
                        } else {
                            Ok(())
                        }
                    });
                }
                Ok(())
            });
            assert_eq!(failed.unwrap_err().to_string(), "one has failed");
        }
        Ok(())
    });
}

/// An error that does something when it is dropped.
struct Parting<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> std::fmt::Debug for Parting<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error that parts")
    }
}

impl<F: Fn() + Send + Sync> std::fmt::Display for Parting<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error that parts")
    }
}

impl<F: Fn() + Send + Sync> std::error::Error for Parting<F> {}

impl<F: Fn() + Send + Sync> Drop for Parting<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// The error of a coroutine that nobody holds goes with it, at once: a sibling may wait for that.
#[test]
fn what_a_sibling_leaves_behind_is_dropped_while_the_next_one_waits_for_it() {
    in_pool(|_| {
        for round in 0..100 {
            let met = with_context(CoroutineExceptionHandler::new(|_, _| {}), |_| {
                supervisor_scope(|s| {
                    let gate = Arc::new(CompletableDeferred::new());
                    for _ in 0..6 {
                        s.launch(|_| ());
                    }
                    let dropped = gate.clone();
                    s.launch(move |_| -> Result<()> {
                        Err(Error::new(Parting(move || {
                            dropped.complete(());
                        })))
                    });
                    let waits =
                        s.async_(move |_| with_timeout_or_none(ms(2_000), |_| gate.await_()));
                    waits.await_()
                })
            })?;
            assert!(met.is_some(), "in round {round}");
        }
        Ok(())
    });
}

/// Whoever was cancelled before it started does not run, whichever destructor has cancelled it. (On another thread one may have
/// started before, and look only later; on the same one nothing comes in between.)
#[test]
fn a_sibling_that_is_cancelled_by_what_another_leaves_behind_does_not_start() {
    let ran = Arc::new(AtomicU64::new(0));
    in_pool(|_| {
        for _ in 0..100 {
            let ran = &ran;
            with_context(CoroutineExceptionHandler::new(|_, _| {}), |_| {
                supervisor_scope(|s| {
                    let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
                    let canceller = Arc::new(Mutex::new(None));
                    // Nobody looks at the list before it is complete.
                    let mut list = jobs.lock().unwrap();
                    for number in 0..40 {
                        let canceller = canceller.clone();
                        if number == 12 {
                            let jobs = jobs.clone();
                            s.launch(move |_| -> Result<()> {
                                Err(Error::new(Parting(move || {
                                    jobs.lock().unwrap().iter().for_each(Job::cancel);
                                    *canceller.lock().unwrap() = Some(thread::current().id());
                                })))
                            });
                        } else {
                            list.push(s.launch(move |_| {
                                if *canceller.lock().unwrap() == Some(thread::current().id()) {
                                    ran.fetch_add(1, Ordering::Relaxed);
                                }
                            }));
                        }
                    }
                    drop(list);
                    Ok(())
                })
            })?;
        }
        Ok(())
    });
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}

/// A handler of the parent that takes its time holds up nobody who could start on another worker.
#[test]
fn what_has_not_started_is_not_kept_back_while_the_parents_handlers_run() {
    for round in 0..50 {
        let (started, has_started) = mpsc::channel();
        let has_started = Mutex::new(has_started);
        let seen = Arc::new(AtomicBool::new(false));
        in_pool(|s| {
            let parent = Job::by_hand_under(&s.job());
            let scope = CoroutineScope::new(parent.clone() + Dispatchers::default());
            for _ in 0..6 {
                scope.launch(|_| ());
            }
            let seen = seen.clone();
            parent.invoke_on_completion(move |_| {
                let waited = has_started.lock().unwrap().recv_timeout(ms(5_000));
                seen.store(waited.is_ok(), Ordering::SeqCst);
            });
            s.launch(move |_| {
                // Nobody listens if it came too late.
                let _ = started.send(());
            });
            parent.complete();
            parent.join()
        });
        assert!(seen.load(Ordering::SeqCst), "in round {round}");
    }
}
