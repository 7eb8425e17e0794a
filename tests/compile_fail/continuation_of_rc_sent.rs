//! A continuation carries its value to the coroutine's thread, whichever thread resumes it.
//! expect: E0277

use switchback::prelude::*;

#[cfg(not(ok))]
use std::rc::Rc as Shared;
#[cfg(ok)]
use std::sync::Arc as Shared;

fn main() -> Result<()> {
    suspend_coroutine(|k: Continuation<Shared<()>>| {
        std::thread::spawn(move || k.resume(Shared::new(())));
    })?;
    Ok(())
}
