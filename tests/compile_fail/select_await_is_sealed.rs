//! What is awaited is a job that the crate knows; what is open is `SelectClause`.
//! expect: E0277

use switchback::prelude::*;
use switchback::sync::{SelectClause, SelectWaker};

struct Mine;

impl SelectClause for Mine {
    type Output = u8;

    fn try_take(&mut self) -> Option<u8> {
        Some(1)
    }

    fn watch(&mut self, _: SelectWaker) {}

    fn unwatch(&mut self) {}
}

fn main() -> Result<()> {
    let number = select(|s| {
        #[cfg(ok)]
        s.on(Mine, Ok);
        #[cfg(not(ok))]
        s.on_await(Mine, |_| Ok(1));
    })?;
    assert_eq!(number, 1);
    Ok(())
}
