//! Dispatchers.

use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread::{self, sleep};

use switchback::new_single_thread_context;
use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, dispatcher, t};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(disp_01_event_loop_fifo),
    scenario!(disp_02_undispatched_start),
    scenario!(
        disp_03_unconfined,
        differs: "Thread of resumption",
        "starts at once, on the caller's thread: true\n\
         launch returned\n\
         after delay on the caller's thread: true\n\
         completing\n\
         resumed inside complete(), same thread: true\n\
         complete returned\n\
         END\n"
    ),
    scenario!(disp_04_limited_parallelism),
    scenario!(disp_05_limited_parallelism_interleaves),
    scenario!(disp_06_single_thread),
    scenario!(disp_07_with_context_io),
    scenario!(disp_08_io_and_default_size),
    scenario!(disp_09_is_dispatch_needed),
];

fn disp_01_event_loop_fifo(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        s.launch(|s| {
            t!(trace, "1");
            s.launch(|_| t!(trace, "1.1"));
            t!(trace, "1 end");
        });
        s.launch(|_| {
            t!(trace, "2");
            yield_()?;
            t!(trace, "2 end");
            Ok(())
        });
        s.launch(|_| t!(trace, "3"));
        t!(trace, "body end");
        Ok(())
    })
}

fn disp_07_with_context_io(trace: &'static Trace) -> Result<()> {
    let main = thread::current().id();
    let on_main = || thread::current().id() == main;
    run_blocking(|_| {
        t!(trace, "{}", dispatcher());
        with_context(Dispatchers::default(), |_| {
            t!(trace, "{} main thread: {}", dispatcher(), on_main());
            let v = with_context(Dispatchers::io(), |s| {
                s.launch(|_| t!(trace, "child: {}", dispatcher()));
                Ok(format!("{} main thread: {}", dispatcher(), on_main()))
            })?;
            t!(trace, "{v}");
            t!(trace, "{}", dispatcher());
            Ok(())
        })?;
        t!(trace, "{} main thread: {}", dispatcher(), on_main());
        GlobalScope
            .launch(|_| t!(trace, "GlobalScope: {}", dispatcher()))
            .join()?;
        let scope = CoroutineScope::new(Job::by_hand());
        scope
            .launch(|_| t!(trace, "scope without dispatcher: {}", dispatcher()))
            .join()
    })
}

fn disp_02_undispatched_start(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        s.launch(|_| t!(trace, "default a"));
        let undispatched = s.builder().start(CoroutineStart::Undispatched);
        undispatched.launch(|_| {
            t!(trace, "undispatched starts");
            yield_()?;
            t!(trace, "undispatched resumed");
            Ok(())
        });
        s.launch(|_| t!(trace, "default b"));
        t!(trace, "body");
        yield_()?;
        t!(trace, "body resumed");
        Ok(())
    })
}

fn disp_03_unconfined(trace: &'static Trace) -> Result<()> {
    let main = thread::current().id();
    let on_main = || thread::current().id() == main;
    let d = CompletableDeferred::new();
    run_test(|s| {
        let j = s
            .builder()
            .dispatcher(Dispatchers::unconfined())
            .launch(|_| {
                t!(
                    trace,
                    "starts at once, on the caller's thread: {}",
                    on_main()
                );
                delay(ms(60))?;
                t!(trace, "after delay on the caller's thread: {}", on_main());
                d.await_()?;
                t!(
                    trace,
                    "resumed inside complete(), same thread: {}",
                    on_main()
                );
                Ok(())
            });
        t!(trace, "launch returned");
        delay(ms(180))?;
        t!(trace, "completing");
        d.complete(1);
        t!(trace, "complete returned");
        j.join()
    })
}

fn disp_09_is_dispatch_needed(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let context = s.context();
        let event_loop = context.get::<Dispatcher>().expect("the loop's").clone();
        for (name, dispatcher) in [
            ("Default", Dispatchers::default()),
            ("IO", Dispatchers::io()),
            ("event loop", event_loop),
            ("Unconfined", Dispatchers::unconfined()),
        ] {
            t!(trace, "{name}: {}", dispatcher.is_dispatch_needed());
        }
        Ok(())
    })
}

