//! What a machine sends is kept while it waits, when the frame of its resumption is gone.
//! expect: E0597

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

struct Lends;

impl StateMachine for Lends {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        if label == 1 {
            return Ok(Step::Return(()));
        }
        #[cfg(not(ok))]
        let text = String::from("text");
        #[cfg(ok)]
        let text = "text";
        let (tx, _rx) = channel(Capacity::rendezvous());
        turn.at(1).send(&tx, &text[..])
    }
}

fn main() -> Result<()> {
    run_blocking(|s| s.launch_machine(Lends).join())
}
