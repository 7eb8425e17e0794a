//! One suspending function, twice: as a labelled state machine, and as a green thread.
//!
//! ```text
//! cargo run --release --example find_user_name
//! ```
//!
//! In Kotlin it is
//!
//! ```text
//! suspend fun findUserName(id: Int): String {
//!     val account = fetchAccount(id)      // label 0, up to the call
//!     val name = fetchName(account)       // label 1
//!     return name                         // label 2
//! }
//! ```
//!
//! and the two that it calls wait for a while each. Kotlin's compiler makes of it what [`machines`] has by hand: a class
//! with the locals that live across a suspension, and a function with a switch over the labels. The two programs below
//! give the same; they differ in what they cost while they wait, and in who may go on with them.

use std::time::Instant;

use switchback::prelude::*;

/// As Kotlin's compiler lowers it: no stack, and resumed by any worker.
mod machines {
    use switchback::machine::{Slot, StateMachine, Step, Turn};
    use switchback::prelude::*;

    // The three machines begin here.
    struct FetchAccount(u32);

    impl StateMachine for FetchAccount {
        type Output = u32;
        fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u32>> {
            match label {
                0 => turn.at(1).delay(ms(20)),
                _ => turn.woken().map(|()| Step::Return(self.0 + 100)),
            }
        }
    }

    struct FetchName(u32);

    impl StateMachine for FetchName {
        type Output = String;
        fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<String>> {
            match label {
                0 => turn.at(1).delay(ms(20)),
                _ => turn
                    .woken()
                    .map(|()| Step::Return(format!("name of account {}", self.0))),
            }
        }
    }

    #[derive(Default)]
    pub struct FindUserName {
        pub id: u32,
        account: Slot<u32>,
        name: Slot<String>,
    }

    impl StateMachine for FindUserName {
        type Output = String;
        fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<String>> {
            match label {
                0 => turn.at(1).call(FetchAccount(self.id), |me| &mut me.account),
                1 => turn
                    .at(2)
                    .call(FetchName(self.account.take()?), |me| &mut me.name),
                _ => Ok(Step::Return(self.name.take()?)),
            }
        }
    }
    // The three machines end here.

    /// The user with this number, about to be looked for.
    pub fn find_user_name(id: u32) -> FindUserName {
        FindUserName {
            id,
            ..FindUserName::default()
        }
    }
}

/// On a stack of its own: plain functions.
mod green {
    use switchback::prelude::*;

    fn fetch_account(id: u32) -> Result<u32> {
        delay(ms(20))?;
        Ok(id + 100)
    }

    fn fetch_name(account: u32) -> Result<String> {
        delay(ms(20))?;
        Ok(format!("name of account {account}"))
    }

    /// The user with this number.
    pub fn find_user_name(id: u32) -> Result<String> {
        let account = fetch_account(id)?;
        fetch_name(account)
    }
}

/// Looks for three users at once in each of the two ways; gives what was found.
pub fn run() -> Result<Vec<String>> {
    let ids = [1, 2, 3];
    let start = Instant::now();
    let names = run_blocking(|s| {
        let machines = ids.map(|id| s.async_machine(machines::find_user_name(id)));
        let green = ids.map(|id| s.async_(move |_| green::find_user_name(id)));
        let names = await_all(machines)?;
        assert_eq!(names, await_all(green)?);
        Ok(names)
    })?;
    // Two delays behind one another, for all six at once.
    assert!(start.elapsed() >= ms(40));
    Ok(names)
}

fn main() -> Result<()> {
    for name in run()? {
        println!("{name}");
    }
    Ok(())
}
