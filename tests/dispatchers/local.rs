//! What starts on the calling thread, and what runs on its big stack.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::set_message_hook;
use switchback::testing::run_test;

#[test]
fn local_coroutines_share_what_is_not_send() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    run_test(|s| {
        for name in ["a", "b"] {
            let seen = seen.clone();
            s.launch_local(move |s| {
                for round in 0..2 {
                    seen.borrow_mut().push(format!("{name}{round}"));
                    delay(ms(1))?;
                }
                s.launch_local(move |_| seen.borrow_mut().push(format!("{name}'s child")))
                    .join()
            });
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(
        *seen.borrow(),
        ["a0", "b0", "a1", "b1", "a's child", "b's child"]
    );
}

#[test]
fn a_local_coroutine_that_never_runs_is_dropped_by_its_thread() {
    struct DropsHere(std::thread::ThreadId, Rc<Cell<u32>>);
    impl Drop for DropsHere {
        fn drop(&mut self) {
            assert_eq!(self.0, std::thread::current().id());
            self.1.set(self.1.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    run_test(|s| {
        let held = DropsHere(std::thread::current().id(), dropped.clone());
        let job = s.launch_local(move |_| {
            let _held = &held;
        });
        let foreign = job.clone();
        std::thread::spawn(move || foreign.cancel()).join().unwrap();
        job.join()?;
        let cancelled = coroutine_scope(|s| {
            s.cancel();
            let held = DropsHere(std::thread::current().id(), dropped.clone());
            s.launch_local(move |_| {
                let _held = &held;
            });
            Ok(())
        });
        assert!(cancelled.is_err());
        Ok(())
    })
    .unwrap();
    assert_eq!(dropped.get(), 2);
}

#[test]
fn a_local_coroutine_of_a_view_stays_on_its_thread_although_it_waits_for_a_slot() {
    let view = Dispatchers::default().limited_parallelism(1);
    with_context(view, |s| {
        let here = std::thread::current().id();
        let local = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let local = local.clone();
            s.launch_local(move |_| {
                assert_eq!(here, std::thread::current().id());
                local.set(local.get() + 1);
                yield_()?;
                assert_eq!(here, std::thread::current().id());
                Ok(())
            });
            s.launch(|_| yield_());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_plain_thread_hosts_no_local_coroutines() {
    let told = std::thread::spawn(|| {
        let scope = CoroutineScope::new(Dispatchers::default());
        scope.launch_local(|_| ());
    })
    .join()
    .unwrap_err();
    let message = told.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(message.contains("hosts no coroutines"), "{message}");
}

#[test]
fn blocking_code_gives_its_value_and_its_panic_and_cannot_suspend() {
    run_test(|s| {
        let job = s.builder().stack_size(64 * 1024).async_(|_| {
            let local = String::from("borrowed");
            let length = blocking(|| {
                // More than the coroutine's own stack has.
                let large = std::hint::black_box([1u8; 200 * 1024]);
                assert!(delay(ms(1)).is_err());
                assert_eq!(blocking(|| 2), 2);
                local.len() + usize::from(large[7])
            });
            let panicked = std::panic::catch_unwind(|| blocking(|| std::panic::panic_any(3)));
            assert_eq!(*panicked.unwrap_err().downcast::<i32>().unwrap(), 3);
            delay(ms(1))?;
            Ok(length)
        });
        assert_eq!(job.await_()?, 9);
        Ok(())
    })
    .unwrap();
    assert_eq!(blocking(|| 5), 5);
}

#[test]
fn who_ignores_a_cancellation_again_and_again_is_named_with_the_line() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let hook = messages.clone();
    set_message_hook(move |message| {
        if message.contains("stubborn") {
            hook.lock().unwrap().push(message.to_owned());
        }
    });
    let mut line = 0;
    run_test(|s| {
        let line = &mut line;
        let job = s.builder().name("stubborn").launch(move |_| {
            for _ in 0..5000 {
                *line = std::line!() + 1;
                let _ = delay(ms(1));
            }
        });
        yield_()?;
        job.cancel_and_join()
    })
    .unwrap();
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].contains(&format!("local.rs:{line}:")),
        "{messages:?}"
    );
    assert!(
        messages[0].contains("ignores its cancellation"),
        "{messages:?}"
    );
}
