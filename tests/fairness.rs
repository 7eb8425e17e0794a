//! Who has its turn when others work for long: nobody waits behind more than a few slices of those who yield, and no worker
//! leaves all of a long load to another.
//!
//! The claims are of order, so that they hold on a machine that is busy with other things: a slice lasts a millisecond at
//! least, and it is slices that are counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

/// A slice of what computes for long.
const SLICE: Duration = Duration::from_millis(1);
/// How many slices may begin and end between a wake-up and what it wakes. The one in whose midst it comes is not counted,
/// and the look that finds it may come after the next; a thread that loses its processor for a while makes it a few more.
/// Where looks come after so many turns, and not in time, it is 36 and more.
const FEW: usize = 12;
/// How many slices a worker may take until it knows what it is up against.
const LEARNING: usize = 20;

fn spin_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain");
        std::hint::spin_loop();
    }
}

/// Computes in slices, and yields after each. Notes when each has begun.
#[derive(Debug, Default)]
struct Hog {
    begun: Mutex<Vec<(Instant, ThreadId)>>,
    over: AtomicBool,
}

impl Hog {
    fn work(&self) -> Result<()> {
        while !self.over.load(Ordering::Relaxed) {
            let start = Instant::now();
            self.note(start);
            spin_until(|| start.elapsed() >= SLICE);
            yield_()?;
        }
        Ok(())
    }

    fn note(&self, start: Instant) {
        let begun = (start, thread::current().id());
        self.begun.lock().unwrap().push(begun);
    }

