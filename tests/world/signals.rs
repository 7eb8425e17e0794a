//! Signals. Each test that listens uses a signal of its own, as the process is shared; or a process of its own.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::signal::{SignalKind, Signals, ctrl_c, signal};

use crate::child::{in_a_child, in_child};
use crate::watchdog::Watchdog;

fn raise(kind: SignalKind) {
    // SAFETY: a plain system call, to this process.
    assert_eq!(unsafe { libc::kill(libc::getpid(), kind.as_raw()) }, 0);
}

/// Sends it to this very thread, so that it has been handled when this returns.
fn raise_here(kind: SignalKind) {
    // SAFETY: a plain system call, to this thread.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
}

#[test]
fn each_receiver_is_told_wherever_it_waits() {
    const ROUNDS: usize = 50;
    let _watchdog = Watchdog::new();
    let kind = SignalKind::user_defined1();
    let told = AtomicUsize::new(0);
    let count = |signals: Signals| -> Result<()> {
        for _ in 0..ROUNDS {
            signals.recv()?;
            told.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    };
    let receivers: Vec<_> = (0..4).map(|_| signal(kind).unwrap()).collect();
    std::thread::scope(|threads| {
        let mut receivers = receivers.into_iter();
        let mut next = || receivers.next().unwrap();
        let (one, two, three, four) = (next(), next(), next(), next());
        threads.spawn(move || count(one).unwrap());
        run_blocking(|s| {
            s.launch(move |_| count(two));
            let pool = s.builder().dispatcher(Dispatchers::default());
            pool.launch(move |_| count(three));
            let io = s.builder().dispatcher(Dispatchers::io());
            io.launch(move |_| count(four));
            for round in 1..=ROUNDS {
                raise(kind);
                while told.load(Ordering::SeqCst) < 4 * round {
                    delay(ms(1))?;
                }
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(told.into_inner(), 4 * ROUNDS);
}

#[test]
fn several_that_nobody_has_looked_for_are_one() {
    let _watchdog = Watchdog::new();
    let kind = SignalKind::user_defined2();
    let (one, two) = (signal(kind).unwrap(), signal(kind).unwrap());
    for _ in 0..5 {
        raise_here(kind);
    }
    assert!(one.try_recv());
    assert!(!one.try_recv());
    two.recv().unwrap();
    assert!(!two.try_recv());
    // What came before it was made is not told, even if it uses the same descriptor as one before it.
    raise_here(kind);
    drop(two);
    assert!(!signal(kind).unwrap().try_recv());
    assert!(one.try_recv());
}

#[test]
fn what_was_there_before_is_put_back_when_nobody_listens() {
    let _watchdog = Watchdog::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_: libc::c_int) {
        CALLED.fetch_add(1, Ordering::SeqCst);
    }
    let kind = SignalKind::window_change();
    let set = |handler: libc::sighandler_t| {
        // SAFETY: the handler only counts.
        let before = unsafe { libc::signal(kind.as_raw(), handler) };
        assert_ne!(before, libc::SIG_ERR);
    };
    let handler = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
    set(handler);
    let called = || CALLED.load(Ordering::SeqCst);
    raise_here(kind);
    assert_eq!(called(), 1);
    for round in 1..4 {
        let (one, two) = (signal(kind).unwrap(), signal(kind).unwrap());
        raise_here(kind);
        drop(one);
        raise_here(kind);
        assert_eq!(called(), round);
        assert!(two.try_recv());
        drop(two);
        raise_here(kind);
        assert_eq!(called(), round + 1);
    }
    // A handler that somebody has set meanwhile stays.
    let listens = signal(kind).unwrap();
    set(libc::SIG_IGN);
    drop(listens);
    raise_here(kind);
    assert_eq!(called(), 4);
    set(libc::SIG_DFL);
}

#[test]
fn ctrl_c_ends_a_server_in_order_and_the_process_again_when_nobody_listens() {
    const NAME: &str =
        "signals::ctrl_c_ends_a_server_in_order_and_the_process_again_when_nobody_listens";
    let _watchdog = Watchdog::new();
    if in_child(NAME) {
        run_blocking(|s| {
            let interrupts = ctrl_c()?;
            let server = s.launch(|_| -> Result<()> {
                loop {
                    delay(ms(1))?
                }
            });
            s.launch(|_| raise(SignalKind::interrupt()));
            interrupts.recv()?;
            server.cancel_and_join()
        })
        .unwrap();
        if std::env::var_os("SWITCHBACK_TEST_ONCE_MORE").is_some() {
            raise_here(SignalKind::interrupt());
            unreachable!("nobody listens, so it ends the process");
        }
        return;
    }
    in_a_child(NAME);
    use std::os::unix::process::ExitStatusExt;
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env("SWITCHBACK_TEST_CASE", NAME)
        .env("SWITCHBACK_TEST_ONCE_MORE", "yes")
        .output()
        .unwrap()
        .status;
    assert_eq!(status.signal(), Some(libc::SIGINT));
}

#[test]
fn signals_that_cannot_be_heard_are_refused() {
    let never = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        0,
        -1,
        1000,
    ];
    for number in never {
        let error = signal(SignalKind::from_raw(number)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{number}");
    }
}

/// Interleavings hunted: the handler runs while an ear is made, begins and ends to listen, and is used again.
#[test]
fn receivers_come_and_go_under_a_storm() {
    const NAME: &str = "signals::receivers_come_and_go_under_a_storm";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    let kind = SignalKind::hangup();
    // Never dropped: one that is still on its way to another thread must not end the process.
    std::mem::forget(signal(kind).unwrap());
    let over = std::sync::atomic::AtomicBool::new(false);
    let told = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                raise(kind);
                std::thread::yield_now();
            }
        });
        run_blocking(|s| {
            coroutine_scope(|s| {
                for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
                    for _ in 0..4 {
                        s.builder().dispatcher(dispatcher.clone()).launch(|_| {
                            for _ in 0..200 {
                                signal(kind)?.recv()?;
                                told.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(())
                        });
                    }
                }
                Ok(())
            })?;
            over.store(true, Ordering::Relaxed);
            assert!(s.is_active());
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(told.into_inner(), 8 * 200);
}
