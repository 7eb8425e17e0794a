//! A machine is a coroutine like the others: its start, its end, its children, its place in the tree.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use switchback::machine::{StateMachine, Step, Turn};
use switchback::prelude::*;

use crate::waits::Doing;

/// What machines tell, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Says so when it is dropped.
struct Dropped(Log);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

/// Tells each label it is resumed at, and yields once.
struct Teller {
    log: Log,
    _field: Dropped,
}

impl Teller {
    fn new(log: &Log) -> Self {
        Self {
            log: log.clone(),
            _field: Dropped(log.clone()),
        }
    }
}

impl StateMachine for Teller {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        self.log.say(format!("label {label}"));
        match label {
            0 => turn.at(1).yield_(),
            _ => turn.woken().map(Step::Return),
        }
    }
}

#[test]
fn a_lazy_machine_runs_when_it_is_started_or_awaited() {
    let log = Log::default();
    run_blocking(|s| {
        let lazy = || s.builder().start(CoroutineStart::Lazy);
        let job = lazy().launch_machine(Teller::new(&log));
        yield_()?;
        assert!(log.lines().is_empty());
        assert!(job.start());
        assert!(!job.start());
        job.join()?;
        assert_eq!(log.lines(), ["label 0", "label 1", "dropped"]);
        lazy().async_machine(Teller::new(&log)).await_()?;
        assert_eq!(log.lines().len(), 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_machine_that_is_cancelled_before_it_starts_never_runs_and_is_dropped() {
    for start in [CoroutineStart::Default, CoroutineStart::Lazy] {
        let log = Log::default();
        run_blocking(|s| {
            let job = s.builder().start(start).launch_machine(Teller::new(&log));
            job.cancel();
            job.join()
        })
        .unwrap();
        assert_eq!(log.lines(), ["dropped"], "{start:?}");
    }
}

#[test]
fn an_atomic_machine_runs_up_to_its_first_wait_although_it_is_cancelled() {
    let log = Log::default();
    run_blocking(|s| {
        let job = s
            .builder()
            .start(CoroutineStart::Atomic)
            .launch_machine(Teller::new(&log));
        job.cancel();
        job.join()?;
        assert!(job.is_cancelled());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.lines(), ["label 0", "dropped"]);
}

#[test]
fn an_undispatched_machine_runs_up_to_its_first_wait_in_the_launch() {
    let log = Log::default();
    run_blocking(|s| {
        s.builder()
            .start(CoroutineStart::Undispatched)
            .launch_machine(Teller::new(&log));
        log.say("launched");
        Ok(())
    })
    .unwrap();
    assert_eq!(log.lines(), ["label 0", "launched", "label 1", "dropped"]);
}

#[test]
fn the_dump_shows_the_name_the_label_and_what_it_waits_for() {
    run_blocking(|s| {
        let job = s.builder().name("sleeper").launch_machine(Doing::new(
            |label, turn: &mut Turn<'_, Doing>| match label {
                0 => turn.at(42).delay(ms(60_000)),
                _ => turn.woken().map(Step::Return),
            },
        ));
        yield_()?;
        let dump = s.job().dump();
        let line = dump.lines().find(|line| line.contains("\"sleeper\""));
        let line = line.expect("it is a child");
        assert!(line.contains("launch"), "{line}");
        assert!(line.contains("label 42"), "{line}");
        assert!(line.contains("delay at "), "{line}");
        assert!(line.contains("jobs.rs"), "{line}");
        job.cancel_and_join()
    })
    .unwrap();
}

#[test]
fn what_a_machine_launches_is_waited_for_although_it_has_returned() {
    let log = Log::default();
    run_blocking(|s| {
        let (green, machine) = (log.clone(), Teller::new(&log));
        let mut machine = Some(machine);
        let job = s.launch_machine(Doing::new(move |_, turn: &mut Turn<'_, Doing>| {
            let green = green.clone();
            turn.launch(move |_| {
                delay(ms(10))?;
                green.say("green");
                Ok(())
            });
            let value = turn.async_(|_| Ok(1));
            value.cancel();
            turn.launch_machine(machine.take().expect("once"));
            assert_eq!(turn.job().children().len(), 3);
            Ok(Step::Return(()))
        }));
        yield_()?;
        assert!(!job.is_completed());
        job.join()?;
        assert!(!job.is_cancelled());
        assert!(log.lines().contains(&String::from("green")));
        Ok(())
    })
    .unwrap();
    assert_eq!(log.lines().last().unwrap(), "green");
}

#[test]
fn the_failure_of_a_child_of_a_machine_cancels_it_and_is_its_own() {
    let failure = run_blocking(|s| {
        let job = supervisor_scope(|inner| {
            inner
                .async_machine(Doing::new(|label, turn: &mut Turn<'_, Doing>| {
                    if label > 0 {
                        return turn.woken().map(Step::Return);
                    }
                    turn.launch(|_| -> Result<()> { Err(Error::msg("the child")) });
                    turn.at(1).delay(ms(60_000))
                }))
                .await_()
        });
        s.ensure_active()?;
        Ok(job.unwrap_err())
    });
    assert_eq!(failure.unwrap().to_string(), "the child");
}

#[test]
fn a_failure_under_a_supervisor_reaches_the_handler_once_with_the_name() {
    let log = Log::default();
    let told = log.clone();
    let handler = CoroutineExceptionHandler::new(move |context, error| {
        let name = context.get::<CoroutineName>().map(CoroutineName::as_str);
        told.say(format!("{}: {error}", name.unwrap_or("?")));
    });
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new() + handler);
    let job = scope.builder().name("failing").launch_machine(Doing::new(
        |label, turn: &mut Turn<'_, Doing>| match label {
            0 => turn.at(1).yield_(),
            _ => Err(Error::msg("at label 1")),
        },
    ));
    job.join().unwrap();
    assert_eq!(log.lines(), ["failing: at label 1"]);
    assert!(scope.is_active());
}

