//! A suspension ends once.
//! expect: E0382

use switchback::prelude::*;

fn main() -> Result<()> {
    let one = suspend_coroutine(|k| {
        k.resume(1);
        #[cfg(not(ok))]
        k.resume(2);
    })?;
    println!("{one}");
    Ok(())
}
