//! Sequences.

use std::cell::Cell;
use std::rc::Rc;

use switchback::prelude::*;

use crate::suite::{Scenario, scenario};
use crate::support::{Shown, Trace, t};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(seq_01_lazy_steps),
    scenario!(seq_02_yield_all),
    scenario!(seq_03_restart_and_infinite),
    scenario!(seq_04_has_next_is_idempotent),
];

fn seq_01_lazy_steps(trace: &'static Trace) -> Result<()> {
    let s = sequence(|y| {
        t!(trace, "start");
        y.yield_(1)?;
        t!(trace, "between");
        y.yield_(2)?;
        t!(trace, "end");
        Ok(())
    });
    t!(trace, "made");
    for e in &s {
        t!(trace, "got {e}");
    }
    Ok(())
}

fn seq_02_yield_all(trace: &'static Trace) -> Result<()> {
    let inner = sequence(|y| {
        t!(trace, "inner starts");
        y.yield_("i1")?;
        y.yield_("i2")?;
        t!(trace, "inner ends");
        Ok(())
    });
    let s = sequence(move |y| {
        y.yield_("a")?;
        y.yield_all(["l1", "l2"])?;
        y.yield_all(&inner)?;
        y.yield_all([])?;
        y.yield_("z")
    });
    for e in &s {
        t!(trace, "{e}");
    }
    Ok(())
}

fn seq_03_restart_and_infinite(trace: &'static Trace) -> Result<()> {
    let starts = Rc::new(Cell::new(0));
    let count = starts.clone();
    let fib = sequence(move |y| {
        count.set(count.get() + 1);
        let (mut a, mut b) = (0, 1);
        loop {
            y.yield_(a)?;
            (a, b) = (b, a + b);
        }
    });
    t!(trace, "{}", fib.iter().take(10).collect::<Vec<_>>().shown());
    t!(trace, "{}", fib.iter().find(|it| *it > 50).shown());
    t!(trace, "starts {}", starts.get());
    let mut it = iterator(|y| {
        y.yield_("only")?;
        t!(trace, "ran to the end");
        Ok(())
    })
    .peekable();
    t!(trace, "{}", it.next().shown());
    t!(trace, "hasNext {}", it.peek().is_some());
    if it.next().is_none() {
        // What Kotlin throws is a value here.
        t!(trace, "next past the end: NoSuchElementException");
    }
    Ok(())
}

fn seq_04_has_next_is_idempotent(trace: &'static Trace) -> Result<()> {
    let mut it = iterator(|y| {
        t!(trace, "step 1");
        y.yield_(1)?;
        t!(trace, "step 2");
        y.yield_(2)?;
        t!(trace, "over");
        Ok(())
    })
    .peekable();
    for _ in 0..3 {
        t!(trace, "hasNext {}", it.peek().is_some());
    }
    t!(trace, "{}", it.next().shown());
    t!(trace, "{}", it.next().shown());
    for _ in 0..2 {
        t!(trace, "hasNext {}", it.peek().is_some());
    }
    Ok(())
}
