//! What the runtime knows of a task's block, whose types are those of the user's closure and result.

use std::ptr::NonNull;

use crate::task::Task;

/// What the runtime must be able to do with a task whose types it does not know.
#[derive(Debug)]
pub(crate) struct TaskVTable {
    /// Runs the body on the current stack, and completes the task, unless children of its own are alive. True if it has
    /// completed, and has still to leave its parent ([`part`](crate::task::leaving::part)).
    pub(crate) run: unsafe fn(&Task) -> bool,
    /// Drops the closure of a task that never ran.
    pub(crate) drop_body: unsafe fn(&Task),
    /// Drops the result.
    pub(crate) drop_value: unsafe fn(&Task),
    /// Frees the block. The closure and the result are gone.
    pub(crate) free: unsafe fn(NonNull<Task>),
    /// For a task that runs without a stack, turn by turn.
    pub(crate) stackless: Option<Stackless>,
}

/// What the runtime must be able to do with a task that has no stack.
#[derive(Debug)]
pub(crate) struct Stackless {
    /// Runs it until it waits or ends.
    pub(crate) turn: unsafe fn(&Task) -> Turned,
    /// Where it goes on: the label of its outermost machine.
    pub(crate) label: unsafe fn(&Task) -> u32,
}

/// How a turn of a task without a stack has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Turned {
    /// It has ended, or comes back by its dispatcher: the caller must not touch it any more.
    Gone,
    /// It waits for something of this thread, which will bring it back here.
    Stays,
}
