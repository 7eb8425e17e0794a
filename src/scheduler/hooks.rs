//! What few coroutines need around a resumption: a slot of the view that they belong to, and what they have installed on
//! their thread.

use std::ptr::NonNull;

use crate::context::{Dispatcher, Unstarted};
use crate::coroutine::{self, Header};
use crate::scheduler::worker::SLOT;
use crate::task::installed::HOOK_INSTALLED;
use crate::task::{Task, installed};

/// Bit of the hooks of a stack: its coroutine belongs to a view that limits how many run.
pub(crate) const HOOK_LIMITED: u8 = 2;
/// Bit of the hooks of a stack: what runs on it is no task but a [guest](super::guest::Guest) of one.
pub(crate) const HOOK_GUEST: u8 = 4;

/// The view that a task belongs to, if it does. A handle of its own, since the task may end meanwhile.
pub(crate) fn limited(task: &Task) -> Option<Dispatcher> {
    let dispatcher = task.elements()?.dispatcher()?;
    dispatcher.is_limited().then(|| dispatcher.clone())
}

/// Whether the task has a slot, now. If not, the view has kept it.
pub(crate) fn admit(task: &Task, dispatcher: &Dispatcher) -> bool {
    let flags = task.flags.get();
    if flags & SLOT != 0 {
        task.flags.set(flags & !SLOT);
        return true;
    }
    let Some(admission) = dispatcher.admission() else {
        return true;
    };
    admission
        .admit(Unstarted::new(NonNull::from(task).cast()))
        .is_some()
}

/// The task has suspended, or ended.
pub(crate) fn leave(dispatcher: &Dispatcher, ended: bool) {
    if let Some(admission) = dispatcher.admission() {
        admission.leave(ended);
    }
}

/// Before the task is switched in.
pub(crate) fn before(task: &Task, header: NonNull<Header>) {
    // SAFETY: the stack is in use, by this thread.
    if unsafe { coroutine::hooks(header) } & HOOK_INSTALLED != 0 {
        installed::switching_in(task);
    }
}

/// After the task that runs on this stack has suspended.
#[cold]
pub(crate) fn after(header: NonNull<Header>) {
    // SAFETY: the stack is in use, by this thread.
    if unsafe { coroutine::hooks(header) } & HOOK_INSTALLED == 0 {
        return;
    }
    // SAFETY: it has suspended, and is resumed by this thread alone: so its header, and it, are there.
    let task = unsafe { header.as_ref() }.task().cast::<Task>();
    // SAFETY: as above.
    installed::switched_out(unsafe { &*task });
}
