//! A sequence that is dropped before its end.

use super::*;

#[test]
fn dropped_half_way_it_runs_the_destructors_of_its_frames() {
    let log = Log::default();
    let inside = log.clone();
    let mut one = iterator(move |y| {
        let _outer = Guard(inside.clone(), "outer dropped");
        let deeper = |y: &SequenceScope<i32>| {
            let _inner = Guard(inside.clone(), "inner dropped");
            y.yield_(1)?;
            inside.put("never");
            Ok::<_, Error>(())
        };
        deeper(y)?;
        inside.put("never");
        Ok(())
    });
    assert_eq!(one.next(), Some(1));
    assert!(log.take().is_empty());
    drop(one);
    assert_eq!(log.take(), ["inner dropped", "outer dropped"]);
}

#[test]
fn what_was_never_begun_only_drops_its_closure() {
    let log = Log::default();
    let guard = Guard(log.clone(), "closure dropped");
    let inside = log.clone();
    let one = iterator(move |y| {
        let _guard = guard;
        inside.put("never");
        y.yield_(1)
    });
    drop(one);
    assert_eq!(log.take(), ["closure dropped"]);
}

#[test]
fn yield_returns_a_cancellation_again_and_again_without_taking_more() {
    let seen = Rc::new(Cell::new(0));
    let pulled = Rc::new(Cell::new(0));
    let (count, pulls) = (seen.clone(), pulled.clone());
    let mut one = iterator(move |y| {
        y.yield_(0)?;
        Ok(())
    });
    assert_eq!(one.next(), Some(0));
    drop(one);
    let mut stubborn = iterator(move |y| {
        let _ = y.yield_(0);
        for _ in 0..5 {
            assert!(y.yield_(1).unwrap_err().is_cancelled());
            count.set(count.get() + 1);
        }
        let source = (0..).inspect(|_| pulls.set(pulls.get() + 1));
        assert!(y.yield_all(source).unwrap_err().is_cancelled());
        Ok(())
    });
    assert_eq!(stubborn.next(), Some(0));
    drop(stubborn);
    assert_eq!((seen.get(), pulled.get()), (5, 0));
}

#[test]
fn a_block_that_ignores_its_end_is_named_once() {
    let messages = told(|| {
        let mut stubborn = iterator(|y| {
            for n in 0..5000 {
                let _ = y.yield_(n);
            }
            Ok(())
        });
        assert_eq!(stubborn.next(), Some(0));
        drop(stubborn);
    });
    let about: Vec<_> = messages.iter().filter(|m| m.contains("ignores")).collect();
    assert_eq!(about.len(), 1, "{messages:?}");
    assert!(about[0].contains("dropping.rs"), "{messages:?}");
}

#[test]
fn an_error_in_the_cleanup_is_told() {
    let messages = told(|| {
        let mut failing = iterator(|y| {
            if y.yield_(1).is_err() {
                return Err(Error::msg("cannot clean up"));
            }
            Ok(())
        });
        failing.next();
        drop(failing);
    });
    assert!(
        messages.iter().any(|m| m.contains("cannot clean up")),
        "{messages:?}"
    );
}

#[test]
fn a_panic_in_the_cleanup_goes_on_in_the_drop() {
    let mut panicking = iterator(|y| {
        if y.yield_(1).is_err() {
            panic!("in the cleanup");
        }
        Ok(())
    });
    panicking.next();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(panicking))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the cleanup"));
}

#[test]
fn a_panic_in_the_cleanup_while_the_thread_unwinds_is_told() {
    let messages = told(|| {
        let unwound = catch_unwind(|| {
            let mut panicking = iterator(|y| {
                if y.yield_(1).is_err() {
                    panic!("in the cleanup");
                }
                Ok(())
            });
            panicking.next();
            panic!("the first");
        });
        let panic = unwound.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the first"));
    });
    assert!(!std::thread::panicking());
    assert!(
        messages.iter().any(|m| m.contains("in the cleanup")),
        "{messages:?}"
    );
}

#[test]
fn dropped_while_the_thread_unwinds_it_runs_its_destructors_and_nothing_else() {
    let log = Log::default();
    let inside = log.clone();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut one = iterator(move |y| {
            let _guard = Guard(inside.clone(), "dropped");
            y.yield_(1)?;
            inside.put("never");
            Ok(())
        });
        one.next();
        panic!("out of the loop");
    }));
    assert!(unwound.is_err());
    assert_eq!(log.take(), ["dropped"]);
    assert!(!std::thread::panicking());
}

#[test]
fn a_destructor_that_iterates_while_the_thread_unwinds_gets_its_elements() {
    struct Sums(Rc<Cell<u64>>);
    impl Drop for Sums {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.set(counting().iter().take(5).sum());
        }
    }
    let sum = Rc::new(Cell::new(0));
    let sums = Sums(sum.clone());
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _sums = sums;
        panic!("with a destructor");
    }));
    assert!(unwound.is_err());
    assert_eq!(sum.get(), 10);
}

#[test]
fn one_that_is_dropped_in_the_block_of_another_ends_there() {
    let log = Log::default();
    let inside = log.clone();
    let handed = Rc::new(RefCell::new(None::<SequenceIterator<i32>>));
    let taken = handed.clone();
    let mut inner = iterator(move |y| {
        let _guard = Guard(inside.clone(), "inner dropped");
        y.yield_all(1..)
    });
    assert_eq!(inner.next(), Some(1));
    *handed.borrow_mut() = Some(inner);
    let outside = log.clone();
    let mut outer = iterator(move |y| {
        let mut inner = taken.take().unwrap();
        y.yield_(inner.next().unwrap())?;
        drop(inner);
        outside.put("after");
        y.yield_(10)
    });
    assert_eq!(outer.next(), Some(2));
    assert!(log.take().is_empty());
    assert_eq!(outer.next(), Some(10));
    assert_eq!(log.take(), ["inner dropped", "after"]);
}

#[test]
fn one_in_a_thread_local_ends_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<SequenceIterator<i32>>> = const { RefCell::new(None) };
    }
    struct Sends(std::sync::mpsc::Sender<&'static str>);
    impl Drop for Sends {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    for uses_the_runtime in [false, true] {
        for kept_first in [false, true] {
            let (sender, receiver) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                if !kept_first {
                    KEPT.with(|kept| kept.take());
                }
                if uses_the_runtime {
                    delay(ms(1)).unwrap();
                }
                let mut one = iterator(move |y| {
                    let _sends = Sends(sender);
                    y.yield_all(1..)
                });
                assert_eq!(one.next(), Some(1));
                KEPT.with(|kept| *kept.borrow_mut() = Some(one));
            });
            thread.join().unwrap();
            assert_eq!(receiver.recv(), Ok("dropped"));
            assert!(receiver.recv().is_err());
        }
    }
}

#[test]
fn one_that_is_forgotten_is_leaked_and_others_go_on() {
    let log = Log::default();
    for _ in 0..10 {
        let inside = log.clone();
        let mut one = iterator(move |y| {
            let _guard = Guard(inside, "never");
            y.yield_all(1..)
        });
        one.next();
        std::mem::forget(one);
    }
    assert_eq!(counting().iter().take(3).count(), 3);
    assert!(log.take().is_empty());
}
