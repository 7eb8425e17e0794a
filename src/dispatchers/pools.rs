//! The pools as dispatchers.

use std::fmt;

use crate::context::{Dispatch, Refused, Unstarted};
use crate::scheduler::io::{IoPool, io_pool, unlimited_io_pool};
use crate::scheduler::pool::{Pool, default_pool};
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

    fn choose_lane(&self) -> usize {
        default_pool().map_or(0, Pool::choose_lane)
    }

    fn dispatch_to(&self, lane: usize, task: Unstarted) -> Result<(), Refused> {
        match default_pool() {
            Some(pool) => pool.dispatch_to(lane, task),
            None => Err(Refused(task)),
        }
    }

    fn stack_size(&self) -> StackSize {
        StackSize::DEFAULT
    }

    fn is_here(&self) -> bool {
        default_pool().is_some_and(Pool::is_here)
    }
}

impl fmt::Debug for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatchers.Default")
    }
}

/// The threads that block: those of the IO dispatcher itself, or those of its views.
pub(super) enum Io {
    Itself,
    ForViews,
}

impl Io {
    fn pool(&self) -> &'static IoPool {
        match self {
            Io::Itself => io_pool(),
            Io::ForViews => unlimited_io_pool(),
        }
    }
}

impl Dispatch for Io {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.pool().dispatch(task)
    }

    fn stack_size(&self) -> StackSize {
        StackSize::IO
    }

    fn is_here(&self) -> bool {
        self.pool().is_here()
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatchers.IO")
    }
}
