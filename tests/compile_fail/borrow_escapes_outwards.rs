//! A child leaves a reference to a local on its own stack with somebody who lives longer.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    let mut kept = Vec::new();
    #[cfg(ok)]
    let local = String::from("text");
    coroutine_scope(|s| {
        s.launch(|_| {
            #[cfg(not(ok))]
            let local = String::from("text");
            kept.push(local.as_str());
        });
        Ok(())
    })?;
    println!("{kept:?}");
    Ok(())
}
