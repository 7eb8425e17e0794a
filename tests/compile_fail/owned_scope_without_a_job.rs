//! A scope without a Job could not be cancelled: there is none, since a scope is a type and not an interface.
//! expect: E0404

use switchback::prelude::*;

struct Bare(CoroutineContext);

#[cfg(not(ok))]
impl CoroutineScope for Bare {}

#[cfg(ok)]
impl From<Bare> for CoroutineScope {
    fn from(bare: Bare) -> Self {
        CoroutineScope::new(bare.0)
    }
}

fn main() {
    let Bare(context) = Bare(CoroutineContext::empty());
    println!("{context:?}");
}
