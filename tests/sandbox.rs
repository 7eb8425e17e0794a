//! A program may take system calls away from itself at any time, by a filter of the kernel's.

#[path = "net/watchdog.rs"]
mod watchdog;

use std::process::Command;

use switchback::prelude::*;
use watchdog::Watchdog;

const CHILD: &str = "SWITCHBACK_SANDBOX_CHILD";

/// From now on `membarrier(2)` fails in every thread of this process.
fn forbid_membarrier() {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        instruction(LOAD_NUMBER, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 0, 1, libc::SYS_membarrier as u32),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: a call without pointers, and one with a program that lives until it has returned.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_TSYNC,
                &raw const program,
            ) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

fn in_child() {
    let _watchdog = Watchdog::new();
    let (tx, rx) = channel(Capacity::buffered(1));
    // One thread has it to itself for long.
    let exchange = || {
        for number in 0..10_000 {
            tx.send(number).unwrap();
            assert_eq!(rx.recv().unwrap(), number);
        }
    };
    exchange();
    forbid_membarrier();
    std::thread::scope(|threads| {
        let others: Vec<_> = (0..3)
            .map(|_| threads.spawn(|| assert!(!tx.is_closed_for_send())))
            .collect();
        while !others
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            exchange();
        }
    });
    exchange();
}

#[test]
fn a_filter_that_forbids_membarrier_comes_at_any_time() {
    if std::env::var_os(CHILD).is_some() {
        return in_child();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_filter_that_forbids_membarrier_comes_at_any_time",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{} {told}", child.status);
}
