//! The words in which a scenario tells what happens.
//!
//! Here, and nowhere else, our errors and messages get the names that Kotlin's have in the recorded traces.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchback::{
    Cancelled, Dispatcher, Error, Job, Result, TimedOut, current_context, set_message_hook,
};

/// What happened, one event a line. Leaked by the suite, so that coroutines of owned scopes can write to it too.
#[derive(Default)]
pub struct Trace(Mutex<String>);

impl Trace {
    pub fn put(&self, event: String) {
        let mut text = lock(&self.0);
        *text += &event;
        text.push('\n');
    }

    pub fn text(&self) -> String {
        lock(&self.0).clone()
    }
}

/// One event.
macro_rules! t {
    ($trace:expr, $($event:tt)*) => {
        $trace.put(format!($($event)*))
    };
}
pub(crate) use t;

/// A failure of the user's; any error would do.
#[derive(Debug)]
pub struct Boom(pub String);

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Boom({})", self.0)
    }
}

impl StdError for Boom {}

/// `throw Boom(..)`.
pub fn boom<T>(message: impl Into<String>) -> Result<T> {
    Err(Boom(message.into()).into())
}

/// The state of a job.
pub fn st(job: &Job) -> String {
    format!(
        "active={} completed={} cancelled={}",
        job.is_active(),
        job.is_completed(),
        job.is_cancelled()
    )
}

/// Kotlin's name of a failure, and its message.
///
/// A coroutine that is cancelled because of a timeout sees a cancellation whose cause is the timeout; Kotlin has one
/// exception that is both.
pub fn x<'a>(error: impl Into<Option<&'a Error>>) -> String {
    let Some(error) = error.into() else {
        return "null".to_owned();
    };
    if let Some(timeout) = error.downcast_ref::<TimedOut>() {
        return match timeout.limit().as_millis() {
            0 => "TimeoutCancellationException(Timed out immediately)".to_owned(),
            limit => format!("TimeoutCancellationException(Timed out waiting for {limit} ms)"),
        };
    }
    if let Some(cancelled) = error.downcast_ref::<Cancelled>() {
        return match (cancelled.cause(), cancelled.message()) {
            (Some(cause), _) if cause.is_timeout() => x(cause),
            (_, Some(message)) => format!("CancellationException({message})"),
            (_, None) => "CancellationException".to_owned(),
        };
    }
    if error.to_string().ends_with("was awaited, was cancelled") {
        let cause = error
            .source()
            .map_or_else(String::new, |source| source.to_string());
        return format!("AwaitedJobCancelled({cause})");
    }
    error.to_string()
}

/// A failure and what caused it.
pub fn chain(error: &Error) -> String {
    let cause = error
        .downcast_ref::<Cancelled>()
        .and_then(Cancelled::cause)
        .filter(|cause| !cause.is_timeout());
    match cause {
        Some(cause) => format!("{} <- {}", x(error), chain(cause)),
        None => x(error),
    }
}

/// Runs a block and tells what it gives or fails with, cancellation included.
pub fn attempt<T: Shown>(trace: &Trace, what: &str, block: impl FnOnce() -> Result<T>) {
    match block() {
        Ok(value) => t!(trace, "{what} -> {}", value.shown()),
        Err(error) => t!(trace, "{what} -> threw {}", x(&error)),
    }
}

/// A value as Kotlin prints it.
pub trait Shown {
    fn shown(&self) -> String;
}

impl Shown for () {
    fn shown(&self) -> String {
        "ok".to_owned()
    }
}

impl Shown for i32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn shown(&self) -> String {
        (**self).shown()
    }
}

impl<T: Shown> Shown for Result<T> {
    fn shown(&self) -> String {
        match self {
            Ok(value) => value.shown(),
            Err(error) => x(error),
        }
    }
}

impl Shown for str {
    fn shown(&self) -> String {
        self.to_owned()
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.clone()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), T::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        let shown: Vec<_> = self.iter().map(T::shown).collect();
        format!("[{}]", shown.join(", "))
    }
}

/// Kotlin's name of the dispatcher that the running coroutine is on.
pub fn dispatcher() -> &'static str {
    let context = current_context();
    let name = context
        .get::<Dispatcher>()
        .map(|dispatcher| format!("{dispatcher:?}"));
    match name.as_deref() {
        Some("Dispatchers.IO") => "IO",
        Some("Dispatchers.Default") => "Default",
        _ => "event loop",
    }
}

/// The trace of the scenario that runs.
static LISTENING: Mutex<Option<&'static Trace>> = Mutex::new(None);

/// Sends what the runtime reports from now on to this trace: what the uncaught exception handler is to Kotlin.
pub fn report_uncaught_to(trace: &'static Trace) {
    *lock(&LISTENING) = Some(trace);
    set_message_hook(|message| {
        let Some(trace) = *lock(&LISTENING) else {
            return;
        };
        let first_line = message.lines().next().unwrap_or_default();
        if message.starts_with("uncaught failure in coroutine") {
            let failure = first_line.rsplit("): ").next().unwrap_or_default();
            t!(trace, "UNCAUGHT {failure}");
        } else if let Some((_, cause)) = first_line.split_once("its scope has failed: ") {
            t!(trace, "LOG launched on a scope that has failed: {cause}");
        } else {
            t!(trace, "LOG {first_line}");
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
