//! The clauses are waited for after they were written, so what they name must stand outside.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(ok)]
    let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
    select(|s| {
        #[cfg(not(ok))]
        let (_tx, rx) = channel::<i32>(Capacity::rendezvous());
        s.on_recv(&rx, |_| Ok(()));
        s.on_timeout(ms(1), || Ok(()));
    })
}
