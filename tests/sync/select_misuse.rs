//! Selects that mean no good, and panics on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use switchback::prelude::*;
use switchback::sync::ChannelBuilder;

use crate::support::Log;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_lock_that_one_holds_oneself_is_an_error() {
    let lock = Mutex::new(());
    run_blocking(|_| {
        let _held = lock.lock()?;
        let error = select(|s| {
            s.on_lock(&lock, |_| Ok(()));
            s.on_timeout(LONG, || Ok(()));
        })
        .unwrap_err();
        assert_eq!(
            error.to_string().matches("select_misuse.rs").count(),
            2,
            "{error}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_select_without_clauses_is_an_error_that_names_its_place() {
    let error = select::<()>(|_| ()).unwrap_err();
    assert!(error.to_string().contains("select_misuse.rs"), "{error}");
    let (tx, _rx) = channel::<i32>(Capacity::rendezvous());
    let mut empty = None;
    let error = select(|s| s.on_send_from(&tx, &mut empty, || Ok(()))).unwrap_err();
    assert!(error.to_string().contains("no clauses"), "{error}");
    assert!(select_unbiased::<()>(|_| ()).is_err());
}

#[test]
fn clauses_that_were_exchanged_for_another_coroutines_are_refused() {
    let zero = Duration::ZERO;
    let mut inner = Ok(0);
    let outer = select(|outer| {
        outer.on_timeout(zero, || Ok(1));
        // The same coroutine: nothing is wrong with that.
        let nested = select(|nested| {
            nested.on_timeout(zero, || Ok(2));
            std::mem::swap(outer, nested);
        });
        assert_eq!(nested.unwrap(), 1);
        run_blocking(|s| {
            s.launch_local(|_| {
                inner = select(|other| {
                    other.on_timeout(zero, || Ok(3));
                    std::mem::swap(outer, other);
                });
            });
            Ok(())
        })
        .unwrap();
    });
    for refused in [inner, outer] {
        assert!(refused.unwrap_err().to_string().contains("exchanged"));
    }
}

#[test]
fn a_handler_that_panics_leaves_nothing_behind() {
    let (tx, rx) = channel(Capacity::buffered(2));
    let (_silent, never) = channel::<i32>(Capacity::rendezvous());
    let lock = Mutex::new(());
    run_blocking(|_| {
        tx.send(1)?;
        let failed = supervisor_scope(|s| {
            let job = s.async_(|_| {
                select(|s| {
                    s.on_recv(&never, |_| Ok(()));
                    s.on_recv(&rx, |n| panic!("handler {n}"));
                    s.on_lock(&lock, |_| Ok(()));
                })
            });
            Ok(job.await_())
        })?;
        assert!(failed.unwrap_err().is_panic());
        assert!(!lock.is_locked() && rx.is_empty());
        // The guard that it was given is released on the way.
        let failed = supervisor_scope(|s| {
            let job =
                s.async_(|_| select(|s| s.on_lock(&lock, |_| -> Result<()> { panic!("held") })));
            Ok(job.await_())
        })?;
        assert!(failed.unwrap_err().is_panic());
        assert!(!lock.is_locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_while_clauses_are_written_gives_values_back() {
    let (tx, rx) = channel(Capacity::buffered(1));
    let mut value = Some(5);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        select(|s| {
            s.on_send_from(&tx, &mut value, || Ok(()));
            panic!("while writing");
        })
    }));
    assert!(panic.is_err());
    assert_eq!(value, Some(5));
    assert!(rx.is_empty());
}

/// Panics when it goes.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[test]
fn a_loser_that_panics_as_it_goes_gives_up_what_the_winner_holds() {
    let log = Arc::new(Log::default());
    let lost = Arc::clone(&log);
    let (tx, rx) = ChannelBuilder::new(Capacity::buffered(1))
        .on_undelivered_element(move |n: i32| lost.put(format!("lost {n}")))
        .build();
    let (lock, seats) = (Mutex::new(()), Semaphore::new(1));
    tx.send(1).unwrap();
    for winner in 0..3 {
        let bomb = Bomb;
        let panic = catch_unwind(AssertUnwindSafe(|| {
            select::<()>(|s| {
                match winner {
                    0 => s.on_recv(&rx, |_| panic!("must not run")),
                    1 => s.on_lock(&lock, |_| panic!("must not run")),
                    _ => s.on_permit(&seats, |_| panic!("must not run")),
                }
                s.on_timeout(LONG, move || {
                    let _bomb = bomb;
                    Ok(())
                });
            })
        }));
        let payload = panic.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"bomb"));
    }
    log.expect(&["lost 1"]);
    assert!(!lock.is_locked());
    assert_eq!(seats.available_permits(), 1);
}

#[test]
fn in_a_handler_of_the_runtime_a_select_works_only_if_it_need_not_wait() {
    let log = Arc::new(Log::default());
    let (tx, rx) = channel(Capacity::buffered(1));
    run_blocking(|s| {
        tx.send(1)?;
        let told = Arc::clone(&log);
        let job = s.launch(|_| ());
        job.invoke_on_completion(move |_| {
            told.put(select(|s| s.on_recv(&rx, Ok)).is_ok());
            let refused = select(|s| {
                s.on_recv(&rx, |_| Ok(()));
                s.on_timeout(ms(1), || Ok(()));
            });
            told.put(refused.unwrap_err());
            drop(tx);
        });
        job.join()
    })
    .unwrap();
    let told = log.take();
    assert_eq!(told[0], "true");
    assert!(told[1].contains("handler"), "{told:?}");
}

#[test]
fn clauses_can_be_printed() {
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    let mut shown = String::new();
    select(|s| {
        s.on_timeout(Duration::ZERO, || Ok(()));
        s.on_recv(&rx, |_| Ok(()));
        shown = format!("{s:?}");
    })
    .unwrap();
    assert_eq!(shown, "Select { clauses: 2, .. }");
}
