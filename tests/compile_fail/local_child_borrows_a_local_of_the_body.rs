//! A local coroutine may hold what is not `Send`, but it outlives the body's own locals as any child does.
//! expect: E0597

use std::cell::Cell;

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let count = Cell::new(0);
    run_blocking(|s| {
        #[cfg(not(ok))]
        let count = Cell::new(0);
        let count = &count;
        s.launch_local(move |_| count.set(1));
        Ok(())
    })
}
