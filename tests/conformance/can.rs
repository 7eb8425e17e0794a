//! Cancellation.

use std::sync::OnceLock;
use std::thread::sleep;

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, attempt, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(can_01_at_delay),
    scenario!(can_02_all_waiting_operations),
    scenario!(can_03_busy_code_is_not_interrupted),
    scenario!(can_04_is_active_loop),
    scenario!(can_05_ensure_active),
    scenario!(can_06_yield_round_robin),
    scenario!(can_07_non_cancellable_cleanup),
    scenario!(can_08_delay_in_finally),
    scenario!(can_09_swallowed_cancellation),
    scenario!(can_10_resources_closed),
    scenario!(can_11_cancel_before_start),
    scenario!(can_12_prompt_cancellation),
    scenario!(
        can_13_self_cancel,
        differs: "Somebody else's job that I await was cancelled",
        "still running, isActive=false\n\
         active=false completed=true cancelled=true\n\
         await -> threw AwaitedJobCancelled(cancelled: changed my mind)\n\
         active=false completed=true cancelled=true\n\
         END\n"
    ),
    scenario!(can_14_cancel_waiter_only),
    scenario!(can_15_with_context_result_lost),
];

fn can_01_at_delay(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| {
            let slept = delay(ms(60_000));
            match &slept {
                Ok(()) => t!(trace, "not reached"),
                Err(error) => t!(trace, "woken with {}", x(error)),
            }
            t!(trace, "finally");
            slept
        });
        yield_()?;
        j.cancel_with("enough");
        j.join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}

fn can_03_busy_code_is_not_interrupted(trace: &'static Trace) -> Result<()> {
    let (begun, told) = (OnceLock::new(), OnceLock::new());
    run_blocking(|s| {
        let busy = s.builder().dispatcher(Dispatchers::default());
        let j = busy.launch(|s| {
            let _ = begun.set(());
            let mut n = 0_u64;
            while told.get().is_none() {
                n = std::hint::black_box(n + 1);
            }
            t!(
                trace,
                "busy loop ran to its end, isActive={}",
                s.is_active()
            );
            delay(ms(1))?;
            t!(trace, "not reached");
            Ok(())
        });
        begun.wait();
        j.cancel();
        t!(trace, "cancelled: {}", st(&j));
        let _ = told.set(());
        j.join()?;
        t!(trace, "joined: {}", st(&j));
        Ok(())
    })
}

fn can_04_is_active_loop(trace: &'static Trace) -> Result<()> {
    let begun = OnceLock::new();
    run_blocking(|s| {
        let j = s.builder().dispatcher(Dispatchers::default()).launch(|s| {
            let _ = begun.set(());
            while s.is_active() {
                sleep(ms(1));
            }
            t!(trace, "loop ended, body returns normally");
        });
        begun.wait();
        j.cancel_and_join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}

fn can_05_ensure_active(trace: &'static Trace) -> Result<()> {
    type Check = fn() -> Result<()>;
    let checks: [(&str, Check, OnceLock<()>); 2] = [
        ("ensureActive", ensure_active, OnceLock::new()),
        ("yield", yield_, OnceLock::new()),
    ];
    run_blocking(|s| {
        for (name, check, begun) in &checks {
            let on_default = s.builder().dispatcher(Dispatchers::default());
            let j = on_default.launch(move |_| -> Result<()> {
                let _ = begun.set(());
                loop {
                    sleep(ms(1));
                    if let Err(error) = check() {
                        t!(trace, "{name}: {}", x(&error));
                        return Err(error);
                    }
                }
            });
            begun.wait();
            j.cancel_with("stop");
            j.join()?;
            t!(trace, "{}", st(&j));
        }
        Ok(())
    })
}

fn can_06_yield_round_robin(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        for name in ["a", "b", "c"] {
            s.launch(move |_| {
                for n in 1..=3 {
                    t!(trace, "{name}{n}");
                    yield_()?;
                }
                Ok(())
            });
        }
        t!(trace, "body");
        yield_()?;
        t!(trace, "body again");
        Ok(())
    })
}

