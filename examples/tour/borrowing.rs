//! A scope cannot be left before its children have ended, so they may borrow from outside it: no `Arc`, no clone, no
//! `'static`.

use switchback::prelude::*;

use crate::output::{grouped, row};

const COUNT: u64 = 1_000_000;
const PARTS: usize = 4;

pub fn stop() -> Result<()> {
    let factor = 3;
    let mut numbers: Vec<u64> = (1..=COUNT).collect();

    coroutine_scope(|s| {
        for part in numbers.chunks_mut(COUNT as usize / PARTS) {
            s.launch(move |_| part.iter_mut().for_each(|number| *number *= factor));
        }
        Ok(())
    })?;

    // The scope has ended, and with it every borrow: `numbers` is ours again.
    let sum: u64 = numbers.iter().sum();
    assert_eq!(sum, factor * COUNT * (COUNT + 1) / 2);
    row(
        "coroutines that wrote to one vector",
        format!("{PARTS}, each to its own quarter"),
    );
    row("its sum afterwards", grouped(sum));
    Ok(())
}
