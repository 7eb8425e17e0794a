//! What a block must not do: wait, or yield from frames that are not its own.

use super::*;
use std::time::Duration;
use switchback::sync::{select, select_unbiased};
use switchback::testing::run_test;
use switchback::{EventLoop, Job, new_single_thread_context};

/// Runs `attempt` in the block of a sequence on a plain thread, in the body of `run_blocking`, in a coroutine on that loop
/// and on a pool, and below `blocking`: it must give an error, and what is around must go on as if nothing had been.
#[track_caller]
fn refused<T: 'static>(attempt: impl Fn() -> Result<T> + Send + Sync + 'static) {
    let attempt: &'static _ = Box::leak(Box::new(attempt));
    let in_a_block = move || {
        let mut one = iterator(move |y| {
            let error = attempt()
                .err()
                .expect("it waited in the block of a sequence");
            y.yield_(error.to_string())?;
            let error = attempt()
                .err()
                .expect("it waited in the block of a sequence");
            y.yield_(error.to_string())
        });
        // Nested, and on its own.
        let first = one.next().unwrap();
        assert!(first.contains("the block of a sequence"), "{first}");
        let mut around = iterator(move |y| y.yield_all(one));
        assert_eq!(around.next().unwrap(), first);
        assert!(around.next().is_none());
    };
    let _watchdog = Watchdog::new();
    in_a_block();
    run_blocking(|s| {
        in_a_block();
        delay(ms(1))?;
        let job = s.launch(move |_| {
            in_a_block();
            blocking(in_a_block);
            delay(ms(1))?;
            coroutine_scope(|inner| {
                in_a_block();
                inner.launch(|_| delay(ms(1)));
                Ok(())
            })
        });
        job.join()?;
        with_context(Dispatchers::default(), |_| {
            in_a_block();
            delay(ms(1))
        })
    })
    .unwrap();
    delay(ms(1)).unwrap();
}

#[test]
fn delay_is_refused() {
    refused(|| delay(ms(1)));
}

#[test]
fn yielding_to_other_coroutines_is_refused() {
    refused(|| switchback::yield_());
}

#[test]
fn awaiting_cancellation_is_refused() {
    refused(await_cancellation::<()>);
}

#[test]
fn suspending_by_hand_is_refused_before_the_block() {
    refused(|| suspend_coroutine::<(), ()>(|_| unreachable!("refused before")));
    refused(|| suspend_cancellable_coroutine::<(), ()>(|_| unreachable!("refused before")));
}

#[test]
fn joins_and_awaits_are_refused() {
    let open = Job::by_hand();
    refused(move || open.join());
    refused(|| CompletableDeferred::<i32>::new().await_ref().copied());
    refused(|| {
        await_all(
            [CompletableDeferred::<i32>::new()]
                .map(std::sync::Arc::new)
                .iter()
                .map(|_| GlobalScope.async_(|_| await_cancellation::<i32>())),
        )
    });
}

#[test]
fn channels_and_locks_that_must_wait_are_refused() {
    let (sender, receiver) = channel::<i32>(Capacity::rendezvous());
    let (also_sender, also_receiver) = (sender.clone(), receiver.clone());
    refused(move || receiver.recv());
    refused(move || Ok(sender.send(1)?));
    drop((also_sender, also_receiver));
    let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1)));
    std::mem::forget(semaphore.try_acquire());
    refused(|| semaphore.acquire().map(drop));
}

#[test]
fn a_context_elsewhere_is_refused() {
    refused(|| with_context(Dispatchers::io(), |_| Ok(())));
    let single = new_single_thread_context("single").unwrap();
    refused(move || with_context(single.dispatcher(), |_| Ok(())));
}

