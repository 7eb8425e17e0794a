//! As with a borrow made by hand: the closure borrows a local that is gone before the child may have started.
//! expect: E0373

use switchback::prelude::*;

fn main() -> Result<()> {
    run_blocking(|s| {
        let local = String::from("text");
        #[cfg(not(ok))]
        s.launch(|_| println!("{local}"));
        #[cfg(ok)]
        s.launch(move |_| println!("{local}"));
        Ok(())
    })
}
