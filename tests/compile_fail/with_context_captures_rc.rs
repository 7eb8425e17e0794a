//! The block may run on another thread.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let shared = std::rc::Rc::new(1);
    #[cfg(ok)]
    let shared = std::sync::Arc::new(1);
    run_blocking(|_| {
        let mine = shared.clone();
        with_context(Dispatchers::io(), move |_| {
            println!("{mine}");
            Ok(())
        })
    })
}
