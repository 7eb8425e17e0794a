//! A child's scope is of one child only; a sibling that launched in it might do so after it has ended.
//! expect: E0521

use std::sync::Mutex;
use switchback::prelude::*;

fn main() -> Result<()> {
    let kept = Mutex::new(None);
    coroutine_scope(|s| {
        s.launch(|child| {
            #[cfg(not(ok))]
            let value = child;
            #[cfg(ok)]
            let value = child.job();
            *kept.lock().unwrap() = Some(value);
        });
        Ok(())
    })
}
