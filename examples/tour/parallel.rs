//! Two things that take 100 ms each take 100 ms together.

use std::time::Instant;

use switchback::prelude::*;

use crate::output::{row, time};

// An ordinary function. In a coroutine it suspends; called on a plain thread, as here, it parks the thread.
fn price_of(article: &str) -> Result<usize> {
    delay(ms(100))?; // the shop thinks
    Ok(article.len())
}

fn total() -> Result<usize> {
    coroutine_scope(|s| {
        let lamp = s.async_(|_| price_of("lamp"));
        let table = s.async_(|_| price_of("table"));
        Ok(lamp.await_()? + table.await_()?)
    })
}

pub fn stop() -> Result<()> {
    let start = Instant::now();
    assert_eq!(price_of("lamp")? + price_of("table")?, 9);
    let one_by_one = start.elapsed();
    assert!(one_by_one >= ms(200));

    let start = Instant::now();
    assert_eq!(total()?, 9);
    let together = start.elapsed();
    assert!(together >= ms(100) && together < one_by_one);

    row("two answers of 100 ms, one by one", time(one_by_one));
    row("with async_", time(together));
    Ok(())
}
