//! Clauses stand for the coroutine that selects, and stay on its thread.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    select(|s| {
        #[cfg(not(ok))]
        std::thread::scope(|threads| {
            threads.spawn(|| s.on_timeout(ms(1), || Ok(())));
        });
        #[cfg(ok)]
        s.on_timeout(ms(1), || Ok(()));
    })
}
