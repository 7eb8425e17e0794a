//! The dispatcher that sends nothing anywhere.

use std::fmt;

use crate::context::{Dispatch, Refused, Unstarted};
use crate::scheduler::nested::start_unconfined;
use crate::stack::StackSize;

pub(super) struct Unconfined;

impl Dispatch for Unconfined {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        start_unconfined(task)
    }

    fn stack_size(&self) -> StackSize {
        StackSize::DEFAULT
    }

    fn is_here(&self) -> bool {
        true
    }

    fn is_unconfined(&self) -> bool {
        true
    }
}

impl fmt::Debug for Unconfined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatchers.Unconfined")
    }
}
