//! Program 20. A log context that follows its coroutine: across suspensions, into its children, and onto their threads.
//!
//! In Kotlin: `withContext(MDCContext(mapOf("request" to "7"))) { log.info(..); delay(100); launch(Dispatchers.IO) { ..
//! } }`, which is a `ThreadContextElement` over the logger's thread-local.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Mutex;
use std::thread;

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

thread_local! {
    /// What a logger of the usual kind knows about who is speaking.
    static REQUEST: RefCell<String> = RefCell::new(String::from("-"));
}

/// The logger: it knows nothing of coroutines.
fn info(log: &Log, text: &str) {
    say!(log, "[{}] {text}", REQUEST.with_borrow(String::clone));
}

/// Puts its text into the logger's thread-local while a coroutine of its context runs.
///
/// For a plain value there is one ready, `ThreadLocalElement::new(&REQUEST, text)`: this is how such an element is made.
#[derive(Debug)]
struct LogContext(String);

impl Element for LogContext {
    fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
        Some(self)
    }
}

impl ThreadContextElement for LogContext {
    fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
        Box::new(REQUEST.replace(self.0.clone()))
    }

    fn restore_thread_context(&self, _: &CoroutineContext, old: Box<dyn Any>) {
        if let Ok(old) = old.downcast() {
            REQUEST.set(*old);
        }
    }
}

/// Two requests that take turns on one thread.
fn taking_turns(log: &Log) -> Result<()> {
    run_test(|s| {
        for (number, pause) in [(1, 300), (2, 200)] {
            let context = LogContext(format!("request {number}"));
            s.builder().context(context).launch(move |s| {
                info(log, "begins");
                s.launch(|_| info(log, "has a child"));
                delay(ms(pause))?;
                info(log, "goes on");
                Ok(())
            });
        }
        info(log, "main is not a request");
        delay(ms(250))?;
        info(log, "main still is not");
        Ok(())
    })
}

/// A request whose parts run on other threads.
fn on_other_threads(log: &Log) -> Result<()> {
    let threads = Mutex::new(vec![thread::current().id()]);
    let note_thread = || threads.lock().unwrap().push(thread::current().id());
    run_blocking(|_| {
        with_context(LogContext(String::from("request 3")), |s| {
            info(log, "begins");
            let on_default = s.builder().dispatcher(Dispatchers::default());
            let child = on_default.launch(|_| {
                note_thread();
                delay(ms(1))?;
                info(log, "computes");
                Ok(())
            });
            child.join()?;
            with_context(Dispatchers::io(), |_| {
                note_thread();
                info(log, "reads");
                Ok(())
            })?;
            info(log, "ends");
            Ok(())
        })?;
        info(log, "afterwards");
        Ok(())
    })?;
    let threads = threads.into_inner().unwrap();
    assert!(threads[1..].iter().all(|thread| *thread != threads[0]));
    Ok(())
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    taking_turns(&log)?;
    on_other_threads(&log)?;
    log.assert(&[
        "[-] main is not a request",
        "[request 1] begins",
        "[request 2] begins",
        "[request 1] has a child",
        "[request 2] has a child",
        "[request 2] goes on",
        "[-] main still is not",
        "[request 1] goes on",
        "[request 3] begins",
        "[request 3] computes",
        "[request 3] reads",
        "[request 3] ends",
        "[-] afterwards",
    ]);
    Ok(log)
}
