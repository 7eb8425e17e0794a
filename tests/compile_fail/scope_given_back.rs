//! A scope cannot be the value of its own body either.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let kept = coroutine_scope(|s| Ok(s))?;
    #[cfg(ok)]
    let kept = coroutine_scope(|s| Ok(s.job()))?;
    let _ = kept.is_active();
    Ok(())
}
