//! A permit is given back when it is dropped, so the semaphore must still stand then.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let seats = Semaphore::new(1);
    let _permit;
    {
        #[cfg(not(ok))]
        let seats = Semaphore::new(1);
        _permit = seats.acquire()?;
    }
    Ok(())
}
