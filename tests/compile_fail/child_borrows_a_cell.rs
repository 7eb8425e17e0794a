//! Two threads would write to one `Cell`.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let count = std::cell::Cell::new(0);
    #[cfg(ok)]
    let count = std::sync::atomic::AtomicI32::new(0);
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        s.launch(|_| count.set(1));
        #[cfg(ok)]
        s.launch(|_| count.store(1, std::sync::atomic::Ordering::Relaxed));
        Ok(())
    })
}
