//! Nothing waits for it.
//! expect: E0373

use switchback::prelude::*;
use switchback::start_coroutine;

fn main() {
    let text = String::from("text");
    #[cfg(not(ok))]
    start_coroutine(CoroutineContext::empty(), || Ok(text.len()), |_| ());
    #[cfg(ok)]
    start_coroutine(CoroutineContext::empty(), move || Ok(text.len()), |_| ());
}
