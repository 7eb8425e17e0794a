//! A turn is over when `resume` returns: what the machine launches lives longer.
//! expect: E0521

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

struct Lends;

impl StateMachine for Lends {
    type Output = ();

    fn resume(&mut self, _: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        #[cfg(not(ok))]
        let lent = &mut *turn;
        #[cfg(ok)]
        let lent = turn.job();
        let late = move || drop(lent);
        keep(late);
        Ok(Step::Return(()))
    }
}

fn keep(late: impl FnOnce() + 'static) {
    late();
}

fn main() -> Result<()> {
    run_blocking(|s| {
        s.launch_machine(Lends);
        Ok(())
    })
}
