//! Errors, panics and elements whose own code panics or suspends.

use std::fmt;
use std::process::{Command, Stdio};

use super::*;
use switchback::{AsStdError, set_message_hook};

/// An error that calls a function when it is shown, another one when it is asked for its source, a third when it ends.
struct Odd {
    show: fn(),
    source: fn(),
    #[allow(dead_code)]
    end: End,
    cause: Option<AsStdError>,
}

const TAME: Odd = Odd {
    show: || (),
    source: || (),
    end: End(|| ()),
    cause: None,
};

impl fmt::Debug for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.show)();
        f.write_str("odd")
    }
}

impl std::error::Error for Odd {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (self.source)();
        self.cause.as_ref().map(|cause| cause as _)
    }
}

struct End(fn());

impl Drop for End {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Fails a child of a supervisor, whose failure is told as that of a root, while the body of the loop waits.
fn tell(show: fn()) {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        supervisor_scope(|v| {
            v.launch(move |_| Err(Error::new(Odd { show, ..TAME })))
                .join()?;
            delay(ms(2))
        })?;
        s.launch(|_| delay(ms(1))).join()
    })
    .unwrap();
}

#[test]
fn an_error_that_suspends_when_it_is_shown_is_refused() {
    tell(|| assert!(delay(ms(20)).is_err()));
}

#[test]
fn an_error_that_panics_when_it_is_shown_ends_nothing() {
    tell(|| panic!("in Display"));
}

#[test]
fn a_launch_on_a_scope_that_failed_with_an_unspeakable_error_returns() {
    let _watchdog = Watchdog::new();
    let scope = CoroutineScope::new(Dispatchers::default());
    let error = Odd {
        show: || panic!("in Display"),
        ..TAME
    };
    scope.launch(|_| Err(Error::new(error))).join().unwrap();
    assert!(scope.launch(|_| ()).is_cancelled());
    scope.job().join().unwrap();
}

#[test]
fn a_source_that_panics_is_no_source() {
    let _watchdog = Watchdog::new();
    let error = || Odd {
        source: || panic!("in source"),
        ..TAME
    };
    let scope: Result<()> = coroutine_scope(|_| Err(Error::new(error())));
    assert!(scope.is_err());
    let child: Result<()> = run_blocking(|s| s.async_(|_| Err(Error::new(error()))).await_());
    assert!(child.is_err());
}

#[test]
fn a_destructor_of_an_error_that_panics_ends_nothing() {
    let _watchdog = Watchdog::new();
    // It wraps the cancellation that its coroutine has had, so nobody has a use for it.
    let wrap = |cancelled: Error| Odd {
        end: End(|| panic!("in a destructor")),
        cause: Some(cancelled.into_std()),
        ..TAME
    };
    run_blocking(|s| {
        let job = s.launch(move |_| delay(ms(60_000)).map_err(|e| Error::new(wrap(e))));
        yield_()?;
        job.cancel_and_join()
    })
    .unwrap();
    let scope = coroutine_scope(|s| {
        s.cancel();
        delay(ms(60_000)).map_err(|e| Error::new(wrap(e)))
    });
    assert!(scope.unwrap_err().is_cancelled());
}

/// A payload whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in the destructor of a payload");
    }
}

#[test]
fn a_payload_of_a_handler_that_panics_again_ends_nothing() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let job = s.launch(|_| delay(ms(1)));
        job.invoke_on_completion(|_| std::panic::panic_any(Bomb));
        job.join()
    })
    .unwrap();
}

const CASE: &str = "SWITCHBACK_TEST_CASE";

/// Runs a test again in a child process; true in that child.
fn in_a_child(name: &str, prepare: impl FnOnce(&mut Command)) -> bool {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CASE, name);
    prepare(&mut command);
    assert!(command.status().unwrap().success());
    false
}

fn uncaught_failure() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| supervisor_scope(|s| s.launch(|_| Err(Error::msg("told to nobody"))).join()))
        .unwrap();
}

#[test]
fn a_standard_error_that_cannot_be_written_to_ends_nothing() {
    let full = |command: &mut Command| {
        let full = std::fs::File::options().write(true).open("/dev/full");
        command.stderr(Stdio::from(full.unwrap()));
    };
    let name = "errors::a_standard_error_that_cannot_be_written_to_ends_nothing";
    if in_a_child(name, full) {
        uncaught_failure();
    }
}

#[test]
fn a_message_hook_may_set_another() {
    let name = "errors::a_message_hook_may_set_another";
    if in_a_child(name, |_| ()) {
        set_message_hook(|_| set_message_hook(|_| ()));
        uncaught_failure();
        uncaught_failure();
    }
}

#[test]
fn without_a_thread_to_be_had_both_pools_give_back_what_they_are_sent() {
    let name = "errors::without_a_thread_to_be_had_both_pools_give_back_what_they_are_sent";
    if !in_a_child(name, |_| ()) {
        return;
    }
    let none = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: plain system calls. The limit does not hold for root, so root becomes nobody; a hang ends by the alarm.
    unsafe {
        libc::alarm(30);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &none), 0);
        if libc::geteuid() == 0 {
            assert_eq!(libc::setresuid(65534, 65534, 65534), 0);
        }
    }
    for dispatcher in [Dispatchers::io(), Dispatchers::default()] {
        for _ in 0..2 {
            let refused = with_context(dispatcher.clone(), |_| Ok(())).unwrap_err();
            assert!(refused.to_string().contains("takes no more"), "{refused}");
        }
    }
}
