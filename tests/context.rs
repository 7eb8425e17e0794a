//! What a coroutine carries: elements, exception handlers, variables of its thread.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::testing::run_test;
use switchback::{JobContext, StackBytes};

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn listening() -> (CoroutineExceptionHandler, Log) {
    let log = Log::default();
    let told = log.clone();
    let handler = CoroutineExceptionHandler::new(move |context, error| {
        let name = context.get::<CoroutineName>().map(CoroutineName::as_str);
        say(&told, format!("{}: {error}", name.unwrap_or("nobody")));
    });
    (handler, log)
}

fn failing(message: &'static str) -> Result<()> {
    Err(Error::msg(message))
}

#[test]
fn the_handler_of_a_root_is_told_before_its_joiners_wake() {
    let (handler, log) = listening();
    let scope = CoroutineScope::new(SupervisorJob::new() + handler + CoroutineName::new("service"));
    let job = scope.launch(|s| {
        s.launch(|_| failing("deep down"));
    });
    job.join().unwrap();
    assert_eq!(taken(&log), ["service: deep down"]);
}

#[test]
fn a_handler_given_to_a_child_is_ignored() {
    let (handler, told) = listening();
    let (ignored, silent) = listening();
    let scope = CoroutineScope::new(SupervisorJob::new() + handler);
    let job = scope.launch(move |s| {
        s.builder()
            .context(ignored)
            .launch(|_| failing("child"))
            .join()
    });
    job.join().unwrap();
    assert_eq!(taken(&told), ["nobody: child"]);
    assert!(taken(&silent).is_empty());
}

#[test]
fn the_children_of_a_supervisor_are_told_of_like_roots_and_async_is_not() {
    let (outer, told) = listening();
    let (own, own_told) = listening();
    run_blocking_with(outer, |_| {
        supervisor_scope(|s| {
            s.launch(|_| failing("first"));
            s.builder().context(own).launch(|_| failing("second"));
            let asked = s.async_(|_| failing("third"));
            asked.join()
        })
    })
    .unwrap();
    assert_eq!(taken(&told), ["nobody: first"]);
    assert_eq!(taken(&own_told), ["nobody: second"]);
}

#[test]
fn a_cancellation_never_reaches_the_handler() {
    let (handler, told) = listening();
    let scope = CoroutineScope::new(SupervisorJob::new() + handler);
    let cancelled = scope.launch(|_| await_cancellation());
    cancelled.cancel_and_join().unwrap();
    scope
        .launch(|_| -> Result<()> { Err(Error::cancelled()) })
        .join()
        .unwrap();
    assert!(taken(&told).is_empty());
}

#[test]
fn a_failure_below_a_job_by_hand_that_answers_is_told_once_at_the_top() {
    let (handler, told) = listening();
    let failed: Result<()> = run_blocking_with(handler.clone(), |s| {
        let inner = CoroutineScope::new(Job::by_hand_under(&s.job()) + handler);
        inner.launch(|_| failing("below"));
        await_cancellation()
    });
    assert_eq!(failed.unwrap_err().to_string(), "below");
    assert!(taken(&told).is_empty(), "the caller of run_blocking has it");
}

#[test]
fn a_handler_that_panics_takes_nobody_with_it() {
    let handler = CoroutineExceptionHandler::new(|_, _| panic!("the handler itself"));
    let scope = CoroutineScope::new(SupervisorJob::new() + handler);
    scope.launch(|_| failing("work")).join().unwrap();
    assert_eq!(scope.async_(|_| Ok(7)).await_().unwrap(), 7);
}

#[test]
fn elements_join_and_the_right_one_wins() {
    #[derive(Debug, PartialEq)]
    struct Tag(u8);
    impl Element for Tag {}

    let context = CoroutineName::new("a") + Tag(1) + StackBytes(1 << 17);
    assert_eq!(context.len(), 3);
    let context = context + Tag(2);
    assert_eq!(context.len(), 3);
    assert_eq!(context.get::<Tag>(), Some(&Tag(2)));
    let context = context.minus::<Tag>();
    assert_eq!((context.len(), context.get::<Tag>()), (2, None));
    assert!(
        context
            .minus::<CoroutineName>()
            .minus::<StackBytes>()
            .is_empty()
    );

    let (first, second) = (Job::by_hand(), Job::by_hand());
    let joined: JobContext = first.clone() + CoroutineName::new("x") + second.clone();
    assert_eq!((joined.len(), joined.job()), (2, Some(&*second)));
    let joined = Dispatchers::io() + first.clone();
    assert_eq!((joined.len(), joined.job()), (2, Some(&*first)));
}

