//! Any worker may resume a machine, where the count of an `Rc` must not be touched.
//! expect: E0277

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

#[cfg(not(ok))]
type Shared = std::rc::Rc<u32>;
#[cfg(ok)]
type Shared = std::sync::Arc<u32>;

struct Holds(Shared);

impl StateMachine for Holds {
    type Output = u32;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u32>> {
        match label {
            0 => turn.at(1).yield_(),
            _ => Ok(Step::Return(*self.0)),
        }
    }
}

fn main() -> Result<()> {
    run_blocking(|s| s.async_machine(Holds(Shared::new(1))).await_())?;
    Ok(())
}
