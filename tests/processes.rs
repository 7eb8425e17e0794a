//! What ends a process, and what must not: each case runs in a child process, which is this very test again.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use switchback::SequenceIterator;
use switchback::prelude::*;

const CASE: &str = "SWITCHBACK_TEST_CASE";

const PLACE: &str = "SWITCHBACK_TEST_PLACE";

/// Runs the test `name` again in a child process, in which `in_child` is true.
fn in_a_child(name: &str) -> Output {
    in_a_child_at(name, "")
}

fn in_a_child_at(name: &str, place: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .env(PLACE, place);
    command.output().unwrap()
}

fn in_child(name: &str) -> bool {
    std::env::var(CASE).is_ok_and(|case| case == name)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX {
        frame[3]
    } else {
        recurse(depth + 1) + frame[5]
    }
}

fn overflow(name: &str, dispatcher: Option<Dispatcher>) {
    if in_child(name) {
        let _ = run_blocking(|s| {
            let mut builder = s.builder().name("deep thinker").stack_size(64 << 10);
            if let Some(dispatcher) = dispatcher {
                builder = builder.dispatcher(dispatcher);
            }
            builder.launch(|_| println!("{}", recurse(0)));
            Ok(())
        });
        unreachable!("a stack that overflows ends the process");
    }
    let output = in_a_child(name);
    assert_eq!(
        output.status.signal(),
        Some(libc::SIGABRT),
        "{}",
        text(&output)
    );
    let text = text(&output);
    assert!(text.contains("coroutine 'deep thinker#"), "{text}");
    assert!(
        text.contains("has overflowed its stack of 64 KiB"),
        "{text}"
    );
}

#[test]
fn a_stack_overflow_on_a_loop_names_the_coroutine() {
    overflow("a_stack_overflow_on_a_loop_names_the_coroutine", None);
}

#[test]
fn a_stack_overflow_on_a_worker_names_the_coroutine() {
    overflow(
        "a_stack_overflow_on_a_worker_names_the_coroutine",
        Some(Dispatchers::default()),
    );
}

#[test]
fn a_stack_overflow_on_an_io_thread_names_the_coroutine() {
    overflow(
        "a_stack_overflow_on_an_io_thread_names_the_coroutine",
        Some(Dispatchers::io()),
    );
}

