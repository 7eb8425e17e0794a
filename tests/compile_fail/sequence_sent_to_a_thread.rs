//! The block of a sequence goes on where it began.
//! expect: E0277

use switchback::prelude::*;

fn main() {
    let mut numbers = iterator(|y| y.yield_all(0..3));
    numbers.next();
    #[cfg(not(ok))]
    std::thread::spawn(move || numbers.next());
    #[cfg(ok)]
    std::thread::spawn(move || iterator(|y| y.yield_all(0..3)).next());
}
