//! The first program: two coroutines at once, and a grandchild that borrows from `main`.
//!
//! ```text
//! cargo run --example hello
//! ```

use switchback::prelude::*;

// No colour: an ordinary function, for coroutines and plain threads alike.
fn compute_sum() -> Result<i32> {
    coroutine_scope(|s| {
        let a = s.async_(|_| {
            delay(ms(500))?;
            Ok(3)
        });
        let b = s.async_(|_| {
            delay(ms(500))?;
            Ok(4)
        });
        Ok(a.await_()? + b.await_()?)
    })
}

fn main() -> Result<()> {
    let greeting = String::from("hello");
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.launch(|_| println!("{greeting}, grandchild"));
            delay(ms(10))
        });
        job.join()?;
        println!("{}", compute_sum()?);
        Ok(())
    })
}
