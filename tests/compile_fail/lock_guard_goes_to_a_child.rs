//! A lock counts as held by the coroutine that has taken it, so the guard stays there.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    let lock = Mutex::new(1);
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let guard = lock.lock()?;
        s.launch(|_| {
            #[cfg(ok)]
            let guard = lock.lock()?;
            let guard = guard;
            println!("{guard}");
            Ok(())
        });
        Ok(())
    })
}
