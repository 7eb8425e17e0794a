//! Nobody waits for the coroutines of an owned scope, those that are local included.
//! expect: E0597

use std::rc::Rc;

use switchback::prelude::*;

fn main() -> Result<()> {
    let scope = CoroutineScope::new(Dispatchers::default());
    run_blocking(|_| {
        let text = Rc::new(String::from("text"));
        #[cfg(not(ok))]
        let text = &text;
        scope.launch_local(move |_| assert_eq!(text.len(), 4)).join()
    })
}