fn can_07_non_cancellable_cleanup(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|s| {
            let slept = delay(ms(1000));
            t!(trace, "finally: isActive={}", s.is_active());
            non_cancellable(|s| {
                t!(trace, "non-cancellable: isActive={}", s.is_active());
                delay(ms(30))?;
                t!(trace, "cleanup finished");
                Ok(())
            })?;
            slept
        });
        yield_()?;
        j.cancel_and_join()?;
        t!(trace, "joined");
        Ok(())
    })
}

fn can_08_delay_in_finally(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| {
            let slept = delay(ms(1000));
            t!(trace, "finally starts");
            if let Err(error) = delay(ms(10)) {
                t!(trace, "delay threw {}", x(&error));
                return Err(error);
            }
            t!(trace, "not reached");
            slept
        });
        yield_()?;
        j.cancel_with("stop");
        j.join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}

fn can_09_swallowed_cancellation(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| {
            for n in 0..4 {
                match delay(ms(150)) {
                    Ok(()) => t!(trace, "round {n} slept"),
                    Err(error) => t!(trace, "round {n} swallowed {}", x(&error)),
                }
            }
            t!(trace, "body ends normally");
        });
        delay(ms(210))?;
        j.cancel_with("stop");
        j.join()?;
        t!(trace, "{}", st(&j));
        Ok(())
    })
}

/// Says when it is opened and closed.
struct Resource {
    name: &'static str,
    trace: &'static Trace,
}

impl Resource {
    fn open(name: &'static str, trace: &'static Trace) -> Self {
        t!(trace, "{name} opened");
        Self { name, trace }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        t!(self.trace, "{} closed", self.name);
    }
}

fn can_10_resources_closed(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| {
            let _file = Resource::open("file", trace);
            let _lock = Resource::open("lock", trace);
            delay(ms(1000))
        });
        j.invoke_on_completion(|cause| t!(trace, "completed {}", x(cause)));
        yield_()?;
        j.cancel_with("bye");
        j.join()
    })
}

fn can_12_prompt_cancellation(trace: &'static Trace) -> Result<()> {
    let (d, e) = (CompletableDeferred::new(), CompletableDeferred::new());
    run_blocking(|s| {
        let w = s.launch(|_| match d.await_() {
            Ok(value) => t!(trace, "got {value}"),
            Err(_) => {
                let there = d.get_completed().expect("it is complete").shown();
                t!(trace, "cancelled although the value was there: {there}");
            }
        });
        yield_()?;
        d.complete(5);
        w.cancel();
        w.join()?;
        let v = s.launch(|s| {
            t!(trace, "got {} first", e.await_()?);
            t!(trace, "isActive={}", s.is_active());
            Ok(())
        });
        yield_()?;
        e.complete(6);
        yield_()?;
        v.cancel();
        v.join()
    })
}

fn can_13_self_cancel(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let j = s.launch(|s| {
            s.job().cancel_with("myself");
            t!(trace, "still running, isActive={}", s.is_active());
            yield_()?;
            t!(trace, "not reached");
            Ok(())
        });
        j.join()?;
        t!(trace, "{}", st(&j));
        let d = s.async_(|s| {
            s.job().cancel_with("changed my mind");
            Ok(42)
        });
        let job = d.job();
        attempt(trace, "await", || d.await_());
        t!(trace, "{}", st(&job));
        Ok(())
    })
}

fn can_14_cancel_waiter_only(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let work = s.async_(|_| {
            delay(ms(180))?;
            Ok("result")
        });
        let work = std::sync::Arc::new(work);
        let awaited = work.clone();
        let waiter = s.launch(move |_| {
            awaited.await_ref()?;
            t!(trace, "not reached");
            Ok(())
        });
        delay(ms(60))?;
        waiter.cancel_and_join()?;
        t!(trace, "waiter {}", st(&waiter));
        t!(trace, "work {}", st(&work.job()));
        t!(trace, "work gives {}", work.await_ref()?);
        Ok(())
    })
}

