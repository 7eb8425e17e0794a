//! A permit is given back by moving it away, so there are never more of them than there were.
//! expect: E0382

use switchback::prelude::*;
use switchback::sync::Semaphore;

fn main() -> Result<()> {
    let permits = Semaphore::new(1);
    let permit = permits.acquire()?;
    drop(permit);
    #[cfg(not(ok))]
    drop(permit);
    Ok(())
}
