//! Nothing waits for a coroutine of the global scope.
//! expect: E0373

use switchback::prelude::*;

fn main() -> Result<()> {
    let local = String::from("text");
    #[cfg(not(ok))]
    let job = GlobalScope.launch(|_| println!("{local}"));
    #[cfg(ok)]
    let job = GlobalScope.launch(move |_| println!("{local}"));
    job.join()
}
