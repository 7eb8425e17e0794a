//! The coroutines of an owned scope outlive the call that launches them.
//! expect: E0597

use switchback::prelude::*;

fn main() -> Result<()> {
    let scope = CoroutineScope::new(Dispatchers::default());
    let local = String::from("text");
    #[cfg(not(ok))]
    let text = &local;
    #[cfg(ok)]
    let text = local;
    scope.launch(move |_| println!("{text}")).join()
}
