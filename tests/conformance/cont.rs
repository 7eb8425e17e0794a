//! Continuations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use switchback::prelude::*;
use switchback::testing::run_test;
use switchback::{create_coroutine, start_coroutine};

use crate::suite::{Scenario, scenario};
use crate::support::{Boom, Shown, Trace, attempt, boom, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        cont_01_resume_immediately,
        refused: ["continuation_asked_after_it_was_resumed"],
        without: ["completed=true"]
    ),
    scenario!(cont_02_resume_later),
    scenario!(cont_03_resume_with_exception),
    scenario!(cont_04_invoke_on_cancellation),
    scenario!(
        cont_05_resume_after_cancel_ignored,
        refused: ["continuation_resumed_twice"],
        without: [
            "resume a second time -> threw IllegalStateException",
            "resume with exception -> threw IllegalStateException"
        ]
    ),
    scenario!(
        cont_06_double_resume,
        refused: ["continuation_resumed_twice"],
        without: [
            "suspendCoroutine: IllegalStateException",
            "suspendCancellableCoroutine: IllegalStateException",
            "stored: IllegalStateException"
        ]
    ),
    scenario!(cont_07_block_throws),
    scenario!(cont_08_labelled_state_machine),
    scenario!(cont_09_start_coroutine),
    scenario!(cont_10_create_coroutine),
    scenario!(cont_11_callback_adapter),
];

fn cont_01_resume_immediately(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        s.launch(|_| t!(trace, "other coroutine"));
        let v: i32 = suspend_coroutine(|k| {
            t!(trace, "in the block");
            k.resume(1);
            t!(trace, "resumed, still in the block");
        })?;
        t!(trace, "got {v}");
        let w: i32 = suspend_cancellable_coroutine(|k| k.resume(2))?;
        t!(trace, "got {w}");
        Ok(())
    })
}

fn cont_02_resume_later(trace: &'static Trace) -> Result<()> {
    let main = thread::current().id();
    let stored: Mutex<Option<Continuation<&str>>> = Mutex::new(None);
    run_blocking(|s| {
        s.launch(|_| {
            let v = suspend_coroutine(|k| *stored.lock().unwrap() = Some(k))?;
            t!(trace, "got {v}");
            Ok(())
        });
        yield_()?;
        t!(trace, "resuming");
        let k = stored.lock().unwrap().take().unwrap();
        k.resume("from a sibling");
        t!(trace, "resume returned");
        yield_()?;
        let v = suspend_coroutine(|k| {
            thread::spawn(move || {
                thread::sleep(ms(90));
                k.resume("from a thread");
            });
        })?;
        let on_main = thread::current().id() == main;
        t!(trace, "got {v}, on the main thread again: {on_main}");
        Ok(())
    })
}

fn cont_03_resume_with_exception(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        let failure = Error::from(Boom("callback failed".to_owned()));
        let given = failure.clone();
        match suspend_coroutine::<i32, _>(|k| k.resume_with_error(given)) {
            Err(e) if e.is::<Boom>() => {
                t!(trace, "caught {} same={}", x(&e), e.ptr_eq(&failure));
            }
            other => drop(other?),
        }
        let d = s.launch(move |_| {
            let resumed = suspend_cancellable_coroutine::<i32, _>(|k| {
                thread::spawn(move || {
                    thread::sleep(ms(20));
                    k.resume_with_error(failure);
                });
            });
            match resumed {
                Err(e) if e.is::<Boom>() => t!(trace, "caught later {}", x(&e)),
                other => drop(other?),
            }
            Ok(())
        });
        d.join()?;
        attempt(trace, "resumeWith(failure)", || {
            suspend_coroutine::<i32, _>(|k| k.resume_with(boom("as result")))
        });
        Ok(())
    })
}

fn cont_04_invoke_on_cancellation(trace: &'static Trace) -> Result<()> {
    // Kept, since a continuation that is dropped fails its coroutine.
    let kept = Mutex::new(None);
    run_blocking(|s| {
        let j = s.launch(|_| {
            let resumed = suspend_cancellable_coroutine::<(), _>(|k| {
                k.invoke_on_cancellation(|cause| t!(trace, "callback: {}", x(cause)));
                *kept.lock().unwrap() = Some(k);
            });
            if let Err(error) = &resumed {
                t!(trace, "coroutine: {}", x(error));
            }
            resumed
        });
        yield_()?;
        t!(trace, "cancelling");
        j.cancel_with("user left");
        t!(trace, "cancel returned");
        j.join()?;
        suspend_cancellable_coroutine::<(), _>(|k| {
            k.invoke_on_cancellation(|_| t!(trace, "must not be called"));
            k.resume(());
        })?;
        t!(trace, "normal resumption done");
        Ok(())
    })
}

