//! Safe code that means no good.

use std::any::Any;

use super::*;
use switchback::CoroutineStart;

#[test]
fn one_is_kept_across_suspensions_and_goes_from_coroutine_to_coroutine() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let shared = Rc::new(RefCell::new(counting().iter()));
        let seen = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..3 {
            let (shared, seen) = (shared.clone(), seen.clone());
            s.launch_local(move |_| {
                for _ in 0..4 {
                    let next = shared.borrow_mut().next().unwrap();
                    seen.borrow_mut().push(next);
                    switchback::yield_()?;
                    delay(ms(1))?;
                }
                Ok(())
            });
        }
        let seen_by_all = seen.clone();
        s.launch_local(move |_| {
            delay(ms(200))?;
            assert_eq!(*seen_by_all.borrow(), (0..12).collect::<Vec<_>>());
            Ok(())
        });
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_begun_in_a_coroutine_outlives_it() {
    let _watchdog = Watchdog::new();
    let kept = Rc::new(RefCell::new(None));
    run_blocking(|s| {
        let slot = kept.clone();
        s.launch_local(move |_| {
            coroutine_scope(|_| {
                let mut one = counting().iter();
                assert_eq!(one.next(), Some(0));
                *slot.borrow_mut() = Some(one);
                Ok(())
            })
        })
        .join()
    })
    .unwrap();
    let mut one = kept.take().unwrap();
    assert_eq!(one.next(), Some(1));
    run_blocking(|_| {
        assert_eq!(one.next(), Some(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_in_lockstep_each_in_the_others_block() {
    // The second is asked for its elements by the first and by the test in turn.
    let second = Rc::new(RefCell::new(counting().iter()));
    let inside = second.clone();
    let mut first = iterator(move |y| {
        loop {
            let next = inside.borrow_mut().next().unwrap();
            y.yield_(next)?;
        }
    });
    for n in 0..50 {
        assert_eq!(first.next(), Some(2 * n));
        assert_eq!(second.borrow_mut().next(), Some(2 * n + 1));
    }
}

#[test]
fn one_that_asks_itself_is_refused_by_its_cell() {
    let own = Rc::new(RefCell::new(None::<SequenceIterator<i32>>));
    let inside = own.clone();
    let one = iterator(move |y| {
        assert!(inside.try_borrow_mut().is_err());
        y.yield_(1)
    });
    *own.borrow_mut() = Some(one);
    assert_eq!(own.borrow_mut().as_mut().unwrap().next(), Some(1));
    // Taken out, and so not reached from within.
    let mut one = own.take().unwrap();
    assert_eq!(one.next(), None);
}

#[test]
fn a_block_that_owns_its_own_iterator_is_leaked_or_ends() {
    let own = Rc::new(RefCell::new(None::<SequenceIterator<i32>>));
    let inside = own.clone();
    let mut one = iterator(move |y| {
        y.yield_(1)?;
        drop(inside);
        y.yield_(2)
    });
    assert_eq!(one.next(), Some(1));
    *own.borrow_mut() = Some(one);
    let mut one = own.take().unwrap();
    assert_eq!((one.next(), one.next()), (Some(2), None));
}

#[test]
fn coroutines_do_not_start_in_place_in_a_block() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (in_block, in_coroutine) = (order.clone(), order.clone());
        let scope = CoroutineScope::new(s.context().get::<Dispatcher>().unwrap().clone());
        let inner_scope = scope.clone();
        let block = sequence(move |y| {
            let order = in_coroutine.clone();
            let coroutine = move |name| {
                let order = order.clone();
                move |_: &Scope<'_, 'static>| order.lock().unwrap().push(name)
            };
            let undispatched = inner_scope.builder().start(CoroutineStart::Undispatched);
            undispatched.launch(coroutine("undispatched"));
            let unconfined = inner_scope.builder().dispatcher(Dispatchers::unconfined());
            unconfined.launch(coroutine("unconfined"));
            in_block.lock().unwrap().push("block");
            y.yield_(1)
        });
        assert_eq!(block.iter().count(), 1);
        assert_eq!(order.lock().unwrap()[0], "block");
        delay(ms(5))?;
        assert_eq!(order.lock().unwrap().len(), 3);
        scope.cancel();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_block_may_resume_coroutines_and_complete_jobs() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let slot: Arc<Mutex<Option<Continuation<i32>>>> = Arc::default();
        let inside = slot.clone();
        let waiting = s
            .builder()
            .dispatcher(Dispatchers::unconfined())
            .async_(move |_| suspend_coroutine(|k| *slot.lock().unwrap() = Some(k)));
        let block = sequence(move |y| {
            inside.lock().unwrap().take().unwrap().resume(7);
            y.yield_(1)
        });
        assert_eq!(block.iter().count(), 1);
        assert_eq!(waiting.await_()?, 7);
        // Its own coroutine, from within the block of its suspension.
        let got: i32 = suspend_coroutine(|k| {
            let mut one = iterator(move |y| {
                k.resume(8);
                y.yield_(1)
            });
            assert_eq!(one.next(), Some(1));
        })?;
        assert_eq!(got, 8);
        Ok(())
    })
    .unwrap();
}

#[test]
fn sequences_in_handlers_and_destructors_of_the_runtime_work() {
    let _watchdog = Watchdog::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    run_blocking(|s| {
        let job = s.launch(|_| delay(ms(1)));
        let also = sender.clone();
        job.invoke_on_completion(move |_| {
            let waited = sequence(|y| y.yield_(delay(ms(1)).is_err())).iter().next();
            also.send((waited, counting().iter().take(4).sum::<u64>()))
                .unwrap();
        });
        job.join()
    })
    .unwrap();
    assert_eq!(receiver.recv().unwrap(), (Some(true), 6));
}

#[test]
fn elements_of_the_context_stay_with_the_coroutine() {
    thread_local! {
        static VALUE: Cell<i32> = const { Cell::new(0) };
    }
    #[derive(Debug)]
    struct Sets(i32);
    impl Element for Sets {
        fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
            Some(self)
        }
    }
    impl ThreadContextElement for Sets {
        fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
            Box::new(VALUE.replace(self.0))
        }
        fn restore_thread_context(&self, _: &CoroutineContext, old: Box<dyn Any>) {
            VALUE.set(*old.downcast().unwrap());
        }
    }
    let _watchdog = Watchdog::new();
    let values = sequence(|y| {
        loop {
            let inner = with_context(Sets(9), |_| Ok(VALUE.get()))?;
            y.yield_((VALUE.get(), inner))?;
        }
    });
    let mut values = values.iter();
    assert_eq!(values.next(), Some((0, 9)));
    run_blocking(|s| {
        let values = Rc::new(RefCell::new(values));
        for n in 1..4 {
            let values = values.clone();
            let scope = CoroutineScope::new(s.context() + Sets(n));
            scope.launch_local(move |_| {
                for _ in 0..3 {
                    assert_eq!(values.borrow_mut().next(), Some((n, 9)));
                    delay(ms(1))?;
                    assert_eq!(VALUE.get(), n);
                }
                Ok(())
            });
        }
        delay(ms(50))
    })
    .unwrap();
    assert_eq!(VALUE.get(), 0);
}
