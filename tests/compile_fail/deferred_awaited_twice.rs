//! The value is moved out by the first `await_`.
//! expect: E0382

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        let value = s.async_(|_| Ok(String::from("text")));
        #[cfg(ok)]
        println!("{}", value.await_ref()?);
        #[cfg(not(ok))]
        println!("{}", value.await_()?);
        println!("{}", value.await_()?);
        Ok(())
    })
}
