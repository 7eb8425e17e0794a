//! Resuming consumes the continuation: there is nothing left to ask.
//! expect: E0382

use switchback::prelude::*;

fn main() -> Result<()> {
    let one = suspend_cancellable_coroutine(|k| {
        #[cfg(ok)]
        println!("{}", k.is_active());
        k.resume(1);
        #[cfg(not(ok))]
        println!("{}", k.is_active());
    })?;
    println!("{one}");
    Ok(())
}
