//! It may start on another thread.
//! expect: E0277

use std::rc::Rc;

use switchback::prelude::*;
#[cfg(not(ok))]
use switchback::start_coroutine;
#[cfg(ok)]
use switchback::start_coroutine_local as start_coroutine;

fn main() {
    let shared = Rc::new(1);
    start_coroutine(CoroutineContext::empty(), move || Ok(*shared), |_| ());
}
