//! Sequences: what they give, how they end, and what they refuse.

#[path = "../net/watchdog.rs"]
mod watchdog;

mod dropping;
mod failing;
mod hostile;
mod refusing;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use switchback::prelude::*;
use switchback::{SequenceIterator, SequenceScope};
use watchdog::Watchdog;

/// What the tests of one thread have seen, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn put(&self, event: impl Into<String>) {
        self.0.borrow_mut().push(event.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Writes when it is dropped.
struct Guard(Log, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.put(self.1);
    }
}

/// Collects what the runtime tells while `run` runs; one such test at a time.
fn told(run: impl FnOnce()) -> Vec<String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let messages: Arc<Mutex<Vec<String>>> = Arc::default();
    let list = messages.clone();
    switchback::set_message_hook(move |message| list.lock().unwrap().push(message.to_owned()));
    run();
    switchback::set_message_hook(|_| ());
    std::mem::take(&mut messages.lock().unwrap())
}

fn counting() -> switchback::Sequence<u64> {
    sequence(|y| y.yield_all(0..))
}

#[test]
fn the_block_runs_step_by_step_and_only_when_asked() {
    let log = Log::default();
    let inside = log.clone();
    let steps = sequence(move |y| {
        inside.put("start");
        y.yield_(1)?;
        inside.put("between");
        y.yield_(2)?;
        inside.put("end");
        Ok(())
    });
    let mut steps = steps.iter();
    assert!(log.take().is_empty());
    assert_eq!(steps.next(), Some(1));
    assert_eq!(log.take(), ["start"]);
    assert_eq!(steps.next(), Some(2));
    assert_eq!(log.take(), ["between"]);
    assert_eq!(steps.next(), None);
    assert_eq!(log.take(), ["end"]);
    assert_eq!(steps.next(), None);
    assert_eq!(steps.next(), None);
    assert!(log.take().is_empty());
}

#[test]
fn each_iteration_starts_the_block_again() {
    let starts = Rc::new(Cell::new(0));
    let count = starts.clone();
    let three = sequence(move |y| {
        count.set(count.get() + 1);
        y.yield_all([1, 2, 3])
    });
    let mut sum = 0;
    for number in &three {
        sum += number;
    }
    for number in three.clone() {
        sum += number;
    }
    assert_eq!((sum, starts.get()), (12, 2));
    let (mut a, mut b) = (three.iter(), three.iter());
    assert_eq!((a.next(), a.next(), b.next()), (Some(1), Some(2), Some(1)));
    assert_eq!(starts.get(), 4);
    assert_eq!(three.into_iter().count(), 3);
}

#[test]
fn a_block_that_runs_once_may_use_up_what_it_captures() {
    let words = vec!["a".to_owned(), "b".to_owned()];
    let all = iterator(move |y| {
        for word in words {
            y.yield_(word)?;
        }
        Ok(())
    });
    assert_eq!(all.collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn elements_of_any_size_arrive_whole_and_are_dropped_once() {
    let token = Rc::new(());
    let inside = token.clone();
    let mut big = iterator(move |y| {
        for n in 0..3_u8 {
            y.yield_(([n; 1000], inside.clone()))?;
        }
        Ok(())
    });
    let first = big.next().unwrap();
    assert!(first.0.iter().all(|n| *n == 0));
    assert_eq!(Rc::strong_count(&token), 3);
    drop(first);
    assert_eq!(big.map(|(bytes, _)| bytes[999]).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(Rc::strong_count(&token), 1);
    assert_eq!(sequence(|y| y.yield_all([(), ()])).iter().count(), 2);
}

#[test]
fn sequences_nest_lazily_to_any_depth() {
    fn nested(depth: u32) -> SequenceIterator<u32> {
        iterator(move |y| {
            y.yield_(depth)?;
            if depth > 0 {
                y.yield_all(nested(depth - 1))?;
            }
            y.yield_(depth)
        })
    }
    let all: Vec<_> = nested(40).collect();
    assert!(all.iter().copied().eq((0..=40).rev().chain(0..=40)));
    // Dropped half way, in the depth.
    assert_eq!(nested(40).nth(20), Some(20));
}

#[test]
fn peeking_runs_the_block_once() {
    let log = Log::default();
    let inside = log.clone();
    let mut two = iterator(move |y| {
        inside.put("step 1");
        y.yield_(1)?;
        inside.put("step 2");
        y.yield_(2)
    })
    .peekable();
    assert_eq!(two.peek(), Some(&1));
    assert_eq!(two.peek(), Some(&1));
    assert_eq!(log.take(), ["step 1"]);
    assert_eq!((two.next(), two.next()), (Some(1), Some(2)));
    assert_eq!(two.peek(), None);
}

#[test]
fn many_at_a_time_on_one_thread() {
    let mut all: Vec<_> = (0..2000).map(|n| counting().iter().skip(n)).collect();
    for round in 0..3 {
        for (n, one) in all.iter_mut().enumerate() {
            assert_eq!(one.next(), Some((n + round) as u64));
        }
    }
}

#[test]
fn a_stack_can_be_larger() {
    fn depth(of: u64) -> u64 {
        let frame = std::hint::black_box([of; 64]);
        if of == 0 { 0 } else { depth(frame[63] - 1) + 1 }
    }
    let deep = sequence(|y| y.yield_(depth(5000))).stack_size(64 << 20);
    assert_eq!(deep.iter().next(), Some(5000));
    let mut once = iterator(|y| y.yield_(depth(5000))).stack_size(64 << 20);
    assert_eq!(once.next(), Some(5000));
}

#[test]
fn the_types_tell_of_themselves() {
    let one = sequence(|y| {
        assert!(format!("{y:?}").contains("main.rs"));
        y.yield_(1)
    });
    assert!(format!("{one:?}").contains("main.rs"));
    let mut run = one.iter();
    assert!(format!("{run:?}").contains("new"));
    run.next();
    assert!(format!("{run:?}").contains("begun"));
    run.next();
    assert!(format!("{run:?}").contains("ended"));
}