    fn slices(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// How many slices have begun in the thread of what came, after it was due.
    fn slices_before(&self, waking: &Waking) -> usize {
        let begun = self.begun.lock().unwrap();
        let passed = begun.iter().filter(|(begun, thread)| {
            (waking.due..waking.came).contains(begun) && *thread == waking.thread
        });
        passed.count()
    }
}

/// When something was due, and when and where it came.
#[derive(Debug)]
struct Waking {
    due: Instant,
    came: Instant,
    thread: ThreadId,
}

impl Waking {
    fn now(due: Instant) -> Self {
        let (came, thread) = (Instant::now(), thread::current().id());
        Self { due, came, thread }
    }
}

type Wakings = Mutex<Vec<Waking>>;

fn assert_prompt(hog: &Hog, wakings: Wakings, what: &str) {
    let wakings = wakings.into_inner().unwrap();
    assert!(!wakings.is_empty(), "no {what}");
    let passed: Vec<usize> = wakings
        .iter()
        .map(|waking| hog.slices_before(waking))
        .collect();
    assert!(
        passed.iter().all(|passed| *passed <= FEW),
        "{what}: {passed:?}"
    );
}

/// Has a hog on each worker and others beside them, to which a plain thread sends messages and launches.
fn beside_hogs(dispatcher: &Dispatcher, workers: usize) {
    const OTHERS: usize = 20;
    const TIMES: usize = 3;
    let hog = Hog::default();
    let [timers, messages, launches] = [const { Wakings::new(Vec::new()) }; 3];
    coroutine_scope(|s| {
        let on = || s.builder().dispatcher(dispatcher.clone());
        let met = Arc::new(AtomicUsize::new(0));
        for _ in 0..workers {
            let (met, hog) = (met.clone(), &hog);
            on().launch(move |_| {
                // None of them suspends before all are there, so each has a worker of its own.
                met.fetch_add(1, Ordering::SeqCst);
                spin_until(|| met.load(Ordering::SeqCst) == workers);
                hog.work()
            });
        }
        spin_until(|| hog.slices() >= LEARNING * workers);
        let mut senders = Vec::new();
        let mut all = Vec::new();
        for number in 0..OTHERS {
            let (hog, timers, messages) = (&hog, &timers, &messages);
            all.push(on().launch(move |_| {
                for time in 0..TIMES {
                    let due = Instant::now() + ms(2 + (number * 3 + time) as u64 % 7);
                    delay(due.saturating_duration_since(Instant::now()))?;
                    timers.lock().unwrap().push(Waking::now(due));
                }
                assert!(hog.slices() > LEARNING);
                Ok(())
            }));
            let (sender, receiver) = channel::<Instant>(Capacity::unlimited());
            senders.push(sender);
            all.push(on().launch(move |_| {
                for sent in &receiver {
                    messages.lock().unwrap().push(Waking::now(sent?));
                }
                Ok(())
            }));
        }
        for _ in 0..TIMES {
            for sender in &senders {
                sender.send(Instant::now()).unwrap();
                thread::sleep(Duration::from_micros(300));
            }
            let (launched, launches) = (Instant::now(), &launches);
            all.push(on().launch(move |_| {
                launches.lock().unwrap().push(Waking::now(launched));
            }));
        }
        drop(senders);
        join_all(&all)?;
        hog.over.store(true, Ordering::Relaxed);
        Ok(())
    })
    .unwrap();
    assert_prompt(&hog, timers, "timers");
    assert_prompt(&hog, messages, "messages");
    assert_prompt(&hog, launches, "launches");
}

#[test]
fn beside_hogs_that_yield_all_others_have_their_turn_on_the_workers_of_a_pool() {
    let pool = new_fixed_thread_pool_context(2, "hogged").unwrap();
    beside_hogs(&pool, 2);
}

#[test]
fn beside_hogs_that_yield_all_others_have_their_turn_on_a_thread_of_its_own() {
    let thread = switchback::new_single_thread_context("hogged").unwrap();
    beside_hogs(&thread, 1);
}

/// Has a hog on each of two workers, which one of them launches many beside that wait: about half of these are given to the other
/// one.
#[test]
fn what_was_given_to_a_worker_starts_beside_a_hog_that_yields() {
    const COUNT: usize = 100;
    let pool = new_fixed_thread_pool_context(2, "giving").unwrap();
    let hog = Hog::default();
    let started = Wakings::default();
    let launcher = Mutex::new(None);
    with_context((*pool).clone(), |_| {
        coroutine_scope(|s| {
            let met = Arc::new(AtomicUsize::new(0));
            for _ in 0..2 {
                let (met, hog) = (Arc::clone(&met), &hog);
                s.launch(move |_| {
                    met.fetch_add(1, Ordering::SeqCst);
                    spin_until(|| met.load(Ordering::SeqCst) == 2);
                    hog.work()
                });
            }
            while hog.slices() < 2 * LEARNING {
                delay(SLICE)?;
            }
            *launcher.lock().unwrap() = Some(thread::current().id());
            let launched = Instant::now();
            for _ in 0..COUNT {
                let (started, hog) = (&started, &hog);
                s.launch(move |_| {
                    let mut started = started.lock().unwrap();
                    started.push(Waking::now(launched));
                    hog.over.store(started.len() == COUNT, Ordering::Relaxed);
                    drop(started);
                    await_cancellation::<()>()
                });
            }
            while !hog.over.load(Ordering::Relaxed) {
                delay(SLICE)?;
            }
            s.job().cancel_children();
            Ok(())
        })
    })
    .unwrap();
    pool.close();
    let launcher = launcher.into_inner().unwrap();
    let is_given = |start: &&Waking| Some(start.thread) != launcher;
    let given = started.lock().unwrap().iter().filter(is_given).count();
    assert!(given > COUNT / 4, "{given} were given");
    assert_prompt(&hog, started, "starts");
}

#[test]
fn timers_have_their_turn_while_what_was_launched_works_for_long() {
    let pool = new_fixed_thread_pool_context(2, "backlog").unwrap();
    let work = Hog::default();
    let wakings = Wakings::default();
    with_context(pool.clone(), |_| {
        coroutine_scope(|s| {
            let timer = s.launch(|_| {
                for _ in 0..20 {
                    let due = Instant::now() + ms(2);
                    delay(ms(2))?;
                    wakings.lock().unwrap().push(Waking::now(due));
                }
                Ok(())
            });
            // None of these suspends, and all of them wait at once.
            for _ in 0..400 {
                let work = &work;
                s.launch(move |_| {
                    let start = Instant::now();
                    work.note(start);
                    spin_until(|| start.elapsed() >= SLICE);
                });
            }
            timer.join()
        })
    })
    .unwrap();
    let passed: Vec<usize> = wakings
        .into_inner()
        .unwrap()
        .iter()
        .map(|waking| work.slices_before(waking))
        .collect();
    // At first the worker does not know yet how long they work.
    let late = passed.iter().filter(|passed| **passed > FEW).count();
    assert!(late <= 3, "{passed:?}");
    assert!(
        passed.iter().all(|passed| *passed <= LEARNING),
        "{passed:?}"
    );
}

/// How many of those that start, compute and then wait have begun before one that has slept for a shorter time goes on. The
/// worker has just had short turns, so the next look that it has planned is far away.
fn starts_before_a_sleeper<'scope>(s: &'scope Scope<'scope, '_>) -> Result<usize> {
    for _ in 0..20_000 {
        yield_()?;
    }
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&begun);
    let sleeper = s.async_(move |_| {
        delay(SLICE / 2)?;
        Ok(seen.load(Ordering::Relaxed))
    });
    let waiting = (0..60).map(|_| {
        let begun = Arc::clone(&begun);
        s.launch(move |_| {
            begun.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            spin_until(|| start.elapsed() >= SLICE);
            await_cancellation()
        })
    });
    let waiting: Vec<_> = waiting.collect();
    let begun = sleeper.await_()?;
    for waiting in waiting {
        waiting.cancel_and_join()?;
    }
    Ok(begun)
}

#[test]
fn a_sleeper_does_not_wait_for_all_who_start_and_compute_while_nothing_is_ready() {
    let pool = new_fixed_thread_pool_context(2, "computing").unwrap();
    let (is_busy, over) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let mut begun = coroutine_scope(|s| {
        // So the other worker takes nothing.
        s.builder().dispatcher((*pool).clone()).launch(|_| {
            is_busy.store(true, Ordering::SeqCst);
            spin_until(|| over.load(Ordering::SeqCst));
        });
        spin_until(|| is_busy.load(Ordering::SeqCst));
        let begun = with_context((*pool).clone(), |s| {
            (0..9)
                .map(|_| starts_before_a_sleeper(s))
                .collect::<Result<Vec<_>>>()
        });
        over.store(true, Ordering::SeqCst);
        begun
    })
    .unwrap();
    begun.sort_unstable();
    // Not each time: now and then it is the turn of those that have not started, and some of them come together. Where the worker
    // looks at its timers in planned looks only, it is eight and more nearly each time.
    assert!(begun[4] <= FEW / 3, "{begun:?}");
}

