//! What few coroutines need around a resumption.

use std::ptr::NonNull;

use crate::coroutine::Header;
use crate::task::{Task, installed};

/// Before the task is switched in.
#[cold]
pub(crate) fn before(task: *const Task) {
    // SAFETY: a task that is about to be resumed is alive.
    installed::switching_in(unsafe { &*task });
}

/// After the task that runs on this stack has suspended.
#[cold]
pub(crate) fn after(header: NonNull<Header>) {
    // SAFETY: it has suspended, and is resumed by this thread alone: so its header, and it, are there.
    let task = unsafe { header.as_ref() }.task().cast::<Task>();
    // SAFETY: as above.
    installed::switched_out(unsafe { &*task });
}
