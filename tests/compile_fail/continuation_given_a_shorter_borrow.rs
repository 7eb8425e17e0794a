//! Whoever waits for a `&'static str` may keep it for ever.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    let text = suspend_coroutine(|k: Continuation<&'static str>| {
        let local = String::from("text");
        #[cfg(not(ok))]
        k.resume(&local);
        #[cfg(ok)]
        k.resume(local.leak());
    })?;
    println!("{text}");
    Ok(())
}
