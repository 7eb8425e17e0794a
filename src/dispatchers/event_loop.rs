//! The event loop under `run_blocking` as a dispatcher.

use std::fmt;
use std::sync::Arc;

use crate::context::{Dispatch, Dispatcher, Refused, Unstarted};
use crate::scheduler::gate::LoopGate;
use crate::stack::StackSize;

struct EventLoop(Arc<LoopGate>);

/// The dispatcher of one run of a loop.
pub(crate) fn on_loop(gate: Arc<LoopGate>) -> Dispatcher {
    Dispatcher::new(Arc::new(EventLoop(gate)))
}

impl Dispatch for EventLoop {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.0.dispatch(task)
    }

    fn stack_bytes(&self) -> usize {
        StackSize::DEFAULT.bytes()
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventLoop")
    }
}
