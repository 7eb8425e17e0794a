//! A sequence whose block fails.

use super::*;

fn failing() -> switchback::Sequence<i32> {
    sequence(|y| {
        y.yield_(1)?;
        Err(std::io::Error::other("disk on fire").into())
    })
}

#[test]
fn results_end_with_the_error() {
    let mut results = failing().iter().results();
    assert_eq!(results.next().unwrap().unwrap(), 1);
    let error = results.next().unwrap().unwrap_err();
    assert!(error.is::<std::io::Error>());
    assert!(results.next().is_none());
    assert!(results.next().is_none());
}

#[test]
fn without_a_scope_next_panics_with_the_error_and_the_place() {
    let place = Arc::new(Mutex::new(String::new()));
    let hook = std::panic::take_hook();
    let seen = place.clone();
    std::panic::set_hook(Box::new(move |info| {
        if info
            .payload_as_str()
            .is_some_and(|text| text.contains("disk on fire"))
        {
            *seen.lock().unwrap() = info.location().unwrap().to_string();
        }
    }));
    let mut numbers = failing().iter();
    assert_eq!(numbers.next(), Some(1));
    let panic = catch_unwind(AssertUnwindSafe(|| numbers.next())).unwrap_err();
    std::panic::set_hook(hook);
    assert!(
        panic
            .downcast_ref::<String>()
            .unwrap()
            .contains("disk on fire")
    );
    assert!(place.lock().unwrap().contains("failing.rs"));
    assert_eq!(numbers.next(), None);
}

#[test]
fn in_a_coroutine_the_error_is_thrown_up_to_its_end() {
    let _watchdog = Watchdog::new();
    let failed: Result<()> = run_blocking(|s| {
        let sum = s.async_(|_| Ok(failing().iter().sum::<i32>()));
        sum.await_()?;
        Ok(())
    });
    let error = failed.unwrap_err();
    assert!(
        error.is::<std::io::Error>() && !error.is_panic(),
        "{error:?}"
    );
}

#[test]
fn in_a_scope_function_the_error_is_thrown_up_to_it_and_is_a_value_there() {
    let _watchdog = Watchdog::new();
    let log = Log::default();
    let inside = log.clone();
    let failed = coroutine_scope(|_| {
        let _guard = Guard(inside, "unwound");
        Ok(failing().iter().sum::<i32>())
    });
    assert!(failed.unwrap_err().is::<std::io::Error>());
    assert_eq!(log.take(), ["unwound"]);
    // Through a sequence in between.
    let failed = run_blocking(|_| {
        let outer = sequence(|y| y.yield_all(&failing()));
        Ok(outer.iter().count())
    });
    assert!(failed.unwrap_err().is::<std::io::Error>());
}

#[test]
fn a_cancellation_of_the_caller_in_the_block_is_one_of_the_caller() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let computing = sequence(|y| {
                loop {
                    ensure_active()?;
                    y.yield_(1)?;
                }
            });
            for (n, _) in computing.iter().enumerate() {
                if n == 3 {
                    current_job().unwrap().cancel_with("enough");
                }
                assert!(n <= 3);
            }
            Ok(())
        });
        job.join()?;
        assert!(job.is_cancelled());
        let cause = job.cause().unwrap();
        assert!(
            cause.is_cancelled() && cause.to_string().contains("enough"),
            "{cause:?}"
        );
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_comes_out_of_next_and_ends_the_sequence() {
    let log = Log::default();
    let inside = log.clone();
    let mut one = iterator(move |y| {
        let _guard = Guard(inside, "unwound");
        y.yield_(1)?;
        std::panic::panic_any(42_u8)
    });
    assert_eq!(one.next(), Some(1));
    let panic = catch_unwind(AssertUnwindSafe(|| one.next())).unwrap_err();
    assert_eq!(panic.downcast_ref::<u8>(), Some(&42));
    assert_eq!(log.take(), ["unwound"]);
    assert_eq!(one.next(), None);
    assert!(!std::thread::panicking());
}

#[test]
fn a_panic_comes_through_sequences_in_between() {
    let inner = sequence::<i32, _>(|_| panic!("in the depth"));
    let middle = sequence(move |y| y.yield_all(&inner));
    let outer = sequence(move |y| y.yield_all(&middle));
    let panic = catch_unwind(AssertUnwindSafe(|| outer.iter().next())).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in the depth"));
}

#[test]
fn a_destructor_does_not_yield_while_the_block_panics() {
    struct Yields<'a>(&'a SequenceScope<i32>, Rc<Cell<bool>>);
    impl Drop for Yields<'_> {
        fn drop(&mut self) {
            self.1.set(self.0.yield_(2).is_err());
        }
    }
    let refused = Rc::new(Cell::new(false));
    let flag = refused.clone();
    let mut one = iterator(move |y| {
        let _yields = Yields(y, flag);
        y.yield_(1)?;
        panic!("with a destructor that yields")
    });
    assert_eq!(one.next(), Some(1));
    assert!(catch_unwind(AssertUnwindSafe(|| one.next())).is_err());
    assert!(refused.get());
    assert!(!std::thread::panicking());
}
