//! Children of one parent that end one after another on one worker, and leave it together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchback::prelude::*;

/// Enough for a busy machine; nothing here takes a hundredth of it.
const LONG: u64 = 30_000;

/// In the pool, where children leave together; what hangs there fails.
fn in_pool<T: Send>(block: impl FnOnce(&Scope<'_, '_>) -> Result<T> + Send) -> T {
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
