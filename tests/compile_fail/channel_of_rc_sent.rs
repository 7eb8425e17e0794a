//! An end of a channel may go to another thread only if its elements may.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let (tx, rx) = channel(Capacity::buffered(1));
    #[cfg(ok)]
    let (tx, rx) = channel::<std::sync::Arc<i32>>(Capacity::buffered(1));
    coroutine_scope(|s| {
        s.launch(|_| Ok(tx.send(7.into())?));
        Ok(())
    })?;
    #[cfg(not(ok))]
    let _: std::rc::Rc<i32> = rx.recv()?;
    #[cfg(ok)]
    let _ = rx.recv()?;
    Ok(())
}
