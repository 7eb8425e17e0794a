//! What was moved into a child is the child's.
//! expect: E0382

use switchback::prelude::*;

fn main() -> Result<()> {
    let list = vec![1, 2];
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        let taken = list;
        #[cfg(ok)]
        let taken = list.clone();
        s.launch(move |_| drop(taken));
        println!("{list:?}");
        Ok(())
    })
}
