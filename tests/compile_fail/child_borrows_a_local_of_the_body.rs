//! The body ends, and drops its local, while the scope still waits for the child that reads it. What a child borrows
//! must have been there before the scope.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let local = String::from("text");
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let local = String::from("text");
        let borrowed = &local;
        s.launch(move |_| println!("{borrowed}"));
        Ok(())
    })
}
