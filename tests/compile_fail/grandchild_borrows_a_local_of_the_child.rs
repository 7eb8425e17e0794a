//! A child's own scope ends after the child's body, and with it the locals of the body. A scope function inside the body
//! ends before them.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        s.launch(|s| {
            let local = String::from("text");
            let borrowed = &local;
            #[cfg(not(ok))]
            s.launch(move |_| println!("{borrowed}"));
            #[cfg(ok)]
            let _ = s;
            coroutine_scope(|s| {
                s.launch(move |_| println!("{borrowed}"));
                Ok(())
            })
        });
        Ok(())
    })
}
