//! What a machine calls goes with it to any worker.
//! expect: E0277

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

#[cfg(not(ok))]
type Shared = std::rc::Rc<()>;
#[cfg(ok)]
type Shared = std::sync::Arc<()>;

struct Holds(Option<Shared>);

impl StateMachine for Holds {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).yield_(),
            _ => Ok(Step::Return(drop(self.0.take()))),
        }
    }
}

struct Calls(Slot<()>);

impl StateMachine for Calls {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).call(Holds(None), |me| &mut me.0),
            _ => Ok(Step::Return(self.0.take()?)),
        }
    }
}

fn main() -> Result<()> {
    run_blocking(|s| s.async_machine(Calls(Slot::new())).await_())
}
