//! Cancellation unwinds nothing, so a build without unwinding has all of it: cancelled delays and joins, time limits,
//! supervised failures, and the cleanup of each by destructors.
//!
//! ```text
//! cargo run --release --config 'profile.release.panic="abort"' --example panic_abort
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;

/// Coroutines of each kind.
const COUNT: usize = 100;

/// What the coroutines own, and how many of them were told that they are cancelled.
#[derive(Default)]
struct Tally {
    held: AtomicUsize,
    cleaned_up: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Tally {
    /// Takes something that has to be given back.
    fn hold(&self) -> Held<'_> {
        self.held.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// Counts the end of a wait that was to be cut short, and passes it on.
    fn count<T>(&self, waited: Result<T>) -> Result<T> {
        let error = waited.as_ref().err();
        assert!(error.is_some_and(Error::is_cancelled));
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        waited
    }
}

struct Held<'a>(&'a Tally);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.cleaned_up.fetch_add(1, Ordering::Relaxed);
    }
}

/// Three frames with something to clean up in each.
fn deep_wait(tally: &Tally, depth: usize) -> Result<()> {
    let _held = tally.hold();
    match depth {
        0 => delay(ms(100_000)),
        _ => deep_wait(tally, depth - 1),
    }
}

fn cancelled_delays(tally: &Tally) -> Result<()> {
    run_blocking(|s| {
        let jobs =
            Vec::from_iter((0..COUNT).map(|_| s.launch(|_| tally.count(deep_wait(tally, 2)))));
        yield_()?;
        for job in &jobs {
            job.cancel_and_join()?;
            assert!(job.is_cancelled() && job.is_completed());
        }
        Ok(())
    })
}

fn cancelled_joins(tally: &Tally) -> Result<()> {
    run_blocking(|s| {
        let endless = s.launch(|_| tally.count(deep_wait(tally, 0)));
        coroutine_scope(|s| {
            let waiting = s.launch(|s| {
                for _ in 0..COUNT {
                    s.launch(|_| {
                        let _held = tally.hold();
                        tally.count(endless.join())
                    });
                }
                tally.count(endless.join())
            });
            // Once for the parent to start, once for its children.
            yield_()?;
            yield_()?;
            waiting.cancel_and_join()
        })?;
        // Those who waited were cancelled, not what they waited for.
        assert!(endless.is_active());
        endless.cancel_and_join()
    })
}

fn cancelled_on_the_pool(tally: &Tally) -> Result<()> {
    coroutine_scope(|s| {
        let jobs = Vec::from_iter((0..COUNT).map(|_| {
            s.async_(|_| {
                let _held = tally.hold();
                let waited = suspend_cancellable_coroutine(|continuation: Continuation<()>| {
                    let canceller = current_job();
                    std::thread::spawn(move || {
                        canceller.cancel();
                        continuation.resume(());
                    });
                });
                // The coroutine's last wish, which the cancellation does not reach.
                non_cancellable(|_| delay(ms(1)))?;
                tally.count(waited)
            })
            .job()
        }));
        jobs.iter().try_for_each(Job::join)
    })
}

fn current_job() -> Job {
    switchback::current_job().expect("called in a coroutine")
}

fn timeouts(tally: &Tally) -> Result<()> {
    run_blocking(|s| {
        for _ in 0..COUNT {
            s.launch(|_| {
                let late = with_timeout(ms(2), |_| tally.count(deep_wait(tally, 1)));
                assert!(late.is_err_and(|error| error.is_timeout()));
                let none = with_timeout_or_none(ms(2), |_| tally.count(deep_wait(tally, 1)));
                assert!(none?.is_none());
                Ok(())
            });
        }
        Ok(())
    })
}

fn failures(tally: &Tally) -> Result<()> {
    let good = supervisor_scope(|s| {
        let answers = Vec::from_iter((0..COUNT).map(|number| {
            s.async_(move |_| {
                let _held = tally.hold();
                yield_()?;
                match number % 2 {
                    0 => Ok(number),
                    _ => Err(Error::msg("an odd one")),
                }
            })
        }));
        Ok(answers
            .into_iter()
            .filter_map(|answer| answer.await_().ok())
            .count())
    })?;
    assert_eq!(good, COUNT / 2);

    // Without a supervisor the first failure cancels the others.
    let failed = coroutine_scope(|s| {
        for _ in 1..COUNT {
            s.launch(|_| deep_wait(tally, 0));
        }
        s.launch(|_| {
            let _held = tally.hold();
            delay(ms(1))?;
            Err(Error::msg("the first failure"))
        });
        tally.count(delay(ms(100_000)))
    });
    assert_eq!(failed.unwrap_err().to_string(), "the first failure");
    Ok(())
}

fn main() -> Result<()> {
    let tally = Tally::default();
    cancelled_delays(&tally)?;
    cancelled_joins(&tally)?;
    cancelled_on_the_pool(&tally)?;
    timeouts(&tally)?;
    failures(&tally)?;

    let cancelled = tally.cancelled.into_inner();
    let (held, cleaned_up) = (tally.held.into_inner(), tally.cleaned_up.into_inner());
    assert_eq!(cancelled, COUNT + (COUNT + 2) + COUNT + 2 * COUNT + 1);
    assert_eq!(held, cleaned_up);
    let strategy = if cfg!(panic = "abort") {
        "abort"
    } else {
        "unwind"
    };
    println!("panic = {strategy}: cancelled {cancelled} coroutines, all cleaned up");
    Ok(())
}
