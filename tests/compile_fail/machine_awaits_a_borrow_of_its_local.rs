//! A value that borrows from the frame of a resumption must not be waited for after its end.
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
        let text = &text[..];
        coroutine_scope(|s| {
            let value = s.async_(move |_| Ok(text));
            turn.at(1).await_(value, |_| Box::leak(Box::new(Slot::new())))
        })
    }
}

fn main() -> Result<()> {
    run_blocking(|s| s.launch_machine(Borrows).join())
}
