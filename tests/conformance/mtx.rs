//! Mutex and semaphore.

use std::panic::catch_unwind;

use switchback::prelude::*;
use switchback::sync::{Mutex, Semaphore};
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Trace, attempt, boom, t};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(mtx_01_fifo),
    scenario!(mtx_02_try_lock),
    scenario!(
        mtx_03_owner_errors,
        refused: ["lock_given_up_twice", "lock_guard_goes_to_a_child"],
        without: [
            "unlock free: IllegalStateException",
            "unlock by another owner: IllegalStateException",
            "unlock by the former owner: IllegalStateException"
        ]
    ),
    scenario!(mtx_04_with_lock_releases),
    scenario!(mtx_05_cancelled_waiter),
    scenario!(
        mtx_06_not_reentrant,
        differs: "Locking a mutex that one holds oneself",
        "inner: told that it holds the lock itself\n\
         inner, with an owned guard outside: null\n\
         still held: true\n\
         released: true\n\
         END\n"
    ),
    scenario!(mtx_07_counter),
    scenario!(
        mtx_08_semaphore_counting,
        refused: ["permit_given_back_twice"],
        without: ["one release too many: IllegalStateException", "available 3"]
    ),
    scenario!(mtx_09_semaphore_limits),
];

fn mtx_01_fifo(trace: &'static Trace) -> Result<()> {
    let lock = Mutex::new(());
    run_test(|s| {
        let held = lock.lock()?;
        for n in 1..=4 {
            let lock = &lock;
            s.launch(move |_| {
                lock.with_lock(|()| {
                    t!(trace, "{n} in");
                    delay(ms(5))?;
                    t!(trace, "{n} out");
                    Ok(())
                })
            });
        }
        yield_()?;
        t!(trace, "unlocking");
        drop(held);
        Ok(())
    })
}

fn mtx_02_try_lock(trace: &'static Trace) -> Result<()> {
    let lock = Mutex::new(());
    run_test(|s| {
        let held = lock.try_lock();
        t!(
            trace,
            "tryLock: {} again: {} locked: {}",
            held.is_some(),
            lock.try_lock().is_some(),
            lock.is_locked()
        );
        // Our owner is the coroutine that has taken the lock.
        let other = s.async_(|_| Ok(lock.is_held_here())).await_()?;
        t!(
            trace,
            "holdsLock me: {} other: {other}",
            lock.is_held_here()
        );
        drop(held);
        t!(
            trace,
            "after unlock: {} holdsLock: {}",
            lock.is_locked(),
            lock.is_held_here()
        );
        Ok(())
    })
}

fn mtx_03_owner_errors(trace: &'static Trace) -> Result<()> {
    let refused = |what: &str, is_refused: bool| {
        let told = if is_refused {
            ": IllegalStateException"
        } else {
            " worked"
        };
        t!(trace, "{what}{told}");
    };
    let lock = Mutex::new(());
    run_test(|_| {
        let held = lock.lock()?;
        refused("lock by the same owner", lock.lock().is_err());
        // The form that does not wait gives nothing; whose the lock is, is a question of its own.
        let is_own = lock.try_lock().is_none() && lock.is_held_here();
        refused("tryLock by the same owner", is_own);
        t!(
            trace,
            "locked: {} by a: {}",
            lock.is_locked(),
            lock.is_held_here()
        );
        drop(held);
        refused("unlock without owner", lock.is_locked());
        t!(trace, "locked: {}", lock.is_locked());
        Ok(())
    })
}

fn mtx_04_with_lock_releases(trace: &'static Trace) -> Result<()> {
    let lock = Mutex::new(());
    run_test(|s| {
        let value = lock.with_lock(|()| Ok(1))?;
        t!(trace, "value {value} locked: {}", lock.is_locked());
        attempt(trace, "throwing", || {
            lock.with_lock(|()| boom::<()>("inside"))
        });
        t!(trace, "locked: {}", lock.is_locked());
        let job = s.launch(|_| lock.with_lock(|()| delay(ms(1000))));
        yield_()?;
        t!(trace, "held: {}", lock.is_locked());
        job.cancel_and_join()?;
        t!(trace, "after cancel: {}", lock.is_locked());
        Ok(())
    })
}