fn cont_05_resume_after_cancel_ignored(trace: &'static Trace) -> Result<()> {
    let k1: Mutex<Option<Continuation<i32>>> = Mutex::new(None);
    run_blocking(|s| {
        let j = s.launch(|_| {
            let resumed = suspend_cancellable_coroutine(|k| *k1.lock().unwrap() = Some(k));
            if let Err(error) = &resumed {
                t!(trace, "coroutine: {}", x(error));
            }
            resumed.map(drop)
        });
        yield_()?;
        j.cancel_with("gone");
        let k1 = k1.lock().unwrap().take().unwrap();
        let (active, cancelled) = (k1.is_active(), k1.is_cancelled());
        t!(
            trace,
            "active={active} completed={} cancelled={cancelled}",
            !active
        );
        attempt(trace, "resume", || {
            k1.resume(5);
            Ok(())
        });
        j.join()
    })
}

fn cont_06_double_resume(trace: &'static Trace) -> Result<()> {
    let stored: Mutex<Option<Continuation<i32>>> = Mutex::new(None);
    run_blocking(|s| {
        let a: i32 = suspend_coroutine(|k| k.resume(1))?;
        t!(trace, "a={a}");
        let b: i32 = suspend_cancellable_coroutine(|k| k.resume(3))?;
        t!(trace, "b={b}");
        let c = s.async_(|_| suspend_cancellable_coroutine(|k| *stored.lock().unwrap() = Some(k)));
        yield_()?;
        stored.lock().unwrap().take().unwrap().resume(5);
        t!(trace, "c={}", c.await_()?);
        Ok(())
    })
}

fn cont_07_block_throws(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        attempt(trace, "suspendCoroutine", || {
            suspend_coroutine::<i32, _>(|_| boom("in the block"))
        });
        attempt(trace, "suspendCancellableCoroutine", || {
            suspend_cancellable_coroutine::<i32, _>(|_| boom("in the block 2"))
        });
        t!(trace, "isActive={}", s.is_active());
        Ok(())
    })
}

type Listener = Box<dyn FnOnce(String) + Send>;

/// An API with callbacks.
#[derive(Clone)]
struct Api {
    listeners: Arc<Mutex<BTreeMap<&'static str, Listener>>>,
    trace: &'static Trace,
}

impl Api {
    fn fire(&self, key: &str) {
        let listener = self.listeners.lock().unwrap().remove(key);
        t!(self.trace, "fire {key}, listener: {}", listener.is_some());
        if let Some(listener) = listener {
            listener(format!("data of {key}"));
        }
    }

    /// The adapter.
    fn get(&self, key: &'static str) -> Result<String> {
        suspend_cancellable_coroutine(|k| {
            let api = self.clone();
            k.invoke_on_cancellation(move |_| {
                t!(api.trace, "unregister {key}");
                api.listeners.lock().unwrap().remove(key);
            });
            let listener = Box::new(move |data| k.resume(data));
            self.listeners.lock().unwrap().insert(key, listener);
        })
    }
}

fn cont_11_callback_adapter(trace: &'static Trace) -> Result<()> {
    let listeners = Arc::default();
    let api = Api { listeners, trace };
    run_blocking(|s| {
        let a = s.launch(|_| {
            t!(trace, "a: {}", api.get("a")?);
            Ok(())
        });
        let b = s.launch(|_| {
            t!(trace, "b: {}", api.get("b")?);
            Ok(())
        });
        yield_()?;
        b.cancel();
        api.fire("b");
        api.fire("a");
        a.join()?;
        b.join()?;
        t!(
            trace,
            "listeners left: {}",
            api.listeners.lock().unwrap().len()
        );
        Ok(())
    })
}

/// What a called machine gives back: its answer, or nothing yet.
type Answer = Option<String>;

/// Kotlin's compiler makes such a thing of a suspending function: a label for each place where it can suspend, and what
/// it has to remember there. A clone of it is what is resumed.
#[derive(Clone)]
struct FindUserName {
    frame: Arc<Mutex<FindUserNameFrame>>,
    timers: CoroutineScope,
    trace: &'static Trace,
}

