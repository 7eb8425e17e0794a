//! A guard gives the lock up when it is dropped, so the lock must still stand then.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let lock = Mutex::new(1);
    let _guard;
    {
        #[cfg(not(ok))]
        let lock = Mutex::new(1);
        _guard = lock.lock()?;
    }
    Ok(())
}
