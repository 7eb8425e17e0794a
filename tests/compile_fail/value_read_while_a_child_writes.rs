//! The child may write until the scope ends.
//! expect: E0502

use switchback::prelude::*;

fn main() -> Result<()> {
    let mut list = vec![1];
    coroutine_scope(|s| {
        s.launch(|_| list.push(2));
        #[cfg(not(ok))]
        println!("{list:?}");
        Ok(())
    })?;
    println!("{list:?}");
    Ok(())
}
