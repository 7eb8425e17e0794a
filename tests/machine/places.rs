//! Where a machine runs: on any worker, and without a stack.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::ThreadId;

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;
use switchback::{CompletableDeferred, new_fixed_thread_pool_context, new_single_thread_context};

use crate::waits::Doing;

/// Notes the thread of each resumption; waits for the gate in between.
struct Wanderer {
    gate: Job,
    threads: Arc<Mutex<Vec<ThreadId>>>,
}

impl StateMachine for Wanderer {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        let thread = std::thread::current().id();
        self.threads.lock().unwrap().push(thread);
        match label {
            0 => turn.at(1).join(&self.gate),
            _ => Ok(Step::Return(())),
        }
    }
}

#[test]
fn a_parked_machine_goes_on_although_the_worker_it_ran_on_is_held_up() {
    let pool = new_fixed_thread_pool_context(2, "two").unwrap();
    let [released, held] = [AtomicBool::new(false), AtomicBool::new(false)];
    let [released, held] = [&released, &held];
    run_blocking(|s| {
        let gate = CompletableDeferred::<()>::new();
        let threads = Arc::new(Mutex::new(Vec::new()));
        let machine = Wanderer {
            gate: gate.job(),
            threads: threads.clone(),
        };
        let job = s
            .builder()
            .dispatcher(pool.dispatcher())
            .launch_machine(machine);
        while threads.lock().unwrap().is_empty() {
            delay(ms(1))?;
        }
        let first = threads.lock().unwrap()[0];
        // Holds up that very thread, until the machine has ended.
        while !held.load(Ordering::SeqCst) {
            s.builder().dispatcher(pool.dispatcher()).launch(move |_| {
                if std::thread::current().id() == first && !held.swap(true, Ordering::SeqCst) {
                    while !released.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                }
            });
            delay(ms(1))?;
        }
        gate.complete(());
        let ended = with_timeout(ms(20_000), |_| job.join());
        released.store(true, Ordering::SeqCst);
        ended?;
        let threads = threads.lock().unwrap();
        assert_eq!(threads.len(), 2);
        assert_ne!(threads[1], first);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_unconfined_machine_runs_in_the_call_that_resumes_it_on_any_thread() {
    let threads = Arc::new(Mutex::new(Vec::new()));
    let scope = CoroutineScope::new(Dispatchers::unconfined());
    let gate = CompletableDeferred::<()>::new();
    let machine = Wanderer {
        gate: gate.job(),
        threads: threads.clone(),
    };
    let launched = std::thread::scope(|outside| {
        outside
            .spawn(|| {
                let job = scope.launch_machine(machine);
                assert_eq!(threads.lock().unwrap().len(), 1, "it runs in the launch");
                (std::thread::current().id(), job)
            })
            .join()
            .unwrap()
    });
    let resumed = std::thread::scope(|outside| {
        outside
            .spawn(|| {
                gate.complete(());
                assert_eq!(threads.lock().unwrap().len(), 2, "it runs in the call");
                std::thread::current().id()
            })
            .join()
            .unwrap()
    });
    assert!(launched.1.is_completed());
    assert_eq!(*threads.lock().unwrap(), [launched.0, resumed]);
}

#[test]
fn a_view_of_one_runs_machines_one_at_a_time() {
    let running = Arc::new(AtomicBool::new(false));
    let view = Dispatchers::default().limited_parallelism(1);
    run_blocking(|s| {
        for _ in 0..50 {
            let running = running.clone();
            s.builder()
                .dispatcher(view.clone())
                .launch_machine(Doing::new(move |label, turn| {
                    assert!(!running.swap(true, Ordering::SeqCst), "two at a time");
                    std::thread::yield_now();
                    running.store(false, Ordering::SeqCst);
                    match label {
                        100 => Ok(Step::Return(())),
                        label if label % 2 == 0 => turn.at(label + 1).yield_(),
                        label => turn
                            .at(label + 1)
                            .delay(std::time::Duration::from_micros(10)),
                    }
                }));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_machine_that_waits_when_its_pool_is_closed_fails_and_says_so() {
    let pool = new_single_thread_context("short-lived").unwrap();
    let gate = CompletableDeferred::<()>::new();
    let threads = Arc::new(Mutex::new(Vec::new()));
    let scope = CoroutineScope::new(pool.dispatcher() + SupervisorJob::new());
    let (told, heard) = mpsc::channel();
    let job = scope.launch_machine(Wanderer {
        gate: gate.job(),
        threads: threads.clone(),
    });
    job.invoke_on_completion(move |cause| told.send(cause.map(ToString::to_string)).unwrap());
    while threads.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    // Not `last join at`: it waits.
    while !job.dump().contains(", join at ") {
        std::thread::yield_now();
    }
    drop(pool);
    gate.complete(());
    let cause = heard.recv().unwrap().expect("it has failed");
    assert!(cause.contains("short-lived"), "{cause}");
}
