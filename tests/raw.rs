//! Coroutines that belong to no scope: `start_coroutine`, `create_coroutine`.

#[path = "net/watchdog.rs"]
mod watchdog;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender as StdSender, channel as std_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use switchback::prelude::*;
use switchback::{
    CreatedCoroutine, create_coroutine, create_coroutine_local, current_context,
    new_single_thread_context, start_coroutine, start_coroutine_local,
};
use watchdog::Watchdog;

/// A completion, and what it was told.
fn completion<T: Send + 'static>() -> (impl FnOnce(Result<T>) + Send + 'static, Receiver<Result<T>>)
{
    let (sender, told) = std_channel();
    (move |end| sender.send(end).unwrap(), told)
}

fn nowhere() -> CoroutineContext {
    CoroutineContext::empty()
}

/// A block that hands out its continuation, and gives what it is resumed with.
fn waits(out: StdSender<Continuation<i32>>) -> impl FnOnce() -> Result<i32> + Send {
    move || suspend_coroutine(|continuation| out.send(continuation).unwrap())
}

#[test]
fn it_runs_here_up_to_its_first_suspension_and_goes_on_in_the_call_that_resumes_it() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (out, given) = std_channel();
        let (done, told) = completion();
        start_coroutine(nowhere(), waits(out), done);
        let continuation = given.try_recv().unwrap();
        assert!(told.try_recv().is_err());
        continuation.resume(3);
        assert_eq!(told.try_recv().unwrap()?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_that_is_started_in_another_runs_at_once() {
    let _watchdog = Watchdog::new();
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let log = order.clone();
    run_blocking(move |_| {
        start_coroutine(
            nowhere(),
            move || {
                log.lock().unwrap().push("outer");
                let inner = log.clone();
                start_coroutine(
                    nowhere(),
                    move || {
                        inner.lock().unwrap().push("inner");
                        yield_()
                    },
                    |_| (),
                );
                log.lock().unwrap().push("outer goes on");
                Ok(())
            },
            |_| (),
        );
        Ok(())
    })
    .unwrap();
    assert_eq!(*order.lock().unwrap(), ["outer", "inner", "outer goes on"]);
}

#[test]
fn a_failure_and_a_panic_are_told() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (done, told) = completion::<i32>();
        start_coroutine(nowhere(), || Err(std::io::Error::other("no").into()), done);
        assert!(told.try_recv().unwrap().unwrap_err().is::<std::io::Error>());
        let (done, told) = completion::<i32>();
        start_coroutine(nowhere(), || panic!("a bug"), done);
        let error = told.try_recv().unwrap().unwrap_err();
        assert_eq!(error.panic_message(), Some("a bug"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_dispatcher_of_the_context_has_it_from_start_to_end() {
    let _watchdog = Watchdog::new();
    let single = new_single_thread_context("single").unwrap();
    run_blocking(|_| {
        let (out, given) = std_channel();
        let (done, told) = completion();
        let name = || thread::current().name().map(str::to_owned);
        let block = move || {
            let before = name();
            suspend_coroutine::<(), _>(|continuation| out.send(continuation).unwrap())?;
            Ok((before, name()))
        };
        let finish = move |end: Result<_>| done(end.map(|(before, after)| (before, after, name())));
        start_coroutine(single.dispatcher(), block, finish);
        given.recv().unwrap().resume(());
        let (before, after, end) = told.recv().unwrap()?;
        assert!(
            before
                .as_deref()
                .is_some_and(|name| name.contains("single"))
        );
        assert_eq!((&before, &before), (&after, &end));
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_another_thread_resumes_goes_on_in_its_own() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (out, given) = std_channel();
        let (sender, told) = std_channel();
        let block = move || {
            suspend_coroutine::<(), _>(|continuation| out.send(continuation).unwrap())?;
            Ok(thread::current().id())
        };
        start_coroutine(nowhere(), block, move |end| sender.send(end).unwrap());
        let continuation = given.recv().unwrap();
        thread::spawn(move || continuation.resume(()))
            .join()
            .unwrap();
        // Its own thread gets to it while this waits.
        while told
            .try_recv()
            .map(|end| assert_eq!(end.unwrap(), thread::current().id()))
            .is_err()
        {
            yield_()?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_thread_without_a_loop_sends_it_to_default() {
    let _watchdog = Watchdog::new();
    let here = thread::current().id();
    let (done, told) = completion();
    let block = move || {
        delay(ms(1))?;
        Ok(thread::current().id())
    };
    start_coroutine(nowhere(), block, done);
    assert_ne!(told.recv().unwrap().unwrap(), here);
}

#[test]
fn what_is_not_send_starts_on_its_thread_or_not_at_all() {
    let _watchdog = Watchdog::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let start = |seen: &Rc<RefCell<Vec<_>>>| {
        let (in_block, in_completion) = (seen.clone(), seen.clone());
        start_coroutine_local(
            nowhere(),
            move || {
                in_block.borrow_mut().push("block");
                Ok(thread::current().id())
            },
            move |end| {
                in_completion.borrow_mut().push(match end {
                    Ok(id) if id == thread::current().id() => "ended here",
                    Ok(_) => "ended elsewhere",
                    Err(error) if error.to_string().contains("hosts no coroutines") => "told",
                    Err(_) => "?",
                });
            },
        );
    };
    start(&seen);
    assert_eq!(seen.take(), ["told"]);
    run_blocking(|s| {
        start(&seen);
        assert_eq!(seen.take(), ["block", "ended here"]);
        let seen = seen.clone();
        s.launch_local(move |_| {
            start(&seen);
            assert_eq!(seen.take(), ["block", "ended here"]);
        })
        .join()
    })
    .unwrap();
}

#[test]
fn what_is_not_send_stays_here_whatever_its_dispatcher() {
    let _watchdog = Watchdog::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    run_blocking(|_| {
        let (a, b) = (seen.clone(), seen.clone());
        let block = move || {
            a.borrow_mut().push(thread::current().id());
            delay(ms(1))?;
            a.borrow_mut().push(thread::current().id());
            Ok(())
        };
        let done = move |_| b.borrow_mut().push(thread::current().id());
        start_coroutine_local(Dispatchers::io(), block, done);
        // Not in place.
        assert!(seen.borrow().is_empty());
        Ok(())
    })
    .unwrap();
    assert_eq!(*seen.borrow(), [thread::current().id(); 3]);
}

/// Writes when it is dropped.
struct Guard(StdSender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("block dropped");
    }
}

/// One that was created: its events in order.
fn created(context: CoroutineContext) -> (CreatedCoroutine, Receiver<&'static str>) {
    let (sender, events) = std_channel();
    let guard = Guard(sender.clone());
    let told = sender.clone();
    let block = move || {
        guard.0.send("runs").unwrap();
        Ok(4)
    };
    let done = move |end: Result<i32>| {
        let event = match end {
            Ok(_) => "ended",
            Err(error) if error.to_string().contains("dropped without being resumed") => "dropped",
            Err(error) if error.to_string().contains("never ran") => "never ran",
            Err(_) => "failed",
        };
        told.send(event).unwrap();
    };
    (create_coroutine(context, block, done), events)
}

#[test]
fn one_that_was_created_runs_when_it_is_resumed() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (handle, events) = created(nowhere());
        assert!(format!("{handle:?}").contains("raw.rs"));
        assert!(events.try_recv().is_err());
        handle.resume();
        let all: Vec<_> = events.iter().collect();
        assert_eq!(all, ["runs", "block dropped", "ended"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn resumed_with_an_error_it_fails_before_it_runs() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (handle, events) = created(nowhere());
        handle.resume_with_error(Error::msg("refused"));
        let all: Vec<_> = events.iter().collect();
        assert_eq!(all, ["block dropped", "failed"]);
        Ok(())
    })
    .unwrap();
    // On a plain thread as well, and on a dispatcher.
    for context in [nowhere(), Dispatchers::io().into()] {
        let (handle, events) = created(context);
        handle.resume_with(Err(Error::cancelled()));
        assert_eq!(
            events.iter().collect::<Vec<_>>(),
            ["block dropped", "failed"]
        );
    }
}

#[test]
fn dropped_without_being_resumed_it_tells_its_completion() {
    let _watchdog = Watchdog::new();
    let expected = ["block dropped", "dropped"];
    run_blocking(|s| {
        let (handle, events) = created(nowhere());
        drop(handle);
        assert_eq!(events.iter().collect::<Vec<_>>(), expected);
        // In a coroutine, while it unwinds: told once the thread gets to it.
        let (handle, events) = created(nowhere());
        let handle = Rc::new(RefCell::new(Some(handle)));
        s.launch_local(move |_| {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _handle = handle.take();
                panic!("on the way out");
            }));
            assert!(unwound.is_err());
        })
        .join()?;
        yield_()?;
        assert_eq!(events.try_iter().collect::<Vec<_>>(), expected);
        Ok(())
    })
    .unwrap();
    let (handle, events) = created(nowhere());
    drop(handle);
    assert_eq!(events.iter().collect::<Vec<_>>(), expected);
    // In a thread-local of a thread that ends.
    thread_local! {
        static KEPT: RefCell<Option<CreatedCoroutine>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = std_channel();
    thread::spawn(move || {
        let (handle, events) = created(nowhere());
        KEPT.set(Some(handle));
        delay(ms(1)).unwrap();
        sender.send(events).unwrap();
    })
    .join()
    .unwrap();
    let events = receiver.recv().unwrap();
    assert_eq!(events.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_dispatcher_that_takes_no_more_is_told() {
    let _watchdog = Watchdog::new();
    let single = new_single_thread_context("closed").unwrap();
    let dispatcher = single.dispatcher();
    single.close();
    let (handle, events) = created(dispatcher.into());
    handle.resume();
    assert_eq!(
        events.iter().collect::<Vec<_>>(),
        ["block dropped", "never ran"]
    );
}

#[test]
fn one_that_is_not_send_and_outlives_its_loop_is_told() {
    let _watchdog = Watchdog::new();
    let told = Rc::new(RefCell::new(Vec::new()));
    let sink = told.clone();
    let handle = run_blocking(move |_| {
        let keep = sink.clone();
        let done = move |end: Result<()>| sink.borrow_mut().push(end.is_err());
        let block = move || {
            drop(keep);
            Ok(())
        };
        Ok(create_coroutine_local(nowhere(), block, done))
    });
    assert!(told.borrow().is_empty());
    handle.unwrap().resume();
    assert_eq!(*told.borrow(), [true]);
}

#[test]
fn a_completion_may_be_the_continuation_of_another() {
    let _watchdog = Watchdog::new();
    // Kotlin's onion: what ends resumes who has called it.
    let sum = run_blocking(|_| {
        let inner: i32 = suspend_coroutine(|outer| {
            let block = || {
                delay(ms(1))?;
                Ok(20)
            };
            start_coroutine(nowhere(), block, move |end| outer.resume_with(end));
        })?;
        Ok(inner + 1)
    });
    assert_eq!(sum.unwrap(), 21);
}

#[test]
fn its_context_is_its_own_and_its_job_can_cancel_it() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (out, job) = std_channel();
        let (done, told) = completion();
        let block = move || {
            let name = current_context()
                .get::<CoroutineName>()
                .unwrap()
                .to_string();
            out.send((name, current_job().unwrap())).unwrap();
            await_cancellation::<()>()
        };
        start_coroutine(CoroutineName::new("raw"), block, done);
        let (name, job) = job.try_recv().unwrap();
        assert_eq!(name, "raw");
        job.cancel_and_join()?;
        assert!(told.recv().unwrap().unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_of_the_completion_is_a_failure_that_is_reported() {
    let _watchdog = Watchdog::new();
    let (sender, messages) = std_channel();
    let sender = Mutex::new(sender);
    switchback::set_message_hook(move |message| {
        let _ = sender.lock().unwrap().send(message.to_owned());
    });
    run_blocking(|_| {
        start_coroutine(nowhere(), || Ok(()), |_| panic!("in the completion"));
        Ok(())
    })
    .unwrap();
    start_coroutine_local(nowhere(), || Ok(()), |_| panic!("in the completion"));
    let told: Vec<_> = messages
        .try_iter()
        .filter(|m| m.contains("in the completion"))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
}
