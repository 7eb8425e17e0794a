//! `await_ref` lends from the handle; when the handle is gone the value is dropped.
//! expect: E0505

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        let value = s.async_(|_| Ok(String::from("text")));
        let lent = value.await_ref()?;
        #[cfg(not(ok))]
        drop(value);
        println!("{lent}");
        #[cfg(ok)]
        drop(value);
        Ok(())
    })
}