#[test]
fn a_failure_that_nobody_handles_is_told_with_name_and_place_of_launch() {
    let log = Log::default();
    let told = log.clone();
    switchback::set_message_hook(move |message| told.say(message));
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    let machine = Doing::new(|_, _| Err(Error::msg("told of")));
    let builder = scope.builder().name("nobody's");
    let (line, launched) = (line!(), builder.launch_machine(machine));
    launched.join().unwrap();
    let place = format!("jobs.rs:{line}");
    let lines = log.lines();
    let about: Vec<_> = lines.iter().filter(|l| l.contains("nobody's")).collect();
    assert_eq!(about.len(), 1, "{lines:?}");
    assert!(about[0].contains(&place), "{about:?}");
    assert!(about[0].contains("told of"), "{about:?}");
}

thread_local!(static USER: RefCell<&'static str> = const { RefCell::new("nobody") });

/// Which of the dispatchers a machine may run on.
fn dispatchers() -> [Dispatcher; 4] {
    [
        Dispatchers::default(),
        Dispatchers::io(),
        Dispatchers::unconfined(),
        Dispatchers::default().limited_parallelism(1),
    ]
}

#[test]
fn a_thread_local_element_is_installed_in_each_resumption_and_taken_back_after() {
    for dispatcher in dispatchers() {
        run_blocking(|s| {
            let ada = ThreadLocalElement::new(&USER, "ada");
            let seen = s
                .builder()
                .dispatcher(dispatcher.clone())
                .context(ada)
                .launch_machine(Doing::new(|label, turn: &mut Turn<'_, Doing>| {
                    assert_eq!(USER.with_borrow(|user| *user), "ada");
                    // Is gone at the next suspension.
                    USER.set("eve");
                    match label {
                        0 => turn.at(1).yield_(),
                        1 => turn.at(2).delay(ms(1)),
                        _ => Ok(Step::Return(())),
                    }
                }));
            for _ in 0..20 {
                assert_eq!(USER.with_borrow(|user| *user), "nobody");
                s.builder()
                    .dispatcher(dispatcher.clone())
                    .launch(|_| assert_eq!(USER.with_borrow(|user| *user), "nobody"));
                yield_()?;
            }
            seen.join()
        })
        .unwrap();
        assert_eq!(USER.with_borrow(|user| *user), "nobody");
    }
}

#[test]
fn a_time_limit_around_an_await_cancels_the_wait_alone() {
    let resumed = Arc::new(AtomicUsize::new(0));
    run_blocking(|s| {
        let counted = resumed.clone();
        let job = s.async_machine(Doing::new(move |label, turn: &mut Turn<'_, Doing>| {
            counted.fetch_add(1, Ordering::SeqCst);
            match label {
                0 => turn.at(1).delay(ms(60_000)),
                _ => turn.woken().map(Step::Return),
            }
        }));
        let limited = with_timeout(ms(10), |_| job.await_ref().cloned());
        assert!(limited.unwrap_err().is_timeout());
        assert!(job.is_active());
        assert_eq!(resumed.load(Ordering::SeqCst), 1);
        job.cancel_and_join()
    })
    .unwrap();
    assert_eq!(resumed.load(Ordering::SeqCst), 2);
}
