//! It may hold what is not `Send`, and belongs to its thread until a dispatcher has it.
//! expect: E0277

use switchback::create_coroutine;
use switchback::prelude::*;

fn main() {
    let created = create_coroutine(CoroutineContext::empty(), || Ok(1), |_| ());
    #[cfg(not(ok))]
    std::thread::spawn(move || created.resume());
    #[cfg(ok)]
    created.resume();
}
