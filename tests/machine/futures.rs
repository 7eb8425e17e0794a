//! Futures in coroutines, and coroutines in futures.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use switchback::future::block_on;
use switchback::prelude::*;

/// Ready once it has been told so; keeps the waker of the last poll.
#[derive(Clone, Default)]
struct Flag(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Flag {
    fn raise(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        if let Some(waker) = self.0.1.lock().unwrap().take() {
            waker.wake();
        }
    }
}

impl Future for Flag {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        *self.0.1.lock().unwrap() = Some(context.waker().clone());
        if self.0.0.load(Ordering::SeqCst) {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    }
}

#[test]
fn a_future_is_waited_for_in_a_coroutine_and_on_a_plain_thread() {
    for _ in 0..200 {
        let flag = Flag::default();
        let other = flag.clone();
        let thread = std::thread::spawn(move || other.raise());
        assert_eq!(block_on(flag.clone()).unwrap(), 7);
        thread.join().unwrap();
        let flag = Flag::default();
        let sum = run_blocking(|s| {
            let waiting = s
                .builder()
                .dispatcher(Dispatchers::default())
                .async_(|_| block_on(flag.clone()));
            flag.raise();
            waiting.await_()
        });
        assert_eq!(sum.unwrap(), 7);
    }
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    let mut polls = 0;
    let counted = block_on(poll_fn(|context| {
        polls += 1;
        if polls == 1000 {
            return Poll::Ready(polls);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    assert_eq!(counted.unwrap(), 1000);
}

#[test]
fn a_cancelled_wait_drops_the_future() {
    struct Never(Arc<AtomicUsize>);
    impl Future for Never {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Drop for Never {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    run_blocking(|s| {
        let futures = [Never(dropped.clone()), Never(dropped.clone())];
        let [first, second] = futures;
        let jobs = [s.launch(|_| block_on(first)), s.launch_future(second)];
        yield_()?;
        yield_()?;
        for job in jobs {
            job.cancel_and_join()?;
        }
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_future_is_a_coroutine_that_may_borrow_and_fail() {
    let text = String::from("borrowed");
    let length = run_blocking(|s| {
        let green = s.async_(|_| {
            delay(ms(5))?;
            Ok(text.len())
        });
        s.async_future(async { Ok(green.await? + text.len()) })
            .await_()
    });
    assert_eq!(length.unwrap(), 16);
    let failed = run_blocking(|s| {
        s.launch_future(async { Err::<(), _>(Error::msg("inside")) });
        Ok(())
    });
    assert_eq!(failed.unwrap_err().to_string(), "inside");
}

#[test]
fn jobs_and_values_are_awaited_by_async_code() {
    let scope = CoroutineScope::new(Dispatchers::default());
    let value = scope.async_(|_| {
        delay(ms(5))?;
        Ok(5)
    });
    let job = scope.launch(|_| delay(ms(5)));
    let lazy = scope
        .builder()
        .start(switchback::CoroutineStart::Lazy)
        .async_(|_| Ok(1));
    let failed = GlobalScope.async_(|_| -> Result<u32> { Err(Error::msg("no")) });
    let sum = block_on(async move {
        job.await;
        let error = failed.await.unwrap_err();
        assert_eq!(error.to_string(), "no");
        value.await.unwrap() + lazy.await.unwrap()
    });
    assert_eq!(sum.unwrap(), 6);
}
