//! `with_context` with a Job in the context would cut the block off from its caller, whose locals it borrows.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    #[cfg(not(ok))]
    let context = Dispatchers::io() + SupervisorJob::new();
    #[cfg(ok)]
    let context = Dispatchers::io() + CoroutineName::new("block");
    with_context(context, |_| delay(ms(1)))
}
