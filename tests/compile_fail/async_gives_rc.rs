//! The value travels from the thread that has made it to the one that awaits it.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let value = s.async_(|_| Ok(std::rc::Rc::new(1)));
        #[cfg(ok)]
        let value = s.async_(|_| Ok(std::sync::Arc::new(1)));
        println!("{}", value.await_()?);
        Ok(())
    })
}
