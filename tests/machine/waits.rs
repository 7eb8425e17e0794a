//! What a machine waits for.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;
use switchback::{CompletableDeferred, Continuation};

/// What a wait has given: without a value, and with one.
type Both<T> = (Result<()>, Result<T>);

type Begin<T> = dyn FnOnce(&mut Turn<'_, Once<T>>) -> Result<Step<Both<T>>> + Send;

/// Waits once, for what `begin` asks for, and ends with what came of it.
struct Once<T: 'static> {
    begin: Option<Box<Begin<T>>>,
    slot: Slot<T>,
}

impl<T> Once<T> {
    fn new(
        begin: impl FnOnce(&mut Turn<'_, Self>) -> Result<Step<Both<T>>> + Send + 'static,
    ) -> Self {
        Self {
            begin: Some(Box::new(begin)),
            slot: Slot::new(),
        }
    }
}

impl<T> StateMachine for Once<T> {
    type Output = Both<T>;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<Both<T>>> {
        if label == 0 {
            let begin = self.begin.take().expect("at label 0 once");
            return begin(turn);
        }
        Ok(Step::Return((turn.woken(), self.slot.take())))
    }
}

#[test]
fn a_delay_takes_its_time() {
    let start = Instant::now();
    let (woken, _) = run_blocking(|s| {
        s.async_machine(Once::<()>::new(|turn| turn.at(1).delay(ms(20))))
            .await_()
    })
    .unwrap();
    woken.unwrap();
    assert!(start.elapsed() >= ms(20));
}

#[test]
fn a_cancelled_delay_ends_at_once_with_the_cancellation_as_a_value() {
    let start = Instant::now();
    let met = Arc::new(Mutex::new(None));
    run_blocking(|s| {
        for dispatcher in [
            Dispatchers::default(),
            Dispatchers::io(),
            Dispatchers::unconfined(),
        ] {
            let seen = met.clone();
            let job = s
                .builder()
                .dispatcher(dispatcher)
                .launch_machine(Sleeper(seen, ms(60_000)));
            while !job.dump().contains("label 1") {
                delay(ms(1))?;
            }
            job.cancel_and_join()?;
            let error = met.lock().unwrap().take().expect("it was resumed");
            assert!(error.is_cancelled(), "{error}");
        }
        Ok(())
    })
    .unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
}

struct Sleeper(Arc<Mutex<Option<Error>>>, Duration);

impl StateMachine for Sleeper {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        match label {
            0 => turn.at(1).delay(self.1),
            _ => {
                let error = turn.woken().expect_err("nobody waits so long");
                *self.0.lock().unwrap() = Some(error.clone());
                assert!(turn.at(2).delay(ms(1)).unwrap_err().is_cancelled());
                Err(error)
            }
        }
    }
}

/// Awaits a coroutine of the scope that it borrows from.
struct Awaits<'scope, T> {
    green: Option<Deferred<'scope, T>>,
    value: Slot<T>,
}

impl<'scope, T> Awaits<'scope, T> {
    fn new(green: Deferred<'scope, T>) -> Self {
        Self {
            green: Some(green),
            value: Slot::new(),
        }
    }
}

impl<T: Send> StateMachine for Awaits<'_, T> {
    type Output = T;

    fn resume(&mut self, _label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<T>> {
        match self.green.take() {
            Some(green) => turn.at(1).await_(green, |me| &mut me.value),
            None => Ok(Step::Return(self.value.take()?)),
        }
    }
}

#[test]
fn a_value_comes_from_a_green_thread() {
    let value = run_blocking(|s| {
        let green = s.async_(|_| {
            delay(ms(5))?;
            Ok(String::from("green"))
        });
        s.async_machine(Awaits::new(green)).await_()
    });
    assert_eq!(value.unwrap(), "green");
}

#[test]
fn the_failure_of_what_is_awaited_comes_into_the_slot() {
    let failure = run_blocking(|s| {
        supervisor_scope(|inner| {
            let green = inner.async_(|_| -> Result<u32> { Err(Error::msg("no value")) });
            let answer = Awaits::new(green);
            inner.async_machine(answer).await_().map(drop)
        })
        .inspect_err(|_| {
            s.ensure_active().unwrap();
        })
    });
    assert_eq!(failure.unwrap_err().to_string(), "no value");
}

#[test]
fn a_join_waits_for_the_end_of_a_job() {
    let (woken, ended) = run_blocking(|s| {
        let job = s.launch(|_| delay(ms(10)));
        let other = job.clone();
        let machine = Once::<()>::new(move |turn| turn.at(1).join(&other));
        let (woken, _) = s.async_machine(machine).await_()?;
        Ok((woken, job.is_completed()))
    })
    .unwrap();
    woken.unwrap();
    assert!(ended);
}

#[test]
fn on_a_virtual_clock_a_machine_waits_in_no_time() {
    let start = Instant::now();
    switchback::testing::run_test(|s| {
        let late = Arc::new(Mutex::new(Vec::new()));
        for hours in [3, 1, 2] {
            let late = late.clone();
            s.launch_machine(Doing::new(move |label, turn| {
                if label == 0 {
                    return turn.at(1).delay(Duration::from_secs(hours * 3600));
                }
                late.lock().unwrap().push(hours);
                turn.woken().map(Step::Return)
            }));
        }
        delay(Duration::from_secs(4 * 3600))?;
        assert_eq!(*late.lock().unwrap(), [1, 2, 3]);
        Ok(())
    })
    .unwrap();
    assert!(start.elapsed() < Duration::from_secs(60));
}

