//! Where coroutines start, who takes over what, and what idle threads cost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

/// Burns processor time until `done`, without ever suspending.
fn spin_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::hint::spin_loop();
    }
}

#[test]
fn what_waits_behind_a_coroutine_that_never_suspends_is_taken_over() {
    with_context(Dispatchers::default(), |s| {
        for _ in 0..50 {
            let ran = AtomicBool::new(false);
            let (ran, hog) = (&ran, std::thread::current().id());
            coroutine_scope(|s| {
                // The last one launched waits behind nothing but us.
                let job = s.launch(move |_| {
                    assert_ne!(std::thread::current().id(), hog);
                    ran.store(true, Ordering::Release);
                });
                spin_until(|| ran.load(Ordering::Acquire));
                job.join()
            })?;
        }
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn parked_coroutines_are_spread_over_the_workers() {
    const COUNT: usize = 2000;
    let places: Mutex<HashMap<ThreadId, usize>> = Mutex::default();
    with_context(Dispatchers::default(), |_| {
        coroutine_scope(|s| {
            for _ in 0..COUNT {
                s.launch(|_| {
                    *places
                        .lock()
                        .unwrap()
                        .entry(std::thread::current().id())
                        .or_default() += 1;
                    await_cancellation::<()>()
                });
            }
            while places.lock().unwrap().values().sum::<usize>() < COUNT {
                delay(ms(1))?;
            }
            s.job().cancel_children();
            Ok(())
        })
    })
    .unwrap();
    let places = places.into_inner().unwrap();
    let workers = std::thread::available_parallelism().unwrap().get().max(2);
    assert_eq!(places.len(), workers, "{places:?}");
    let (least, most) = (
        *places.values().min().unwrap(),
        *places.values().max().unwrap(),
    );
    // A worker hands over what it would host beyond an eighth and eight more than another.
    assert!(most <= least + least / 8 + 8 + workers, "{places:?}");
}

/// Starts ten under each until they are so few, and notes how many wait for their children at a time.
fn grow(size: usize, waiting: &AtomicUsize, most: &AtomicUsize) -> Result<usize> {
    if size == 1 {
        return Ok(1);
    }
    let now = waiting.fetch_add(1, Ordering::Relaxed) + 1;
    most.fetch_max(now, Ordering::Relaxed);
    let leaves = coroutine_scope(|s| {
        let children: Vec<_> = (0..10)
            .map(|_| s.async_(move |_| grow(size / 10, waiting, most)))
            .collect();
        Ok(await_all(children)?.into_iter().sum())
    });
    waiting.fetch_sub(1, Ordering::Relaxed);
    leaves
}

#[test]
fn a_wide_tree_is_walked_into_the_depth() {
    const LEAVES: usize = 10_000;
    const INNER: usize = 1_111;
    let (waiting, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (waiting, most) = (&waiting, &most);
    let leaves = with_context(Dispatchers::default(), move |_| grow(LEAVES, waiting, most));
    assert_eq!(leaves.unwrap(), LEAVES);
    let most = most.load(Ordering::Relaxed);
    assert!(most < INNER / 2, "{most} of {INNER} waited at a time");
}

#[test]
fn of_few_what_was_launched_first_starts_first() {
    let two = new_fixed_thread_pool_context(2, "two").unwrap();
    with_context(&two, |s| {
        let (occupied, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let order: Mutex<Vec<usize>> = Mutex::default();
        let (occupied, over, order) = (&occupied, &over, &order);
        coroutine_scope(|s| {
            s.launch(|_| {
                occupied.store(true, Ordering::Release);
                spin_until(|| over.load(Ordering::Acquire));
            });
            // So that there is one worker only for what comes now.
            spin_until(|| occupied.load(Ordering::Acquire));
            let jobs: Vec<_> = (0..200)
                .map(|number| s.launch(move |_| order.lock().unwrap().push(number)))
                .collect();
            let joined = join_all(&jobs);
            over.store(true, Ordering::Release);
            joined
        })?;
        assert!(order.lock().unwrap().is_sorted());
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_crowd_of_timers_is_never_early() {
    const COUNT: u64 = 1000;
    let woken = AtomicUsize::new(0);
    with_context(Dispatchers::default(), |s| {
        coroutine_scope(|s| {
            for number in 0..COUNT {
                let woken = &woken;
                s.launch(move |_| {
                    let time = Duration::from_micros(1000 + number * 37 % 20_000);
                    let start = Instant::now();
                    delay(time)?;
                    assert!(start.elapsed() >= time, "woke early");
                    woken.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
            }
            Ok(())
        })?;
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
    assert_eq!(woken.into_inner() as u64, COUNT);
}

#[test]
fn a_coroutine_stays_on_the_thread_on_which_it_started() {
    thread_local!(static HERE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    with_context(Dispatchers::default(), |s| {
        for number in 1..200 {
            s.launch(move |_| {
                let thread = std::thread::current().id();
                for round in 0..20 {
                    HERE.set(number * 1000 + round);
                    // Nobody else ran in between, since nothing suspended.
                    assert_eq!(HERE.get(), number * 1000 + round);
                    if round % 5 == 0 {
                        delay(Duration::from_micros(50))?
                    } else {
                        yield_()?
                    }
                    assert_eq!(std::thread::current().id(), thread);
                }
                Ok(())
            });
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn io_runs_64_blocking_coroutines_at_a_time_and_no_more() {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let all_there = Barrier::new(64);
    coroutine_scope(|s| {
        for _ in 0..128 {
            s.builder().dispatcher(Dispatchers::io()).launch(|_| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                // Blocks its thread until 64 are here: it would never end if fewer ran.
                all_there.wait();
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(most.into_inner(), 64);
}

#[test]
fn suspended_coroutines_do_not_use_up_io() {
    coroutine_scope(|s| {
        let parked: Vec<_> = (0..600)
            .map(|_| {
                s.builder()
                    .dispatcher(Dispatchers::io())
                    .launch(|_| await_cancellation::<()>())
            })
            .collect();
        // There are fewer threads than that: some host several. All the same there is room to run.
        let answer = with_context(Dispatchers::io(), |_| Ok(5))?;
        assert_eq!(answer, 5);
        parked.iter().for_each(Job::cancel);
        Ok(())
    })
    .unwrap();
}

/// The processor time of this process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn idle_threads_use_no_processor_time() {
    const CASE: &str = "SWITCHBACK_TEST_CASE";
    const NAME: &str = "idle_threads_use_no_processor_time";
    if std::env::var(CASE).is_ok_and(|case| case == NAME) {
        run_blocking(|s| {
            let parked = s
                .builder()
                .dispatcher(Dispatchers::default())
                .launch(|_| delay(ms(100_000)));
            with_context(Dispatchers::io(), |_| Ok(()))?;
            delay(ms(50))?;
            let before = cpu_time();
            delay(ms(500))?;
            let used = cpu_time() - before;
            assert!(used < ms(15), "{used:?} in 500 ms of idleness");
            parked.cancel();
            Ok(())
        })
        .unwrap();
        return;
    }
    // Alone in a process, where no other test's threads count.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(CASE, NAME)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_coroutine_sent_to_a_loop_from_another_thread_runs_there() {
    let (sender, receiver) = std::sync::mpsc::channel();
    run_blocking(|s| {
        let here = std::thread::current().id();
        let scope = CoroutineScope::new(s.context() + SupervisorJob::new());
        let foreign = scope.clone();
        let thread = std::thread::spawn(move || {
            for _ in 0..100 {
                let sender = sender.clone();
                foreign.launch(move |_| {
                    yield_()?;
                    sender.send(std::thread::current().id()).unwrap();
                    Ok(())
                });
            }
            foreign
        });
        let foreign = with_context(Dispatchers::io(), |_| Ok(thread.join().unwrap()))?;
        for job in foreign.job().children() {
            job.join()?;
        }
        assert_eq!(
            receiver.try_iter().filter(|thread| *thread == here).count(),
            100
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_loop_that_has_ended_takes_nothing_more_and_says_so() {
    let scope =
        run_blocking(|s| Ok(CoroutineScope::new(s.context() + SupervisorJob::new()))).unwrap();
    let late = scope.async_(|_| Ok(1));
    let error = late.await_().unwrap_err();
    assert!(
        error.to_string().contains("takes no more coroutines"),
        "{error}"
    );
}

/// Both workers of a pool are held, each by a coroutine that yields again and again. One of them launches many that wait, of
/// which its worker gives about half to the other one, whose coroutine holds it up meanwhile.
#[test]
fn who_is_ready_has_most_turns_while_a_worker_starts_what_it_was_given() {
    // Some hundred of them start at once, to make up for a turn that was as long as the wait for all of them is; and again when a
    // thread has lost its processor for a while. The others have every eighth turn.
    const COUNT: usize = 10_000;
    let pool = new_fixed_thread_pool_context(2, "given").unwrap();
    let both = Barrier::new(2);
    let (all_are_given, given) = std::sync::mpsc::channel();
    let given = Mutex::new(given);
    // How many have started, on the launcher's thread and on the other; the turns of the other's coroutine, now and at the last start.
    let (here, there) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    let (turns, turns_at_last) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    let started = || here.load(Ordering::SeqCst) + there.load(Ordering::SeqCst);
    with_context(pool.clone(), |_| {
        coroutine_scope(|s| {
            let launcher = s.launch(|waiting| {
                both.wait();
                let mine = std::thread::current().id();
                for _ in 0..COUNT {
                    waiting.launch(move |_| {
                        if std::thread::current().id() == mine {
                            here.fetch_add(1, Ordering::SeqCst);
                        } else {
                            there.fetch_add(1, Ordering::SeqCst);
                            turns_at_last.store(turns.load(Ordering::SeqCst), Ordering::SeqCst);
                        }
                        await_cancellation::<()>()
                    });
                }
                // What is to start here has started when nothing has for so many turns.
                let (mut before, mut quiet) = (0, 0);
                while quiet < 1000 {
                    yield_()?;
                    let now = here.load(Ordering::SeqCst);
                    quiet = if now == before { quiet + 1 } else { 0 };
                    before = now;
                }
                all_are_given.send(()).unwrap();
                while started() < COUNT {
                    yield_()?;
                }
                waiting.job().cancel_children();
                Ok(())
            });
            s.launch(|_| {
                both.wait();
                given.lock().unwrap().recv().unwrap();
                while started() < COUNT {
                    turns.fetch_add(1, Ordering::SeqCst);
                    yield_()?;
                }
                Ok(())
            });
            launcher.join()
        })
    })
    .unwrap();
    pool.close();
    let (there, turns) = (
        there.load(Ordering::SeqCst),
        turns_at_last.load(Ordering::SeqCst),
    );
    assert!(there > COUNT / 4, "{there} were given");
    assert!(turns > 3 * there, "{turns} turns beside {there} starts");
}

/// Whom the system keeps waiting behind another worker is moved by it; but nobody runs there with fewer processors than before,
/// which whatever he starts would inherit.
#[test]
fn whoever_is_woken_among_many_runs_with_all_processors() {
    const CROWD: usize = 3000;
    // Of the calling thread: this asks the system for its set.
    let processors = || std::thread::available_parallelism().unwrap();
    let all = processors();
    let (started, less) = (AtomicUsize::new(0), AtomicUsize::new(0));
    with_context(Dispatchers::default(), |_| {
        for _ in 0..10 {
            started.store(0, Ordering::SeqCst);
            coroutine_scope(|s| {
                for number in 0..CROWD {
                    let (started, less) = (&started, &less);
                    s.launch(move |_| {
                        started.fetch_add(1, Ordering::SeqCst);
                        let ended = await_cancellation::<()>();
                        if number % 16 == 0 && processors() < all {
                            less.fetch_add(1, Ordering::SeqCst);
                        }
                        ended
                    });
                }
                while started.load(Ordering::SeqCst) < CROWD {
                    delay(ms(1))?;
                }
                // All workers sleep, but for the one that cancels.
                delay(ms(10))?;
                s.job().cancel_children();
                Ok(())
            })?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(less.into_inner(), 0);
}
