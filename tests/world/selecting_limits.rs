//! Selects when there is no descriptor left; and they leave none behind.

use switchback::io::pipe;
use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;
use switchback::process::Command;

use crate::child::{in_a_child, in_child};
use crate::open_descriptors;
use crate::selecting::cat;
use crate::watchdog::Watchdog;

#[test]
fn a_select_without_a_descriptor_left_fails_and_one_without_a_pidfd_waits() {
    const NAME: &str =
        "selecting_limits::a_select_without_a_descriptor_left_fails_and_one_without_a_pidfd_waits";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    let limit = libc::rlimit {
        rlim_cur: 64,
        rlim_max: 64,
    };
    // SAFETY: the structure is ours.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
    run_blocking(|_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (reader, _writer) = pipe()?;
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        let none_left = |error: Error| {
            let told = error.to_string();
            assert!(told.contains("Too many open files"), "{told}");
        };
        // No reactor can be made.
        none_left(select(|s| s.on_readable(&reader, || Ok(()))).unwrap_err());
        let mut child = Command::new("sh")
            .args(["-c", "sleep 0.01; exit 4"])
            .spawn()?;
        let code = select(|s| {
            s.on_exit(&mut child, |status| Ok(status.code()));
            s.on_timeout(ms(20_000), || Ok(None));
        })?;
        assert_eq!(code, Some(4));
        // A connection that cannot be taken.
        hoard.pop();
        let _client = TcpStream::connect(listener.local_addr()?).map(drop);
        hoard.truncate(hoard.len() - 3);
        let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        none_left(select(|s| s.on_accept(&listener, |_| Ok(()))).unwrap_err());
        hoard.truncate(hoard.len() - 3);
        select(|s| s.on_accept(&listener, |_| Ok(())))?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn selects_leave_no_descriptor_behind() {
    const NAME: &str = "selecting_limits::selects_leave_no_descriptor_behind";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    let round = || {
        let mut child = cat();
        let (reader, writer) = pipe().unwrap();
        run_blocking(|_| {
            let told = select(|s| {
                s.on_readable(&reader, || Ok("reader"));
                s.on_exit(&mut child, |_| Ok("child"));
                s.on_timeout(ms(1), || Ok("late"));
            })?;
            assert_eq!(told, "late");
            drop(child.stdin.take());
            child.wait()?;
            Ok(())
        })
        .unwrap();
        drop(writer);
    };
    round();
    let before = open_descriptors();
    for _ in 0..20 {
        round();
    }
    assert_eq!(open_descriptors(), before);
}
