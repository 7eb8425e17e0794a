//! Two children of one scope run at the same time.
//! expect: E0499

use switchback::prelude::*;

fn main() -> Result<()> {
    let mut count = 0;
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        s.launch(|_| count += 1);
        s.launch(|_| count += 1);
        Ok(())
    })
}
