//! A mutex of the standard library is unlocked by the thread that has locked it.
//! expect: E0277

use std::sync::Mutex;
use switchback::prelude::*;

fn main() -> Result<()> {
    let mutex = Mutex::new(0);
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let guard = mutex.lock().unwrap();
        #[cfg(ok)]
        let guard = &mutex;
        s.launch(move |_| println!("{guard:?}"));
        Ok(())
    })
}