thread_local! {
    static REQUEST: Cell<u64> = const { Cell::new(0) };
    static USER: RefCell<String> = RefCell::new(String::from("nobody"));
    static CITY: RefCell<String> = RefCell::new(String::from("nowhere"));
}

#[derive(Debug)]
struct RequestId(u64);

impl Element for RequestId {
    fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
        Some(self)
    }
}

impl ThreadContextElement for RequestId {
    fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
        Box::new(REQUEST.replace(self.0))
    }

    fn restore_thread_context(&self, _: &CoroutineContext, old: Box<dyn Any>) {
        REQUEST.set(*old.downcast().unwrap());
    }
}

#[test]
fn a_thread_element_follows_its_coroutines_and_leaves_no_trace() {
    run_test(|s| {
        let jobs = [1, 2, 3].map(|id| {
            s.builder().context(RequestId(id)).launch(move |s| {
                for _ in 0..3 {
                    assert_eq!(REQUEST.get(), id);
                    yield_()?;
                }
                s.launch(move |_| assert_eq!(REQUEST.get(), id)).join()?;
                with_context(RequestId(id * 10), |_| {
                    assert_eq!(REQUEST.get(), id * 10);
                    delay(ms(5))?;
                    assert_eq!(REQUEST.get(), id * 10);
                    Ok(())
                })?;
                assert_eq!(REQUEST.get(), id);
                Ok(())
            })
        });
        for _ in 0..5 {
            assert_eq!(REQUEST.get(), 0);
            yield_()?;
        }
        join_all(jobs)?;
        assert_eq!(REQUEST.get(), 0);
        Ok(())
    })
    .unwrap();
    assert_eq!(REQUEST.get(), 0);
}

#[test]
fn a_thread_element_goes_along_to_other_threads() {
    let seen = run_blocking_with(RequestId(7), |s| {
        assert_eq!(REQUEST.get(), 7);
        let there = with_context(Dispatchers::io(), |s| {
            s.async_(|_| {
                delay(ms(1))?;
                Ok(REQUEST.get())
            })
            .await_()
        })?;
        // While the body waits, its loop runs others that have the element too, and one that has not.
        let plain = CoroutineScope::new(s.context().minus::<RequestId>());
        let without = plain.async_(|_| Ok(REQUEST.get())).await_()?;
        Ok((there, without, REQUEST.get()))
    });
    assert_eq!(seen.unwrap(), (7, 0, 7));
    assert_eq!(REQUEST.get(), 0);
}

#[test]
fn the_element_of_a_body_is_off_while_its_loop_runs_others() {
    run_blocking(|s| {
        let seen = with_context(RequestId(9), |_| {
            assert_eq!(REQUEST.get(), 9);
            let other = s.async_(|_| Ok(REQUEST.get()));
            let seen = other.await_()?;
            assert_eq!(REQUEST.get(), 9);
            Ok(seen)
        })?;
        assert_eq!(seen, 0);
        assert_eq!(REQUEST.get(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_coroutine_that_ends_by_a_panic_leaves_the_thread_as_it_was() {
    run_blocking(|_| {
        let failed = supervisor_scope(|s| {
            let job = s.builder().context(RequestId(5)).async_(|_| -> Result<()> {
                yield_()?;
                std::panic::panic_any("out");
            });
            job.await_()
        });
        assert!(failed.unwrap_err().is_panic());
        assert_eq!(REQUEST.get(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_element_that_panics_is_told_of_and_goes_no_further() {
    #[derive(Debug)]
    struct Bad;
    impl Element for Bad {
        fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
            Some(self)
        }
    }
    impl ThreadContextElement for Bad {
        fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
            panic!("cannot install")
        }
        fn restore_thread_context(&self, _: &CoroutineContext, _: Box<dyn Any>) {
            unreachable!("it was never installed")
        }
    }
    let value = run_blocking(|s| {
        s.builder()
            .context(Bad)
            .async_(|_| {
                delay(ms(1))?;
                Ok(3)
            })
            .await_()
    });
    assert_eq!(value.unwrap(), 3);
}

#[test]
fn thread_local_elements_of_several_variables_stand_side_by_side() {
    let context = ThreadLocalElement::new(&USER, String::from("ada"))
        + ThreadLocalElement::new(&CITY, String::from("london"));
    assert_eq!(context.len(), 2);
    let seen = with_context(Dispatchers::default() + context, |_| {
        yield_()?;
        Ok((
            USER.with_borrow(String::clone),
            CITY.with_borrow(String::clone),
        ))
    });
    assert_eq!(seen.unwrap(), ("ada".to_owned(), "london".to_owned()));
}
