//! Only the block itself yields: elsewhere the thread would stand on another stack.
//! expect: E0521

use switchback::prelude::*;
use switchback::{SequenceIterator, SequenceScope};

fn main() {
    let all: SequenceIterator<i32> = iterator(|y: &SequenceScope<i32>| {
        #[cfg(not(ok))]
        let mut inner = iterator(move |_: &SequenceScope<i32>| y.yield_(1));
        #[cfg(ok)]
        let mut inner = iterator(move |z: &SequenceScope<i32>| z.yield_(1));
        inner.next();
        y.yield_(2)
    });
    assert_eq!(all.count(), 1);
}
