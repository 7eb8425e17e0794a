//! The two pools as dispatchers.

use std::fmt;

use crate::context::{Dispatch, Refused, Unstarted};
use crate::scheduler::io::io_pool;
use crate::scheduler::pool::default_pool;
use crate::stack::StackSize;

/// The pool of CPU workers.
pub(super) struct Default;

impl Dispatch for Default {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        match default_pool() {
            Some(pool) => pool.dispatch(task),
            None => Err(Refused(task)),
        }
    }

    fn stack_bytes(&self) -> usize {
        StackSize::DEFAULT.bytes()
    }
}

impl fmt::Debug for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatchers.Default")
    }
}

/// The pool of threads that block.
pub(super) struct Io;

impl Dispatch for Io {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        io_pool().dispatch(task)
    }

    fn stack_bytes(&self) -> usize {
        StackSize::IO.bytes()
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatchers.IO")
    }
}