fn mtx_05_cancelled_waiter(trace: &'static Trace) -> Result<()> {
    let lock = Mutex::new(());
    run_test(|s| {
        let held = lock.lock()?;
        let a = s.launch(|_| {
            let result = lock.with_lock(|()| {
                t!(trace, "a must not get it");
                Ok(())
            });
            if result.as_ref().is_err_and(Error::is_cancelled) {
                t!(trace, "a cancelled");
            }
            result
        });
        let b = s.launch(|_| {
            lock.with_lock(|()| {
                t!(trace, "b got it");
                Ok(())
            })
        });
        yield_()?;
        a.cancel_and_join()?;
        drop(held);
        b.join()?;
        t!(trace, "locked: {}", lock.is_locked());
        Ok(())
    })
}

fn mtx_06_not_reentrant(trace: &'static Trace) -> Result<()> {
    let lock = std::sync::Arc::new(Mutex::new(()));
    run_test(|_| {
        let inner = || {
            with_timeout_or_none(ms(40), |_| {
                lock.with_lock(|()| Ok("entered")).map(str::to_owned)
            })
        };
        lock.with_lock(|()| {
            if inner().is_err_and(|error| error.to_string().contains("held by the same coroutine"))
            {
                t!(trace, "inner: told that it holds the lock itself");
            }
            Ok(())
        })?;
        // Such a guard is nobody's in particular: here it is as in Kotlin.
        let held = lock.lock_owned()?;
        let entered = inner()?;
        t!(
            trace,
            "inner, with an owned guard outside: {}",
            entered.as_deref().unwrap_or("null")
        );
        t!(trace, "still held: {}", lock.is_locked());
        drop(held);
        t!(trace, "released: {}", !lock.is_locked());
        Ok(())
    })
}

fn mtx_07_counter(trace: &'static Trace) -> Result<()> {
    let lock = Mutex::new(0);
    run_blocking(|_| {
        with_context(Dispatchers::default(), |s| {
            for _ in 0..100 {
                s.launch(|_| {
                    for _ in 0..100 {
                        lock.with_lock(|n| {
                            *n += 1;
                            Ok(())
                        })?;
                    }
                    Ok(())
                });
            }
            Ok(())
        })?;
        t!(trace, "{}", *lock.lock()?);
        Ok(())
    })
}

fn mtx_08_semaphore_counting(trace: &'static Trace) -> Result<()> {
    let permits = Semaphore::new(3);
    run_test(|s| {
        let first = permits.acquire()?;
        t!(trace, "available {}", permits.available_permits());
        let (second, third) = (permits.acquire()?, permits.acquire()?);
        t!(
            trace,
            "available {} tryAcquire {}",
            permits.available_permits(),
            permits.try_acquire().is_some()
        );
        let waiter = s.async_(|_| {
            let permit = permits.acquire()?;
            t!(trace, "waiter got a permit");
            Ok(permit)
        });
        yield_()?;
        drop(first);
        let fourth = waiter.await_()?;
        for permit in [second, third, fourth] {
            drop(permit);
        }
        t!(trace, "available {}", permits.available_permits());
        if catch_unwind(|| Semaphore::new(0)).is_err() {
            t!(trace, "Semaphore(0): IllegalArgumentException");
        }
        // There is no constructor that could be told of more taken permits than there are; who takes them finds none.
        let two = Semaphore::new(2);
        let taken = [(); 3].map(|()| two.try_acquire());
        if taken[2].is_none() {
            t!(trace, "Semaphore(2, 3): IllegalArgumentException");
        }
        Ok(())
    })
}

fn mtx_09_semaphore_limits(trace: &'static Trace) -> Result<()> {
    let permits = Semaphore::new(2);
    let inside = Mutex::new((0, 0));
    run_test(|s| {
        coroutine_scope(|s| {
            for n in 1..=5 {
                let (permits, inside) = (&permits, &inside);
                s.launch(move |_| {
                    permits.with_permit(|| {
                        inside.with_lock(|(now, most)| {
                            *now += 1;
                            *most = i32::max(*most, *now);
                            Ok(())
                        })?;
                        t!(trace, "{n} starts");
                        delay(ms(20 + n))?;
                        inside.with_lock(|(now, _)| {
                            *now -= 1;
                            Ok(())
                        })
                    })
                });
            }
            Ok(())
        })?;
        t!(trace, "most at once: {}", inside.lock()?.1);
        attempt(trace, "throwing", || {
            permits.with_permit(|| boom::<()>("inside"))
        });
        let job = s.launch(|_| permits.with_permit(|| delay(ms(1000))));
        yield_()?;
        job.cancel_and_join()?;
        t!(trace, "available {}", permits.available_permits());
        Ok(())
    })
}