fn can_15_with_context_result_lost(trace: &'static Trace) -> Result<()> {
    let (begun, told) = (OnceLock::new(), OnceLock::new());
    run_blocking(|s| {
        let j = s.launch(|_| {
            let r = with_context(Dispatchers::io(), |_| {
                let _ = begun.set(());
                told.wait();
                t!(trace, "block done");
                Ok("resource")
            });
            match r {
                Ok(r) => t!(trace, "not reached with {r}"),
                Err(error) => t!(trace, "caller got {}", x(&error)),
            }
        });
        yield_()?;
        begun.wait();
        j.cancel_with("meanwhile");
        t!(trace, "cancelled");
        let _ = told.set(());
        j.join()
    })
}

fn can_11_cancel_before_start(trace: &'static Trace) -> Result<()> {
    let modes = [
        ("DEFAULT", CoroutineStart::Default),
        ("LAZY", CoroutineStart::Lazy),
        ("ATOMIC", CoroutineStart::Atomic),
        ("UNDISPATCHED", CoroutineStart::Undispatched),
    ];
    run_test(|s| {
        for (mode, start) in modes {
            let j = s.builder().start(start).launch(move |s| {
                t!(trace, "{mode} body, isActive={}", s.is_active());
                let slept = delay(ms(1000));
                if let Err(error) = &slept {
                    let error = x(error);
                    t!(trace, "{mode} cancelled at its first suspension: {error}");
                }
                slept
            });
            j.cancel_with("early");
            t!(trace, "{mode} after cancel: {}", st(&j));
            j.join()?;
            t!(trace, "{mode} joined: {}", st(&j));
        }
        Ok(())
    })
}

fn can_02_all_waiting_operations(trace: &'static Trace) -> Result<()> {
    let probe = |name: &'static str, operation: fn(&Targets) -> Result<()>, targets: &Targets| {
        coroutine_scope(|s| {
            let undispatched = s.builder().start(CoroutineStart::Undispatched);
            let j = undispatched.launch(|_| {
                let ended = operation(targets);
                match &ended {
                    Ok(()) => t!(trace, "{name} returned"),
                    Err(error) => t!(trace, "{name}: {}", x(error)),
                }
                ended
            });
            j.cancel_with(format!("stop {name}"));
            j.join()
        })
    };
    let (tx, rx) = channel(Capacity::rendezvous());
    let on = Targets {
        never: CompletableDeferred::new(),
        tx,
        rx,
        m: Mutex::new(()),
    };
    run_test(|_| {
        let _locked = on.m.lock()?;
        probe("delay", |_| delay(ms(1000)), &on)?;
        probe("yield", |_| yield_(), &on)?;
        probe("await", |on| on.never.await_().map(drop), &on)?;
        probe("join", |on| on.never.join(), &on)?;
        probe(
            "awaitAll",
            |on| await_all([on.never.clone()]).map(drop),
            &on,
        )?;
        probe("send", |on| Ok(on.tx.send(1)?), &on)?;
        probe("receive", |on| on.rx.recv().map(drop), &on)?;
        probe("lock", |on| on.m.lock().map(drop), &on)?;
        probe("awaitCancellation", |_| await_cancellation(), &on)?;
        t!(
            trace,
            "none of the targets was cancelled: {} {} {}",
            on.never.is_active(),
            !on.tx.is_closed_for_send(),
            on.m.is_locked()
        );
        Ok(())
    })
}

/// What is waited for in vain.
struct Targets {
    never: CompletableDeferred<i32>,
    tx: Sender<i32>,
    rx: Receiver<i32>,
    m: Mutex<()>,
}
