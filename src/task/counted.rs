//! Who counts on a task block, and how it is freed.

use std::fmt;
use std::ptr::NonNull;

use crate::error::Error;
use crate::task::{Task, current, report};

/// A counted pointer to a task block.
pub(crate) struct TaskRef(NonNull<Task>);

// SAFETY: `Task` is `Sync`, and the count is atomic.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Takes over a count.
    ///
    /// # Safety
    ///
    /// The caller owns one count of a live block, and gives it away.
    pub(crate) unsafe fn from_counted(task: NonNull<Task>) -> Self {
        Self(task)
    }

    /// A further count.
    pub(crate) fn new(task: &Task) -> Self {
        task.job.retain();
        Self(NonNull::from(task))
    }

    pub(crate) fn as_ptr(&self) -> NonNull<Task> {
        self.0
    }
}

impl std::ops::Deref for TaskRef {
    type Target = Task;

    #[inline(always)]
    fn deref(&self) -> &Task {
        // SAFETY: the count keeps the block.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::new(self)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        release(self.0);
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Gives back one count, and frees the block with the last.
#[inline]
pub(crate) fn release(task: NonNull<Task>) {
    // SAFETY: the caller gives away a count, so the block is alive.
    let header = unsafe { task.as_ref() };
    if header.job.release() {
        free(task);
    }
}

/// Frees a block whose last count is gone.
#[inline]
pub(crate) fn free(task: NonNull<Task>) {
    // SAFETY: nobody else has the block.
    let header = unsafe { task.as_ref() };
    // SAFETY: as above.
    let has_plain_cause = header
        .cause
        .with(|cause| unsafe { (*cause).as_ref().is_none_or(Error::is_plain) });
    // SAFETY: as above.
    let has_extras = header.extras.with(|extras| unsafe { (*extras).is_some() });
    if !has_plain_cause || has_extras {
        // SAFETY: as above.
        unsafe { drop_users(header) };
    }
    // SAFETY: it was the last count, and nothing is left that needs a drop.
    unsafe { (header.vtable.free)(task) };
}

/// Drops what is the user's in a block: the destructors of errors and handlers may do anything.
///
/// # Safety
///
/// Nobody else has the block.
#[cold]
#[inline(never)]
unsafe fn drop_users(task: &Task) {
    // SAFETY: nobody else has it, says the caller.
    let cause = task.cause.with_mut(|cause| unsafe { (*cause).take() });
    // SAFETY: as above.
    let extras = task.extras.with_mut(|extras| unsafe { (*extras).take() });
    if let Err(panic) = current::closed(move || drop((cause, extras))) {
        report::handler_panicked("the destructor of an error or a handler", panic);
    }
}
