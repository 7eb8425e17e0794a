//! A guard is given up by moving it away, so a lock that one does not hold cannot be given up.
//! expect: E0382

use switchback::prelude::*;

fn main() -> Result<()> {
    let lock = Mutex::new(1);
    let held = lock.lock()?;
    drop(held);
    #[cfg(not(ok))]
    drop(held);
    Ok(())
}
