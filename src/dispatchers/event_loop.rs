//! The loop of one thread as a dispatcher.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::context::{Dispatch, Dispatcher, Refused, Unstarted};
use crate::scheduler::gate::LoopGate;
use crate::scheduler::worker::OpenLoop;
use crate::stack::StackSize;

struct OnLoop {
    gate: Arc<LoopGate>,
    name: Cow<'static, str>,
}

/// The dispatcher of a loop.
pub(crate) fn on_loop(gate: Arc<LoopGate>, name: impl Into<Cow<'static, str>>) -> Dispatcher {
    let name = name.into();
    Dispatcher::new(Arc::new(OnLoop { gate, name }))
}

/// A loop that was opened on a thread, with its dispatcher.
pub(crate) fn open_loop(gate: LoopGate) -> OpenLoop {
    let gate = Arc::new(gate);
    OpenLoop {
        dispatcher: on_loop(gate.clone(), "EventLoop"),
        gate,
    }
}

impl Dispatch for OnLoop {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.gate.dispatch(task)
    }

    fn stack_size(&self) -> StackSize {
        StackSize::DEFAULT
    }

    fn is_here(&self) -> bool {
        self.gate.is_here()
    }
}

impl fmt::Debug for OnLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