fn resumed_from_a_thread(dispatcher: Dispatcher) -> Result<u32> {
    run_blocking(|s| {
        let machine = Once::new(|turn: &mut Turn<'_, Once<u32>>| {
            turn.at(1).suspend(
                |continuation: Continuation<u32>| {
                    std::thread::spawn(move || continuation.resume(42));
                    Ok(())
                },
                |me| &mut me.slot,
            )
        });
        s.builder()
            .dispatcher(dispatcher)
            .async_machine(machine)
            .await_()?
            .1
    })
}

#[test]
fn a_callback_of_a_foreign_thread_resumes_it_on_each_dispatcher() {
    for _ in 0..200 {
        for dispatcher in [
            Dispatchers::default(),
            Dispatchers::io(),
            Dispatchers::unconfined(),
        ] {
            assert_eq!(resumed_from_a_thread(dispatcher).unwrap(), 42);
        }
    }
}

fn suspended_with(block: fn(Continuation<u32>) -> Result<()>) -> Result<u32> {
    run_blocking(|s| {
        let machine = Once::new(move |turn: &mut Turn<'_, Once<u32>>| {
            turn.at(1).suspend(block, |me| &mut me.slot)
        });
        s.async_machine(machine).await_()?.1
    })
}

#[test]
fn a_block_may_resume_at_once_fail_or_drop_its_continuation() {
    let at_once = suspended_with(|continuation| {
        continuation.resume(1);
        Ok(())
    });
    assert_eq!(at_once.unwrap(), 1);
    let failed = suspended_with(|_| Err(Error::msg("not today")));
    assert_eq!(failed.unwrap_err().to_string(), "not today");
    let dropped = suspended_with(|continuation| {
        drop(continuation);
        Ok(())
    });
    assert!(
        dropped
            .unwrap_err()
            .to_string()
            .contains("dropped without being resumed")
    );
}

#[test]
fn a_cancellation_handler_is_called_and_the_value_that_comes_late_is_dropped() {
    let (told, heard) = mpsc::channel();
    let (kept, keeper) = mpsc::channel::<Continuation<u32>>();
    run_blocking(|s| {
        let machine = Once::new(move |turn: &mut Turn<'_, Once<u32>>| {
            turn.at(1).suspend(
                move |continuation: Continuation<u32>| {
                    continuation.invoke_on_cancellation(move |cause| {
                        told.send(cause.is_cancelled()).unwrap()
                    });
                    kept.send(continuation).unwrap();
                    Ok(())
                },
                |me| &mut me.slot,
            )
        });
        let elsewhere = s.builder().dispatcher(Dispatchers::default());
        let deferred = elsewhere.async_machine(machine);
        let continuation = blocking(|| keeper.recv().unwrap());
        while !s.job().dump().contains("label 1") {
            yield_()?;
        }
        deferred.cancel();
        let (woken, value) = match deferred.await_() {
            Ok(both) => both,
            Err(error) => {
                assert!(error.to_string().contains("cancel"), "{error}");
                (Ok(()), Err(error))
            }
        };
        woken?;
        assert!(value.is_err());
        continuation.resume(3);
        Ok(())
    })
    .unwrap();
    assert!(heard.recv().unwrap());
}

#[test]
fn a_blocking_call_that_must_wait_is_refused_and_one_that_need_not_is_served() {
    let (tx, rx) = channel(Capacity::buffered(1));
    let told = run_blocking(|_| {
        let machine = Once::<u32>::new(move |_turn: &mut Turn<'_, Once<u32>>| {
            tx.send(1)?;
            let refused = tx.send(2).map_err(|error| error.to_string()).unwrap_err();
            let delayed = delay(ms(1)).unwrap_err().to_string();
            let scope = coroutine_scope(|s| {
                s.launch(|_| delay(ms(1)));
                Ok(())
            });
            Err(Error::msg(format!(
                "{refused} | {delayed} | {}",
                scope.is_ok()
            )))
        });
        let job = supervisor_scope(|s| s.async_machine(machine).await_().map(drop));
        Ok(job.unwrap_err().to_string())
    })
    .unwrap();
    assert!(told.contains("must wait"), "{told}");
    assert_eq!(rx.try_recv().unwrap(), 1);
}

#[test]
fn a_completable_value_wakes_many_machines_in_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    run_blocking(|s| {
        let gate = CompletableDeferred::<()>::new();
        for number in 0..100 {
            let (order, job) = (order.clone(), gate.job());
            s.launch_machine(Doing::new(move |label, turn| {
                if label == 0 {
                    return turn.at(1).join(&job);
                }
                order.lock().unwrap().push(number);
                Ok(Step::Return(()))
            }));
        }
        yield_()?;
        gate.complete(());
        Ok(())
    })
    .unwrap();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

type Does = dyn FnMut(u32, &mut Turn<'_, Doing>) -> Result<Step<()>> + Send;

/// A machine that is a closure.
pub struct Doing(Box<Does>);

impl Doing {
    pub fn new(
        does: impl FnMut(u32, &mut Turn<'_, Self>) -> Result<Step<()>> + Send + 'static,
    ) -> Self {
        Self(Box::new(does))
    }
}

impl StateMachine for Doing {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        (self.0)(label, turn)
    }
}