#[test]
fn other_faults_go_to_the_handler_that_was_there_before() {
    const NAME: &str = "other_faults_go_to_the_handler_that_was_there_before";
    if in_child(NAME) {
        // The runtime's handler is in place, and the overflow is a plain thread's.
        run_blocking(|_| delay(ms(1))).unwrap();
        let thread = std::thread::Builder::new()
            .name(String::from("plain"))
            .spawn(|| recurse(0));
        let _ = thread.unwrap().join();
        unreachable!("a stack that overflows ends the process");
    }
    let output = in_a_child(NAME);
    assert_eq!(
        output.status.signal(),
        Some(libc::SIGABRT),
        "{}",
        text(&output)
    );
    assert!(
        text(&output).contains("thread 'plain'"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_process_ends_cleanly_while_coroutines_are_parked() {
    const NAME: &str = "a_process_ends_cleanly_while_coroutines_are_parked";
    if in_child(NAME) {
        for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
            let scope = CoroutineScope::new(dispatcher + SupervisorJob::new());
            for _ in 0..20 {
                scope.launch(|_| delay(ms(1_000_000)));
            }
            scope.launch(|_| yield_()).join().unwrap();
        }
        GlobalScope.launch(|_| await_cancellation::<()>().map(drop));
        std::process::exit(7);
    }
    let output = in_a_child(NAME);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
}

#[test]
fn no_memory_for_a_stack_is_a_failure_of_the_job() {
    const NAME: &str = "no_memory_for_a_stack_is_a_failure_of_the_job";
    if in_child(NAME) {
        run_blocking(|s| s.launch(|_| ()).join()).unwrap();
        let limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a plain system call on a value of ours.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        assert_eq!(done, 0);
        let failed = run_blocking(|s| {
            supervisor_scope(|s| {
                let job = s.builder().stack_size(512 << 20).async_(|_| Ok(1));
                Ok(job.await_().unwrap_err().to_string())
            })
            .inspect(|_| assert!(s.is_active()))
        });
        println!("the answer: {}", failed.unwrap());
        return;
    }
    let output = in_a_child(NAME);
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("the answer: no memory for a coroutine's stack"),
        "{}",
        text(&output)
    );
}

fn endless_thought() -> switchback::Sequence<u64> {
    sequence(|y| y.yield_(recurse(0))).stack_size(64 << 10)
}

fn overflow_in_a_sequence(name: &str, think: impl FnOnce()) {
    if in_child(name) {
        think();
        unreachable!("a stack that overflows ends the process");
    }
    let output = in_a_child(name);
    let text = text(&output);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    let who = "the block of a sequence made at tests/processes.rs:";
    assert!(text.contains(who), "{text}");
    assert!(
        text.contains("has overflowed its stack of 64 KiB"),
        "{text}"
    );
}

#[test]
fn an_overflow_in_a_sequence_names_it_on_a_thread_without_a_runtime() {
    let name = "an_overflow_in_a_sequence_names_it_on_a_thread_without_a_runtime";
    overflow_in_a_sequence(name, || {
        let _ = endless_thought().iter().next();
    });
}

#[test]
fn an_overflow_in_a_sequence_names_it_and_not_the_coroutine() {
    let name = "an_overflow_in_a_sequence_names_it_and_not_the_coroutine";
    overflow_in_a_sequence(name, || {
        let _ = run_blocking(|s| {
            s.launch(|_| {
                let outer = sequence(|y| y.yield_all(&endless_thought()));
                outer.iter().for_each(drop);
            })
            .join()
        });
    });
}

#[test]
fn no_memory_for_the_stack_of_a_sequence_is_its_failure() {
    const NAME: &str = "no_memory_for_the_stack_of_a_sequence_is_its_failure";
    if in_child(NAME) {
        let one = sequence(|y| y.yield_(1));
        assert_eq!(one.iter().count(), 1);
        let limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a plain system call on a value of ours.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        assert_eq!(done, 0);
        let large = one.clone().stack_size(512 << 20);
        let mut results = large.iter().results();
        println!("the answer: {}", results.next().unwrap().unwrap_err());
        assert!(results.next().is_none());
        assert_eq!(one.iter().count(), 1);
        return;
    }
    let output = in_a_child(NAME);
    assert!(output.status.success(), "{}", text(&output));
    let answer = "the answer: no memory for a coroutine's stack";
    assert!(text(&output).contains(answer), "{}", text(&output));
}

#[test]
fn a_panic_in_a_coroutine_leaves_the_process_alone() {
    let failed = run_blocking(|_| {
        let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
        let bad = scope.async_(|_| -> Result<()> { panic!("one of many") });
        assert!(bad.await_().unwrap_err().is_panic());
        let good = scope.async_(|_| Ok(5));
        good.await_()
    });
    assert_eq!(failed.unwrap(), 5);
}

#[test]
fn the_runtime_works_without_free_descriptors() {
    const NAME: &str = "the_runtime_works_without_free_descriptors";
    if in_child(NAME) {
        let limit = libc::rlimit {
            rlim_cur: 3,
            rlim_max: 3,
        };
        // SAFETY: a plain system call on a value of ours.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(done, 0);
        let sum = run_blocking(|s| {
            let there = s.builder().dispatcher(Dispatchers::default()).async_(|_| {
                delay(ms(5))?;
                with_context(Dispatchers::io(), |_| Ok(20))
            });
            let here = s.async_(|_| {
                delay(ms(2))?;
                Ok(3)
            });
            Ok(there.await_()? + here.await_()?)
        });
        println!("sum={}", sum.unwrap());
        return;
    }
    let output = in_a_child(NAME);
    assert!(text(&output).contains("sum=23"), "{}", text(&output));
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_forgotten_event_loop_on_which_coroutines_live_aborts_at_the_end_of_its_thread() {
    let name = "a_forgotten_event_loop_on_which_coroutines_live_aborts_at_the_end_of_its_thread";
    if in_child(name) {
        let thread = std::thread::Builder::new().name("forgetful host".to_owned());
        let ended = thread.spawn(|| {
            let host = switchback::EventLoop::new().unwrap();
            let scope = CoroutineScope::new(host.dispatcher());
            scope.launch(|_| delay(ms(100_000)));
            host.run_until_idle();
            std::mem::forget(host);
        });
        let _ = ended.unwrap().join();
        unreachable!("the stack of a started coroutine must not outlive its thread");
    }
    let output = in_a_child(name);
    let text = text(&output);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(
        text.contains("\"forgetful host\" ended while 1 coroutines lived"),
        "{text}"
    );
}

/// Asks for one element more when it is dropped.
struct Asks(SequenceIterator<i32>);

impl Drop for Asks {
    fn drop(&mut self) {
        assert_eq!(self.0.next(), None);
    }
}

#[test]
fn a_process_exits_with_its_code_wherever_it_does() {
    let name = "a_process_exits_with_its_code_wherever_it_does";
    if in_child(name) {
        let exit = || -> Result<()> { std::process::exit(3) };
        let place = std::env::var(PLACE).unwrap();
        let run = move || {
            let _: Result<()> = run_blocking(|s| {
                s.launch(|_| delay(ms(100_000)));
                yield_()?;
                match &*place {
                    "body" => std::process::exit(3),
                    "coroutine" => s.launch(|_| exit()).join(),
                    "sequence" => {
                        // Its destructor runs above the block.
                        thread_local!(static KEPT: RefCell<Option<Asks>> = const { RefCell::new(None) });
                        let exits = iterator(|y| {
                            y.yield_(1)?;
                            std::process::exit(3)
                        });
                        KEPT.set(Some(Asks(exits)));
                        KEPT.with_borrow_mut(|kept| {
                            kept.as_mut().map(|kept| kept.0.by_ref().count())
                        });
                        Ok(())
                    }
                    _ => with_context(Dispatchers::default(), |_| exit()),
                }
            });
        };
        std::thread::spawn(run).join().unwrap();
        unreachable!("it has exited");
    }
    for place in ["body", "coroutine", "sequence", "worker"] {
        let output = in_a_child_at(name, place);
        assert_eq!(output.status.code(), Some(3), "{place} {}", text(&output));
    }
}

#[test]
fn a_forgotten_event_loop_without_coroutines_harms_nobody() {
    let name = "a_forgotten_event_loop_without_coroutines_harms_nobody";
    if in_child(name) {
        std::thread::spawn(|| {
            let host = switchback::EventLoop::new().unwrap();
            let scope = CoroutineScope::new(host.dispatcher());
            scope.launch(|_| ());
            host.run_until_idle();
            std::mem::forget(host);
        })
        .join()
        .unwrap();
        return;
    }
    let output = in_a_child(name);
    assert!(output.status.success(), "{}", text(&output));
}
