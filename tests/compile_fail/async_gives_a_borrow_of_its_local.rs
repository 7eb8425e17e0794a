//! A value cannot borrow from the stack of the coroutine that has made it.
//! expect: E0515

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        let value = s.async_(|_| {
            let local = String::from("text");
            #[cfg(not(ok))]
            return Ok(local.as_str());
            #[cfg(ok)]
            return Ok(local);
        });
        println!("{}", value.await_()?);
        Ok(())
    })
}
