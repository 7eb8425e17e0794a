//! A `Deferred` may hold a value that borrows for the scope's life, so it ends with the scope.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

fn main() -> Result<()> {
    let text = String::from("text");
    let value = coroutine_scope(|s| {
        let value = s.async_(|_| Ok(text.len()));
        #[cfg(ok)]
        let value = value.await_()?;
        Ok(value)
    })?;
    let _ = value;
    Ok(())
}
