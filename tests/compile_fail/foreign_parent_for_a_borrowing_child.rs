//! A child with another parent would not be waited for by the scope that it borrows from.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    let text = String::from("text");
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let builder = s.builder().context(SupervisorJob::new());
        #[cfg(ok)]
        let builder = s.builder().context(CoroutineName::new("child"));
        builder.launch(|_| println!("{text}"));
        Ok(())
    })
}