fn disp_04_limited_parallelism(trace: &'static Trace) -> Result<()> {
    run_blocking(|_| {
        for limit in [1, 3] {
            let d = Dispatchers::io().limited_parallelism(limit);
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            // Read and written in two steps: two at the same time would lose a count.
            let unguarded = AtomicUsize::new(0);
            let as_many_as_may = Barrier::new(limit);
            coroutine_scope(|s| {
                for _ in 0..30 {
                    s.builder().dispatcher(d.clone()).launch(|_| {
                        most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                        if limit == 1 {
                            unguarded.store(unguarded.load(Relaxed) + 1, Relaxed);
                        }
                        as_many_as_may.wait();
                        sleep(ms(1));
                        now.fetch_sub(1, Relaxed);
                    });
                }
                Ok(())
            })?;
            let most = most.load(Relaxed);
            let counter = match limit {
                1 => unguarded.load(Relaxed).to_string(),
                _ => "-".to_owned(),
            };
            t!(
                trace,
                "limit {limit}: most at once {most} counter {counter}"
            );
        }
        Ok(())
    })
}

fn disp_05_limited_parallelism_interleaves(trace: &'static Trace) -> Result<()> {
    let d = Dispatchers::default().limited_parallelism(1);
    // Each waits for what the other one does while it is suspended itself.
    let (a1, b1, a2, b2) = (
        CompletableDeferred::new(),
        CompletableDeferred::new(),
        CompletableDeferred::new(),
        CompletableDeferred::new(),
    );
    let order = Mutex::new(Vec::new());
    run_blocking(|_| {
        coroutine_scope(|s| {
            s.builder().dispatcher(d.clone()).launch(|_| {
                t!(trace, "a1");
                a1.complete(());
                b1.await_()?;
                t!(trace, "a2");
                a2.complete(());
                b2.await_()?;
                t!(trace, "a3");
                Ok(())
            });
            s.builder().dispatcher(d.clone()).launch(|_| {
                a1.await_()?;
                t!(trace, "b1");
                b1.complete(());
                a2.await_()?;
                t!(trace, "b2");
                b2.complete(());
                Ok(())
            });
            Ok(())
        })?;
        coroutine_scope(|s| {
            for n in 1..=20 {
                let order = &order;
                let launched = s.builder().dispatcher(d.clone());
                launched.launch(move |_| order.lock().unwrap().push(n));
            }
            Ok(())
        })?;
        let fifo = order.lock().unwrap().iter().copied().eq(1..=20);
        t!(trace, "FIFO: {fifo}");
        Ok(())
    })
}

fn disp_08_io_and_default_size(trace: &'static Trace) -> Result<()> {
    /// The most tasks that run at the same time, where `expected` are.
    fn most(dispatcher: &Dispatcher, tasks: usize, expected: usize) -> Result<usize> {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let all_there = OnceLock::new();
        coroutine_scope(|s| {
            for _ in 0..tasks {
                s.builder().dispatcher(dispatcher.clone()).launch(|_| {
                    let there = now.fetch_add(1, Relaxed) + 1;
                    most.fetch_max(there, Relaxed);
                    if there == expected {
                        let _ = all_there.set(());
                    }
                    all_there.wait();
                    // One that is too many would come now.
                    sleep(ms(20));
                    now.fetch_sub(1, Relaxed);
                });
            }
            Ok(())
        })?;
        Ok(most.load(Relaxed))
    }
    let cores = thread::available_parallelism().map_or(2, |n| n.get().max(2));
    run_blocking(|_| {
        let default = most(&Dispatchers::default(), cores * 2, cores)?;
        t!(trace, "default = max(2, cores): {}", default == cores);
        t!(trace, "IO: {}", most(&Dispatchers::io(), 100, 64)?);
        let wide = Dispatchers::io().limited_parallelism(100);
        let wide = most(&wide, 120, 100)?;
        t!(
            trace,
            "IO.limitedParallelism(100) is not bound by 64: {wide}"
        );
        Ok(())
    })
}

fn disp_06_single_thread(trace: &'static Trace) -> Result<()> {
    let main = thread::current().id();
    let worker = new_single_thread_context("worker")?;
    let (seen, order) = (Mutex::new(HashSet::new()), Mutex::new(Vec::new()));
    run_blocking(|_| {
        with_context(worker.dispatcher(), |s| {
            for n in 1..=5 {
                let (seen, order) = (&seen, &order);
                s.launch(move |_| {
                    seen.lock().unwrap().insert(thread::current().id());
                    order.lock().unwrap().push(n);
                    yield_()?;
                    order.lock().unwrap().push(n * 10);
                    Ok(())
                });
            }
            Ok(())
        })?;
        let threads = seen.lock().unwrap().len();
        t!(
            trace,
            "threads {threads}, order {}",
            order.lock().unwrap().shown()
        );
        with_context(worker.dispatcher(), |_| {
            let on_worker = seen.lock().unwrap().contains(&thread::current().id());
            t!(trace, "inside on worker: {on_worker}");
            Ok(())
        })?;
        t!(trace, "back on main: {}", thread::current().id() == main);
        Ok(())
    })?;
    worker.close();
    Ok(())
}
