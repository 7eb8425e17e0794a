//! A machine keeps the channel while it waits, when the frame of its resumption is gone: what is in it must last so long,
//! even if the slot into which it goes is no place of the machine.
//! expect: E0597

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

struct Borrows;

impl StateMachine for Borrows {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        if label == 1 {
            return Ok(Step::Return(()));
        }
        #[cfg(not(ok))]
        let text = String::from("text");
        #[cfg(ok)]
        let text = "text";
        let (tx, rx) = channel(Capacity::buffered(1));
        tx.send(&text[..])?;
        turn.at(1).recv(&rx, |_| Box::leak(Box::new(Slot::new())))
    }
}

fn main() -> Result<()> {
    run_blocking(|s| s.launch_machine(Borrows).join())
}
