//! A scope kept beyond its end would launch children that nobody waits for.
//! expect: E0521

use switchback::prelude::*;

fn main() -> Result<()> {
    let mut kept = None;
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        {
            kept = Some(s);
        }
        #[cfg(ok)]
        {
            kept = Some(s.job());
        }
        Ok(())
    })?;
    let _ = kept;
    Ok(())
}
