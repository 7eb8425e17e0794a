//! A body whose last call gives another `Result` would otherwise make the type of `Ok(())` ambiguous everywhere.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        s.launch(|_| {
            #[cfg(not(ok))]
            return std::fs::create_dir("/proc/x");
            #[cfg(ok)]
            return Ok(std::fs::create_dir("/proc/x")?);
        });
        Ok(())
    })
}
