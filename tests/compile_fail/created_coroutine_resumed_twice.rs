//! What was created starts once.
//! expect: E0382

use switchback::create_coroutine;
use switchback::prelude::*;

fn main() {
    let created = create_coroutine(CoroutineContext::empty(), || Ok(1), |_| ());
    created.resume();
    #[cfg(not(ok))]
    created.resume();
}
