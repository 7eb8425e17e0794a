//! Where failures go that nobody awaits, and what else the runtime has to tell.

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

use crate::context::{CoroutineContext, CoroutineExceptionHandler};
use crate::error::Error;
use crate::job::state::COROUTINE;
use crate::task::{Task, current};

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets where the runtime's messages go: uncaught failures, launches on a failed scope, coroutines that ignore their
/// cancellation. Standard error by default.
///
/// The function is called on whichever thread has something to tell, must not suspend, and should be quick.
pub fn set_message_hook(hook: impl Fn(&str) + Send + Sync + 'static) {
    let before = HOOK
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .replace(Arc::new(hook));
    // Outside the lock: it is the user's.
    drop(before);
}

/// Tells the user something. What is formatted here, and what it is told to, may be the user's: neither may suspend, and a
/// panic of theirs (or of a standard error that cannot be written to) goes no further.
#[cold]
pub(crate) fn tell(message: fmt::Arguments<'_>) {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    let told = current::closed(move || match hook {
        Some(hook) => hook(&message.to_string()),
        None => eprintln!("switchback: {message}"),
    });
    if let Err(panic) = told {
        discard(panic);
    }
}

/// Drops something of the user's where a panic of its destructor could only be reported to itself.
fn discard<T>(something: T) {
    if let Err(again) = current::closed(move || drop(something)) {
        std::mem::forget(again);
    }
}

/// A failure that reached the root of its tree: goes to the handler in the root's context, else to the user as a message.
#[cold]
pub(crate) fn uncaught(task: &Task, context: &CoroutineContext, error: &Error) {
    if let Some(handler) = context.get::<CoroutineExceptionHandler>() {
        let handled = current::closed(|| handler.handle(context, error));
        if let Err(panic) = handled {
            handler_panicked("an exception handler", panic);
            tell_uncaught(task, error);
        }
        return;
    }
    tell_uncaught(task, error);
}

fn tell_uncaught(task: &Task, error: &Error) {
    let name = name_of(task);
    tell(format_args!(
        "uncaught failure in coroutine '{name}#{}' (launched at {}): {error:?}",
        task.id,
        task.birthplace()
    ));
}

/// A coroutine that does not end although it is cancelled.
#[cold]
pub(crate) fn ignores_cancellation(task: &Task, refused: u32, place: &Location<'_>) {
    let name = name_of(task);
    let who = if task.state().has(COROUTINE) {
        format!(
            "coroutine '{name}#{}' (launched at {})",
            task.id,
            task.birthplace()
        )
    } else {
        "a body on a plain thread".to_owned()
    };
    tell(format_args!(
        "{who} ignores its cancellation: {refused} suspending calls have returned it, the last one at {place}; a loop \
         that goes on after an error has to end when `is_active()` is false"
    ));
}

fn name_of(task: &Task) -> &str {
    task.elements()
        .and_then(|e| e.name())
        .map_or("", |name| name.as_str())
}

/// A handler that panicked.
#[cold]
pub(crate) fn handler_panicked(what: &str, payload: Box<dyn Any + Send>) {
    let error = Error::panicked(payload);
    tell(format_args!("{what} panicked: {error}"));
    discard(error);
}