#[test]
fn what_need_not_wait_works_in_a_block() {
    let _watchdog = Watchdog::new();
    let (sender, receiver) = channel(Capacity::unlimited());
    let inside = sender.clone();
    let messages = sequence(move |y| {
        inside.send(1)?;
        delay(Duration::ZERO)?;
        y.yield_(blocking(|| 5))?;
        inside.send(2)?;
        Ok(())
    });
    run_blocking(|_| {
        assert_eq!(messages.iter().collect::<Vec<_>>(), [5]);
        assert_eq!((receiver.recv()?, receiver.recv()?), (1, 2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn scopes_in_a_block_launch_nothing_and_do_not_wait() {
    let _watchdog = Watchdog::new();
    let ran = Rc::new(Cell::new(0));
    let count = ran.clone();
    let block = sequence(move |y| {
        coroutine_scope(|s| {
            assert!(s.launch(|_| ()).is_cancelled());
            supervisor_scope(|s| {
                assert!(s.launch(|_| ()).is_cancelled());
                Ok(())
            })
        })?;
        run_blocking(|s| {
            assert!(s.launch(|_| ()).is_cancelled());
            Ok(())
        })?;
        with_timeout(ms(10_000), |_| Ok(()))?;
        non_cancellable(|_| Ok(()))?;
        with_context(CoroutineName::new("inside"), |_| Ok(()))?;
        assert!(EventLoop::new().is_err());
        count.set(count.get() + 1);
        y.yield_(1)
    });
    assert_eq!(block.iter().count(), 1);
    run_blocking(|s| {
        assert_eq!(block.iter().count(), 1);
        let block = block.clone();
        s.launch_local(move |_| assert_eq!(block.iter().count(), 1))
            .join()
    })
    .unwrap();
    assert_eq!(ran.get(), 3);
}

#[test]
fn yield_is_refused_in_every_scope_function() {
    let _watchdog = Watchdog::new();
    type Wrapped = fn(&SequenceScope<i32>) -> Result<()>;
    let ways: [Wrapped; 12] = [
        |y| coroutine_scope(|_| y.yield_(1)),
        |y| supervisor_scope(|_| y.yield_(1)),
        |y| non_cancellable(|_| y.yield_(1)),
        |y| with_timeout(ms(10_000), |_| y.yield_(1)),
        |y| with_timeout_or_none(ms(10_000), |_| y.yield_(1)).map(drop),
        |y| run_blocking(|_| y.yield_(1)),
        |y| run_test(|_| y.yield_(1)),
        |y| coroutine_scope(|_| coroutine_scope(|_| y.yield_all([1]))),
        |y| switchback::future::block_on(async { y.yield_(1) })?,
        |y| {
            let mut yielded = Ok(());
            let _ = select(|s| {
                yielded = y.yield_(1);
                s.on_timeout(ms(0), || Ok(()));
            });
            yielded
        },
        |y| select(|s| s.on_timeout(ms(0), || y.yield_(1))),
        |y| {
            let (sender, receiver) = channel(Capacity::unlimited());
            sender.send(1)?;
            select_unbiased(|s| s.on_recv(&receiver, |one| y.yield_(one)))
        },
    ];
    for way in ways {
        let block = sequence(move |y| {
            let error = way(y).unwrap_err().to_string();
            assert!(
                error.contains("`yield_` of a sequence") || error.contains("run_test"),
                "{error}"
            );
            y.yield_(2)
        });
        assert_eq!(block.iter().collect::<Vec<_>>(), [2]);
        run_blocking(|s| {
            assert_eq!(block.iter().collect::<Vec<_>>(), [2]);
            let block = block.clone();
            s.launch_local(move |_| {
                let before = current_job();
                assert_eq!(block.iter().collect::<Vec<_>>(), [2]);
                assert_eq!(current_job(), before);
                delay(ms(1))
            })
            .join()
        })
        .unwrap();
    }
}

#[test]
fn a_destructor_that_the_runtime_runs_does_not_yield() {
    let _watchdog = Watchdog::new();
    struct Yields<'a>(&'a SequenceScope<i32>, Rc<Cell<bool>>);
    impl Drop for Yields<'_> {
        fn drop(&mut self) {
            self.1.set(self.0.yield_(2).is_err());
        }
    }
    let refused = Rc::new(Cell::new(false));
    let flag = refused.clone();
    run_blocking(|_| {
        let block = sequence(move |y| {
            let yields = Yields(y, flag.clone());
            coroutine_scope(|s| {
                // Dropped by the launch, since the scope takes no children.
                s.launch_local(move |_| drop(yields));
                Ok(())
            })?;
            y.yield_(1)
        });
        assert_eq!(block.iter().collect::<Vec<_>>(), [1]);
        Ok(())
    })
    .unwrap();
    assert!(refused.get());
}

#[test]
fn the_block_sees_the_context_and_the_cancellation_of_whoever_asks() {
    let _watchdog = Watchdog::new();
    let names = sequence(|y| {
        loop {
            let name = current_context()
                .get::<CoroutineName>()
                .map(|name| name.to_string());
            y.yield_((name, is_active()))?;
        }
    });
    run_blocking(|s| {
        let kept = Rc::new(RefCell::new(names.iter()));
        let other = kept.clone();
        let a = s.builder().name("a").launch(|_| delay(ms(1)));
        a.join()?;
        let next = |kept: &Rc<RefCell<SequenceIterator<_>>>| kept.borrow_mut().next().unwrap();
        assert_eq!(next(&kept), (None, true));
        s.launch_local(move |_| {
            let inner = with_context(CoroutineName::new("b"), |_| Ok(()));
            inner?;
            current_job().unwrap().cancel();
            assert_eq!(next(&other), (None, false));
            Ok(())
        })
        .join()?;
        assert_eq!(next(&kept), (None, true));
        Ok(())
    })
    .unwrap();
}
