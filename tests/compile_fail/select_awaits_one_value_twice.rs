//! The value is moved out by the clause that wins, so one clause can wait for it.
//! expect: E0499

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        let mut value = s.async_(|_| Ok(String::from("text")));
        #[cfg(ok)]
        let mut other = s.async_(|_| Ok(String::from("text")));
        select(|s| {
            s.on_await(&mut value, Ok);
            #[cfg(not(ok))]
            s.on_await(&mut value, Ok);
            #[cfg(ok)]
            s.on_await(&mut other, Ok);
        })?;
        Ok(())
    })
}
