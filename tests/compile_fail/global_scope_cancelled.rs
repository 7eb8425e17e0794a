//! The global scope has no Job: nobody can cancel what others have launched in it.
//! expect: E0599

use switchback::prelude::*;

fn main() {
    #[cfg(not(ok))]
    let scope = GlobalScope;
    #[cfg(ok)]
    let scope = CoroutineScope::new(CoroutineContext::empty());
    scope.cancel();
}
