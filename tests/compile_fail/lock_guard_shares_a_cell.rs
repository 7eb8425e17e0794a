//! A guard that is shared lends its value to several threads at once, so the value must bear that.
//! expect: E0277

use switchback::prelude::*;

#[cfg(not(ok))]
type Value = std::cell::Cell<i32>;
#[cfg(ok)]
type Value = std::sync::atomic::AtomicI32;

fn main() -> Result<()> {
    let lock = Mutex::new(Value::new(1));
    let guard = lock.lock()?;
    coroutine_scope(|s| {
        s.launch(|_| {
            let _ = &*guard;
        });
        Ok(())
    })
}