#[test]
fn of_a_skewed_load_each_worker_has_its_part() {
    const WORKERS: usize = 2;
    const BURST: usize = 500;
    const SKEW: usize = 100;
    let pool = new_fixed_thread_pool_context(WORKERS, "skewed").unwrap();
    for burst in 0..5 {
        let sum = AtomicUsize::new(0);
        let long: Mutex<HashMap<ThreadId, usize>> = Mutex::default();
        let met = AtomicUsize::new(0);
        let met = &met;
        with_context(pool.clone(), |_| {
            coroutine_scope(|s| {
                for index in 0..BURST {
                    let (sum, long) = (&sum, &long);
                    s.launch(move |_| {
                        if index % SKEW == SKEW / 2 {
                            *long
                                .lock()
                                .unwrap()
                                .entry(thread::current().id())
                                .or_default() += 1;
                            // The first long one does not end before there is another: what waits behind it, the second
                            // long one included, is taken over.
                            met.fetch_add(1, Ordering::SeqCst);
                            spin_until(|| met.load(Ordering::SeqCst) > 1);
                        }
                        sum.fetch_add(index, Ordering::Relaxed);
                    });
                }
                Ok(())
            })
        })
        .unwrap();
        assert_eq!(sum.into_inner(), BURST * (BURST - 1) / 2, "burst {burst}");
        let long = long.into_inner().unwrap();
        assert_eq!(long.len(), WORKERS, "{long:?}");
        assert_eq!(long.values().sum::<usize>(), BURST / SKEW);
    }
}

#[test]
fn what_was_given_to_a_worker_that_computes_starts_on_another() {
    const PARKED: usize = 40;
    let pool = new_fixed_thread_pool_context(2, "given").unwrap();
    let (computes, parked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let gate = CompletableDeferred::new();
    let all_are_parked = || parked.load(Ordering::SeqCst) == PARKED;
    with_context(pool.clone(), |_| {
        coroutine_scope(|s| {
            s.launch(|_| {
                computes.store(true, Ordering::SeqCst);
                spin_until(all_are_parked);
            });
            // The other worker takes it, which so hosts one.
            spin_until(|| computes.load(Ordering::SeqCst));
            for _ in 0..PARKED {
                s.launch(|_| {
                    parked.fetch_add(1, Ordering::SeqCst);
                    gate.await_()
                });
            }
            // Of these, this worker gives half to the other one, which starts none.
            while !all_are_parked() {
                delay(SLICE)?;
            }
            gate.complete(());
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn one_whose_worker_was_given_much_while_it_computed_does_not_wait_behind_all_of_it() {
    const MUCH: usize = 4000;
    // What starts in the half of a millisecond that a while for what has not started takes (`scheduler/pace.rs`), with a new stack
    // for each. A slow machine manages a hundred, a fast one three; behind all of it there are over a thousand.
    const SOME: usize = 700;
    let pool = new_fixed_thread_pool_context(2, "much").unwrap();
    let (computes, goes_on) = (AtomicBool::new(false), AtomicBool::new(false));
    let (started, started_there) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let there = Mutex::new(None);
    let gate = CompletableDeferred::new();
    let most = with_context(pool.clone(), |_| {
        coroutine_scope(|s| {
            let computing = s.async_(|_| {
                *there.lock().unwrap() = Some(thread::current().id());
                computes.store(true, Ordering::SeqCst);
                spin_until(|| goes_on.load(Ordering::SeqCst));
                let mut most = 0;
                while started.load(Ordering::SeqCst) < MUCH {
                    let before = started_there.load(Ordering::SeqCst);
                    yield_()?;
                    most = most.max(started_there.load(Ordering::SeqCst) - before);
                }
                Ok(most)
            });
            spin_until(|| computes.load(Ordering::SeqCst));
            let that = there.lock().unwrap().expect("it computes");
            for _ in 0..MUCH {
                let (started, started_there, gate) = (&started, &started_there, &gate);
                s.launch(move |_| {
                    let is_there = thread::current().id() == that;
                    started_there.fetch_add(usize::from(is_there), Ordering::SeqCst);
                    started.fetch_add(1, Ordering::SeqCst);
                    gate.await_()
                });
            }
            // For each that it starts this worker gives one to the other.
            while started.load(Ordering::SeqCst) < MUCH / 3 {
                delay(SLICE)?;
            }
            goes_on.store(true, Ordering::SeqCst);
            let most = computing.await_()?;
            gate.complete(());
            Ok(most)
        })
    })
    .unwrap();
    assert!(started_there.into_inner() > SOME);
    assert!(most < SOME, "{most} have started between two turns");
}
