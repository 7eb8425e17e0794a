//! One who promises to give a `&'static str` must not come to promise less.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

#[cfg(not(ok))]
fn weaken<'short>(k: Continuation<&'static str>) -> Continuation<&'short str> {
    k
}

// The other way round it is sound: who may give any text may well give only static ones.
#[cfg(ok)]
fn weaken<'short>(k: Continuation<&'short str>) -> Continuation<&'static str> {
    k
}

fn main() -> Result<()> {
    let text = suspend_coroutine(|k| weaken(k).resume("text"))?;
    println!("{text}");
    Ok(())
}
