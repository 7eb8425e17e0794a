//! The block's value comes back from another thread.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    run_blocking(|_| {
        #[cfg(not(ok))]
        let value = with_context(Dispatchers::io(), |_| Ok(std::rc::Rc::new(1)))?;
        #[cfg(ok)]
        let value = with_context(Dispatchers::io(), |_| Ok(Box::new(1)))?;
        println!("{value}");
        Ok(())
    })
}
