//! A turn is the thread's that gives it: another thread may ask for nothing.
//! expect: E0277

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

struct Spawns;

impl StateMachine for Spawns {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        if label > 0 {
            return turn.woken().map(Step::Return);
        }
        #[cfg(not(ok))]
        return std::thread::scope(|s| s.spawn(|| turn.at(1).yield_()).join().unwrap());
        #[cfg(ok)]
        return turn.at(1).yield_();
    }
}

fn main() -> Result<()> {
    run_blocking(|s| {
        s.launch_machine(Spawns);
        Ok(())
    })
}
