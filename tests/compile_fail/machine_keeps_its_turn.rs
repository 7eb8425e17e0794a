//! A turn is over when `resume` returns, and cannot be kept in a machine.
//! expect: "lifetime may not live long enough"

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

struct Other;

impl StateMachine for Other {
    type Output = ();

    fn resume(&mut self, _: u32, _: &mut Turn<'_, Self>) -> Result<Step<()>> {
        Ok(Step::Return(()))
    }
}

#[cfg(not(ok))]
fn keep<'a, 'b>(kept: &mut Option<&'a mut Turn<'a, Other>>, turn: &'a mut Turn<'b, Other>) {
    *kept = Some(turn);
}

#[cfg(ok)]
fn keep<'a>(kept: &mut Option<&'a mut Turn<'a, Other>>, turn: &'a mut Turn<'a, Other>) {
    *kept = Some(turn);
}

fn main() -> Result<()> {
    let _ = keep;
    run_blocking(|s| {
        s.launch_machine(Other);
        Ok(())
    })
}
