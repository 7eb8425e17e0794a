//! A thread that the block starts stands on another stack.
//! expect: E0277

use switchback::prelude::*;

fn main() {
    let all = sequence::<i32, _>(|y| {
        #[cfg(not(ok))]
        std::thread::scope(|s| s.spawn(|| y.yield_(1)).join().unwrap())?;
        #[cfg(ok)]
        y.yield_(1)?;
        Ok(())
    });
    assert_eq!(all.iter().count(), 1);
}
