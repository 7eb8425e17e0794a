//! An iterator can be forgotten, so what its block borrows could be gone while the block has it still.
//! expect: E0373

use switchback::prelude::*;

fn main() {
    let words = vec!["a", "b"];
    #[cfg(not(ok))]
    let all = sequence(|y| y.yield_all(words.iter().copied()));
    #[cfg(ok)]
    let all = sequence(move |y| y.yield_all(words.iter().copied()));
    assert_eq!(all.iter().count(), 2);
}
