//! Permits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::Semaphore;

use crate::support::{Log, settle};

#[test]
fn no_more_are_inside_than_there_are_permits() {
    const LIMIT: usize = 3;
    let seats = Semaphore::new(LIMIT);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let sit = || {
        seats.with_permit(|| {
            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            delay(std::time::Duration::from_micros(200))?;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| sit().unwrap());
        }
        with_context(Dispatchers::default(), |s| {
            for _ in 0..40 {
                s.launch(|_| sit());
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(most.load(Ordering::SeqCst), LIMIT);
    assert_eq!(seats.available_permits(), LIMIT);
}

#[test]
fn permits_go_to_the_waiters_in_order_and_to_nobody_else() {
    let (log, seats) = (Log::default(), Semaphore::new(2));
    run_blocking(|s| {
        let (a, b) = (seats.acquire()?, seats.acquire()?);
        assert!(seats.try_acquire().is_none());
        for n in 1..=3 {
            let (seats, log) = (&seats, &log);
            s.launch(move |_| {
                let permit = seats.acquire()?;
                log.put(n);
                yield_()?;
                drop(permit);
                Ok(())
            });
        }
        settle()?;
        log.expect(&[]);
        drop(a);
        assert_eq!(seats.available_permits(), 0);
        assert!(seats.try_acquire().is_none());
        drop(b);
        Ok(())
    })
    .unwrap();
    log.expect(&["1", "2", "3"]);
    assert_eq!(seats.available_permits(), 2);
}

#[test]
fn a_cancelled_waiter_leaves_and_one_handed_a_permit_passes_it_on() {
    let (log, seats) = (Log::default(), Semaphore::new(1));
    run_blocking(|s| {
        let held = seats.acquire()?;
        let waiter = |name: &'static str| {
            let (seats, log) = (&seats, &log);
            s.launch(move |_| {
                let result = seats.acquire();
                log.put(format!("{name} {}", result.is_ok()));
                result.map(drop)
            })
        };
        let [a, b, c] = ["a", "b", "c"].map(waiter);
        settle()?;
        a.cancel_and_join()?;
        drop(held);
        b.cancel_and_join()?;
        c.join()?;
        log.expect(&["a false", "b false", "c true"]);
        assert_eq!(seats.available_permits(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_coroutine_gets_no_permit() {
    let seats = Semaphore::new(1);
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.cancel();
            assert!(seats.try_acquire().is_some());
            seats.acquire().map(drop)
        });
        job.join()?;
        assert!(job.is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_permit_is_given_back_wherever_it_was_taken_to() {
    let seats = Semaphore::new(1);
    run_blocking(|s| {
        let permit = seats.acquire()?;
        let elsewhere = s.builder().dispatcher(Dispatchers::default());
        let job = elsewhere.launch(move |_| drop(permit));
        // Waits for a permit that another thread gives back.
        drop(seats.acquire()?);
        job.join()
    })
    .unwrap();
    let permit = seats.try_acquire();
    std::thread::scope(|threads| {
        threads.spawn(move || drop(permit));
    });
    assert_eq!(seats.available_permits(), 1);
    assert_eq!(
        format!("{seats:?}"),
        "Semaphore { permits: 1, available: 1 }"
    );
}

#[test]
fn with_permit_gives_back_after_a_failure() {
    let seats = Semaphore::new(1);
    let result = seats.with_permit(|| -> Result<()> { Err(Error::msg("inside")) });
    assert_eq!(result.unwrap_err().to_string(), "inside");
    assert_eq!(seats.available_permits(), 1);
}

#[test]
#[should_panic(expected = "at least one permit")]
fn a_semaphore_without_permits_is_refused() {
    let _ = Semaphore::new(0);
}

#[test]
fn many_are_had_together_and_few_do_not_overtake() {
    let (log, permits) = (Log::default(), Semaphore::new(3));
    run_blocking(|s| {
        let [a, b] = [permits.acquire()?, permits.acquire()?];
        for count in [3, 1, 2] {
            let (log, permits) = (&log, &permits);
            s.launch(move |_| {
                let held = permits.acquire_many(count)?;
                log.put(format!("{count} in"));
                settle()?;
                log.put(format!("{count} out"));
                drop(held);
                Ok(())
            });
        }
        settle()?;
        assert!(permits.try_acquire().is_none(), "somebody waits");
        assert_eq!(permits.available_permits(), 1);
        drop(a);
        settle()?;
        log.expect(&[]);
        drop(b);
        Ok(())
    })
    .unwrap();
    // One and two go in together.
    log.expect(&["3 in", "3 out", "1 in", "2 in", "1 out", "2 out"]);
    assert_eq!(permits.available_permits(), 3);
}

#[test]
fn behind_one_who_wants_many_and_is_cancelled_others_go_on() {
    let permits = Semaphore::new(2);
    run_blocking(|s| {
        let held = permits.acquire()?;
        let many = s.launch(|_| permits.acquire_many(2).map(drop));
        let few = s.launch(|_| permits.acquire().map(drop));
        settle()?;
        assert!(few.is_active());
        many.cancel();
        few.join()?;
        // Handed over, and cancelled before it runs.
        let many = s.launch(|_| permits.acquire_many(2).map(drop));
        settle()?;
        drop(held);
        many.cancel_and_join()?;
        assert!(many.is_cancelled());
        Ok(())
    })
    .unwrap();
    assert_eq!(permits.available_permits(), 2);
}

#[test]
fn more_than_there_are_is_an_error_and_none_are_had_at_once() {
    let permits = Arc::new(Semaphore::new(2));
    let error = permits.acquire_many(3).unwrap_err().to_string();
    assert!(
        error.contains("3 permits") && error.contains("has 2"),
        "{error}"
    );
    assert!(permits.try_acquire_many(3).is_none());
    drop(permits.acquire_many(0).unwrap());
    let two = permits.acquire_many_owned(2).unwrap();
    assert_eq!(permits.available_permits(), 0);
    std::thread::spawn(move || drop(two)).join().unwrap();
    assert_eq!(permits.available_permits(), 2);
}