struct FindUserNameFrame {
    label: u32,
    id: String,
    done: Option<Continuation<String>>,
}

impl FindUserName {
    fn resume_with(&self, result: Result<String>) {
        t!(
            self.trace,
            "resumeWith at label {}",
            self.frame.lock().unwrap().label
        );
        let ended = self.step(result).transpose();
        let done = ended.map(|ended| (ended, self.frame.lock().unwrap().done.take()));
        if let Some((ended, Some(done))) = done {
            done.resume_with(ended);
        }
    }

    fn step(&self, mut result: Result<String>) -> Result<Answer> {
        let trace = self.trace;
        let mut frame = self.frame.lock().unwrap();
        loop {
            t!(trace, "label {}", frame.label);
            let called = match frame.label {
                0 => {
                    frame.label = 1;
                    self.get_user_id()
                }
                1 => {
                    frame.id = result?;
                    frame.label = 2;
                    self.get_user_name(&frame.id)
                }
                _ => return Ok(Some(format!("{} is {}", frame.id, result?))),
            };
            let Some(answer) = called else {
                t!(trace, "suspended, next label {}", frame.label);
                return Ok(None);
            };
            result = Ok(answer);
        }
    }

    fn get_user_id(&self) -> Answer {
        t!(self.trace, "  getUserId suspends");
        self.resume_later("id-7")
    }

    fn get_user_name(&self, id: &str) -> Answer {
        if id == "cached" {
            t!(self.trace, "  getUserName answers at once");
            return Some("from cache".to_owned());
        }
        t!(self.trace, "  getUserName({id}) suspends");
        self.resume_later("Ann")
    }

    fn resume_later(&self, answer: &'static str) -> Answer {
        let machine = self.clone();
        self.timers.launch(move |_| {
            delay(ms(20))?;
            machine.resume_with(Ok(answer.to_owned()));
            Ok(())
        });
        None
    }
}

fn cont_08_labelled_state_machine(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let timers = CoroutineScope::new(s.context());
        let r = suspend_coroutine(|k| {
            let frame = FindUserNameFrame {
                label: 0,
                id: String::new(),
                done: Some(k),
            };
            let frame = Arc::new(Mutex::new(frame));
            let machine = FindUserName {
                frame,
                timers,
                trace,
            };
            let out = machine.step(Ok(String::new()))?;
            let out = out.unwrap_or_else(|| "SUSPENDED".to_owned());
            t!(trace, "first step returned {out}");
            Ok(())
        })?;
        t!(trace, "result: {r}");
        Ok(())
    })
}

fn cont_09_start_coroutine(trace: &'static Trace) -> Result<()> {
    fn done<T: Shown>(trace: &'static Trace, name: &'static str) -> impl FnOnce(Result<T>) + Send {
        move |result| t!(trace, "{name} completed with {}", result.shown())
    }
    let nowhere = CoroutineContext::empty;
    let stored: Arc<Mutex<Option<Continuation<i32>>>> = Arc::default();
    let slot = stored.clone();
    // In place, since the thread has a loop.
    run_blocking(|_| {
        let block = move || {
            t!(trace, "runs");
            let n = suspend_coroutine(|k| *slot.lock().unwrap() = Some(k))?;
            t!(trace, "resumed with {n}");
            Ok(format!("n={n}"))
        };
        start_coroutine(nowhere(), block, done(trace, "a"));
        t!(trace, "startCoroutine returned");
        let k = stored.lock().unwrap().take().unwrap();
        k.resume(3);
        t!(trace, "resume returned");
        start_coroutine(nowhere(), || boom::<i32>("b fails"), done(trace, "b"));
        start_coroutine(nowhere(), || Ok(9), done(trace, "c"));
        Ok(())
    })
}

fn cont_10_create_coroutine(trace: &'static Trace) -> Result<()> {
    let done = |name| move |result: Result<i32>| t!(trace, "{name}: {}", result.shown());
    let nowhere = CoroutineContext::empty;
    let block = || {
        t!(trace, "block runs");
        Ok(4)
    };
    run_blocking(|_| {
        let k = create_coroutine(nowhere(), block, done("a"));
        t!(trace, "created, not started");
        k.resume();
        let k2 = create_coroutine(nowhere(), block, done("b"));
        k2.resume_with_error(Boom("refused".to_owned()));
        Ok(())
    })
}
