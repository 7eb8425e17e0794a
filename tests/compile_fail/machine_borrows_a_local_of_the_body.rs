//! A machine may outlive the body that launches it, so it borrows only from outside the scope.
//! expect: E0597

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

struct Borrows<'a>(&'a str);

impl StateMachine for Borrows<'_> {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).yield_(),
            _ => Ok(Step::Return(println!("{}", self.0))),
        }
    }
}

fn main() -> Result<()> {
    #[cfg(ok)]
    let text = String::from("outside");
    run_blocking(|s| {
        #[cfg(not(ok))]
        let text = String::from("inside");
        s.launch_machine(Borrows(&text));
        Ok(())
    })
}
