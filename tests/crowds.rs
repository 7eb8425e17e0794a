//! Many who wait for one job: they are claimed and handed back some at a time, while the first go on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use switchback::CompletableDeferred;
use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;
use switchback::sync::select;

/// Around what is claimed at a time, and several times that.
const COUNTS: [usize; 7] = [1, 63, 64, 65, 128, 129, 1000];

/// Enough for a busy machine; nothing here takes a hundredth of it.
const LONG: u64 = 30_000;

fn in_time(block: impl FnOnce() -> Result<()>) {
    run_blocking(|_| with_timeout(ms(LONG), |_| block())).unwrap();
}

/// Waits until so many have said that they are about to wait, and gives the last of these a moment to do so; who has not then
/// finds the job completed, and goes on as well.
fn await_count(count: &AtomicUsize, expected: usize) -> Result<()> {
    while count.load(Ordering::SeqCst) < expected {
        yield_()?;
    }
    delay(ms(1))
}

/// A state machine that waits for a job, and counts.
struct Joins {
    job: Option<Job>,
    waiting: Arc<AtomicUsize>,
    woken: Arc<AtomicUsize>,
}

impl StateMachine for Joins {
    type Output = ();

    fn resume(&mut self, _label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match self.job.take() {
            Some(job) => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                turn.at(1).join(&job)
            }
            None => {
                turn.woken()?;
                self.woken.fetch_add(1, Ordering::SeqCst);
                Ok(Step::Return(()))
            }
        }
    }
}

#[test]
fn all_are_woken_once_however_they_wait() {
    for count in COUNTS {
        let gate = Arc::new(CompletableDeferred::new());
        let other = Arc::new(CompletableDeferred::new());
        let waiting = Arc::new(AtomicUsize::new(0));
        let woken = Arc::new(AtomicUsize::new(0));
        let plain = {
            let (job, woken) = (gate.job(), woken.clone());
            thread::spawn(move || {
                job.join().unwrap();
                woken.fetch_add(1, Ordering::SeqCst);
            })
        };
        in_time(|| {
            coroutine_scope(|s| {
                for number in 0..count {
                    let (gate, other) = (gate.clone(), other.clone());
                    let (waiting, woken) = (waiting.clone(), woken.clone());
                    let dispatcher = match number % 3 {
                        0 => Dispatchers::default(),
                        1 => Dispatchers::unconfined(),
                        _ => Dispatchers::io(),
                    };
                    let builder = s.builder();
                    let builder = if number % 4 == 0 {
                        builder
                    } else {
                        builder.dispatcher(dispatcher)
                    };
                    if number % 7 == 6 {
                        let job = Some(gate.job());
                        builder.launch_machine(Joins {
                            job,
                            waiting,
                            woken,
                        });
                        continue;
                    }
                    builder.launch(move |_| {
                        waiting.fetch_add(1, Ordering::SeqCst);
                        match number % 5 {
                            0 => gate.join()?,
                            1 => join_all([gate.job(), other.job()])?,
                            2 => select(|s| {
                                s.on_await(&*gate, Ok);
                                s.on_timeout(ms(LONG), || Err(Error::msg("too late")));
                            })?,
                            _ => gate.await_()?,
                        }
                        woken.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    });
                }
                await_count(&waiting, count)?;
                other.complete(());
                assert_eq!(woken.load(Ordering::SeqCst), 0);
                assert!(gate.complete(()));
                Ok(())
            })
        });
        plain.join().unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), count + 1, "of {count}");
    }
}

#[test]
fn who_came_first_goes_on_first() {
    const COUNT: usize = 300;
    let order = Mutex::new(Vec::new());
    let gate = CompletableDeferred::new();
    in_time(|| {
        coroutine_scope(|s| {
            for number in 0..COUNT {
                let (gate, order) = (&gate, &order);
                s.launch(move |_| {
                    gate.await_()?;
                    order.lock().unwrap().push(number);
                    Ok(())
                });
            }
            yield_()?;
            gate.complete(());
            Ok(())
        })
    });
    assert!(order.into_inner().unwrap().into_iter().eq(0..COUNT));
}

/// One of the first goes on in place, while the last are still in the list of a job that has completed, and cancels some of these:
/// they take themselves out.
#[test]
fn who_is_cancelled_while_the_others_are_woken_leaves_the_crowd() {
    const COUNT: usize = 400;
    const CANCELLER: usize = 70;
    for stride in [1, 2, 64, 127] {
        let is_cancelled = move |number: usize| number > CANCELLER && number.is_multiple_of(stride);
        let gate = CompletableDeferred::new();
        let jobs = Mutex::new(Vec::<Job>::new());
        let woken = Mutex::new(Vec::new());
        in_time(|| {
            coroutine_scope(|s| {
                for number in 0..COUNT {
                    let (gate, jobs, woken) = (&gate, &jobs, &woken);
                    if number == CANCELLER {
                        let builder = s.builder().dispatcher(Dispatchers::unconfined());
                        let canceller = builder.launch(move |_| {
                            gate.await_()?;
                            let jobs = jobs.lock().unwrap();
                            let all = jobs.iter().enumerate();
                            all.filter(|(number, _)| is_cancelled(*number))
                                .for_each(|(_, job)| job.cancel());
                            Ok(())
                        });
                        jobs.lock().unwrap().push(canceller);
                        continue;
                    }
                    let job = s.launch(move |_| {
                        gate.await_()?;
                        woken.lock().unwrap().push(number);
                        Ok(())
                    });
                    jobs.lock().unwrap().push(job);
                    yield_()?;
                }
                gate.complete(());
                Ok(())
            })
        });
        let woken = woken.into_inner().unwrap();
        let jobs = jobs.into_inner().unwrap();
        for (number, job) in jobs.iter().enumerate() {
            assert!(job.is_completed());
            assert_eq!(job.is_cancelled(), is_cancelled(number), "{number}");
        }
        let expected = (0..COUNT).filter(|number| *number != CANCELLER && !is_cancelled(*number));
        assert!(woken.into_iter().eq(expected), "every {stride}th");
    }
}

/// The frame that waits for a scope may be gone as soon as it is woken, so all others are claimed before.
#[test]
fn a_scope_wakes_all_who_wait_for_it() {
    for count in COUNTS {
        let (waiting, woken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        in_time(|| {
            coroutine_scope(|s| {
                with_context(Dispatchers::default(), |_| {
                    coroutine_scope(|inner| {
                        let job = inner.job();
                        for _ in 0..count {
                            let (job, waiting, woken) = (job.clone(), &waiting, &woken);
                            s.launch(move |_| {
                                waiting.fetch_add(1, Ordering::SeqCst);
                                job.join()?;
                                woken.fetch_add(1, Ordering::SeqCst);
                                Ok(())
                            });
                        }
                        await_count(&waiting, count)
                    })
                })
            })
        });
        assert_eq!(woken.into_inner(), count);
    }
}
