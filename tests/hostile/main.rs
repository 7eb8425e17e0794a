//! Safe code that means no good: what it once broke, and must not.

#[path = "../net/watchdog.rs"]
mod watchdog;

mod errors;
mod machines;
mod races;
mod threads;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::testing::{current_time, run_test};
use switchback::{EventLoop, event_loop, suspend_cancellable_coroutine, suspend_coroutine};
use watchdog::Watchdog;

#[test]
fn a_loop_in_the_block_of_a_suspension_leaves_the_threads_own_task_alone() {
    let _watchdog = Watchdog::new();
    // The thread's own task, resumed already, stands in the queue that such a loop would run.
    let resumed: Result<i32> = suspend_coroutine(|me: Continuation<i32>| {
        std::thread::spawn(move || me.resume(1)).join().unwrap();
        assert_eq!(run_blocking(|_| Ok(2)).unwrap(), 2);
        assert!(EventLoop::new().is_err());
    });
    assert_eq!(resumed.unwrap(), 1);
    delay(ms(1)).unwrap();
}

#[test]
fn a_host_does_not_drive_its_loop_in_the_block_of_a_suspension() {
    let _watchdog = Watchdog::new();
    event_loop(|host| {
        let mut refused = false;
        let resumed: Result<i32> = suspend_coroutine(|me: Continuation<i32>| {
            std::thread::spawn(move || me.resume(1)).join().unwrap();
            let run = std::panic::AssertUnwindSafe(|| host.run_until_idle());
            refused = std::panic::catch_unwind(run).is_err();
        });
        assert_eq!(resumed.unwrap(), 1);
        assert!(refused);
    })
    .unwrap();
}

#[test]
fn a_virtual_clock_leaves_the_timeouts_around_it_alone() {
    let _watchdog = Watchdog::new();
    let inside = with_timeout(ms(60_000), |_| {
        run_test(|_| {
            delay(ms(3_600_000))?;
            Ok(current_time())
        })
    });
    assert_eq!(inside.unwrap(), ms(3_600_000));
    let begun = Instant::now();
    delay(ms(2)).unwrap();
    assert!(begun.elapsed() >= ms(2));
    let late = with_timeout(ms(1), |_| {
        run_test(|_| delay(ms(1)))?;
        std::thread::sleep(ms(2));
        delay(ms(60_000))
    });
    assert!(late.unwrap_err().is_timeout());
}

#[test]
fn a_cancellation_handler_that_comes_late_is_called_at_once() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let kept: Arc<Mutex<Option<Continuation<()>>>> = Arc::default();
        let place = kept.clone();
        let job = s
            .launch(move |_| suspend_cancellable_coroutine(|me| *place.lock().unwrap() = Some(me)));
        yield_()?;
        job.cancel_and_join()?;
        // The coroutine has met its cancellation and is gone.
        let me = kept.lock().unwrap().take().unwrap();
        let called = Arc::new(AtomicBool::new(false));
        let flag = called.clone();
        me.invoke_on_cancellation(move |_| flag.store(true, Ordering::SeqCst));
        assert!(called.load(Ordering::SeqCst));
        Ok(())
    })
    .unwrap();
}

/// Asks for what needs the lock of a job when it is dropped.
struct Asks(Job);

impl Drop for Asks {
    fn drop(&mut self) {
        let _ = self.0.cause();
    }
}

#[test]
fn a_second_cancellation_handler_is_not_dropped_under_a_lock() {
    let _watchdog = Watchdog::new();
    let ended = run_blocking(|s| {
        let job = s.launch(|_| {
            let asks = Asks(current_job().unwrap());
            suspend_cancellable_coroutine(|me: Continuation<()>| {
                me.invoke_on_cancellation(|_| ());
                me.invoke_on_cancellation(move |_| drop(asks));
            })
        });
        job.join()
    });
    assert!(ended.unwrap_err().is_panic());
}

#[test]
fn what_is_made_by_hand_under_a_job_ends_when_that_is_cancelled() {
    let _watchdog = Watchdog::new();
    let cancelled: Result<()> = run_blocking(|s| {
        let outer = Job::by_hand_under(&s.job());
        let inner = Job::by_hand_under(&outer);
        s.cancel();
        assert!(outer.is_completed() && inner.is_completed());
        Ok(())
    });
    assert!(cancelled.unwrap_err().is_cancelled());
    let failed: Result<i32> = run_blocking(|s| {
        let value = CompletableDeferred::<i32>::with_parent(&s.job());
        s.launch(|_| Err(Error::msg("a sibling fails")));
        value.await_()
    });
    assert_eq!(failed.unwrap_err().to_string(), "a sibling fails");
}

#[test]
fn every_coroutine_of_a_view_of_unconfined_runs() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let view = Dispatchers::unconfined().limited_parallelism(1);
        for _ in 0..3 {
            let builder = s.builder().dispatcher(view.clone());
            builder.async_(|_| Ok(())).await_()?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_reactor_wakes_does_not_run_inside_it() {
    use std::io::{Read, Write};

    let _watchdog = Watchdog::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, ask) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        while ask.recv().is_ok() {
            peer.write_all(b"x").unwrap();
        }
    });
    event_loop(|host| {
        let done = Arc::new(Mutex::new(None));
        let place = done.clone();
        host.handle().post(move || {
            let builder = GlobalScope.builder().dispatcher(Dispatchers::unconfined());
            let job = builder.async_(move |_| {
                let mut stream = switchback::net::TcpStream::connect(address)?;
                for _ in 0..5 {
                    asked.send(()).unwrap();
                    stream.read_exact(&mut [0; 1])?;
                }
                Ok(())
            });
            *place.lock().unwrap() = Some(job);
        });
        host.run_until_idle();
        let job = done.lock().unwrap().take().unwrap();
        while !job.is_completed() {
            host.wait(Some(Duration::from_secs(1)));
        }
        assert!(job.get_completed().unwrap().is_ok());
    })
    .unwrap();
}

/// Suspends when it is dropped.
struct Suspends;

impl Drop for Suspends {
    fn drop(&mut self) {
        delay(ms(1)).unwrap();
        run_blocking(|s| s.launch(|_| delay(ms(1))).join()).unwrap();
        GOOD_ENDS.fetch_add(1, Ordering::SeqCst);
    }
}

static GOOD_ENDS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

thread_local! {
    static EARLY: RefCell<Option<Suspends>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Suspends>> = const { RefCell::new(None) };
}

#[test]
fn the_last_destructors_of_a_thread_may_suspend() {
    let _watchdog = Watchdog::new();
    let thread = std::thread::spawn(|| {
        // One is registered before the runtime's own, and so runs after it, one behind it.
        EARLY.with_borrow_mut(|slot| *slot = Some(Suspends));
        delay(ms(1)).unwrap();
        LATE.with_borrow_mut(|slot| *slot = Some(Suspends));
    });
    thread.join().unwrap();
    assert_eq!(GOOD_ENDS.load(Ordering::SeqCst), 2);
}
