//! A child may run on another thread, where the count of an `Rc` must not be touched.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let shared = std::rc::Rc::new(1);
    #[cfg(ok)]
    let shared = std::sync::Arc::new(1);
    coroutine_scope(|s| {
        let mine = shared.clone();
        s.launch(move |_| println!("{mine}"));
        Ok(())
    })
}
