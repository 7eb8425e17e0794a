//! A channel drops what is left in it, so what its elements borrow must outlive it.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let text = String::from("text");
    let (tx, rx) = channel::<&str>(Capacity::buffered(1));
    {
        #[cfg(not(ok))]
        let text = String::from("text");
        tx.send(&text)?;
    }
    drop((tx, rx));
    Ok(())
}
