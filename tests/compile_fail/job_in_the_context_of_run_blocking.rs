//! A scope that borrows takes no foreign parent.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    let job = Job::by_hand();
    #[cfg(not(ok))]
    let context = CoroutineName::new("main") + job;
    #[cfg(ok)]
    let context = {
        drop(job);
        CoroutineName::new("main")
    };
    run_blocking_with(context, |_| Ok(()))
}
