//! Standard input, which is a file, a pipe or a socket of a child process: this very test again.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use switchback::io::stdin;
use switchback::prelude::*;

use crate::child::in_child;
use crate::is_cancellation;
use crate::watchdog::Watchdog;

/// Runs the test `name` again with this standard input.
fn with_input(name: &str, input: Stdio) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("SWITCHBACK_TEST_CASE", name)
        .stdin(input)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn passed(child: Child) {
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

/// The lines, on the loop, while a neighbour goes on.
fn lines() -> Vec<String> {
    run_blocking(|s| {
        let neighbour = s.launch(|_| -> Result<()> {
            loop {
                delay(ms(1))?;
            }
        });
        let lines: std::io::Result<Vec<_>> = BufReader::new(stdin()).lines().collect();
        neighbour.cancel_and_join()?;
        Ok(lines?)
    })
    .unwrap()
}

#[test]
fn a_file_is_read_on_the_io_dispatcher() {
    const NAME: &str = "input::a_file_is_read_on_the_io_dispatcher";
    let _watchdog = Watchdog::new();
    let path = std::env::temp_dir().join(format!("switchback-input-{}", std::process::id()));
    if in_child(NAME) {
        assert_eq!(lines(), ["one", "two"]);
        // On a plain thread too, which finds the end.
        let rest = std::thread::spawn(|| stdin().read(&mut [0; 8]));
        assert_eq!(rest.join().unwrap().unwrap(), 0);
        return;
    }
    std::fs::write(&path, "one\ntwo\n").unwrap();
    passed(with_input(NAME, File::open(&path).unwrap().into()));
    std::fs::remove_file(&path).unwrap();
    // What is always at its end is of the same kind.
    let empty = "input::nothing_at_all_is_the_end";
    passed(with_input(empty, Stdio::null()));
}

#[test]
fn nothing_at_all_is_the_end() {
    if in_child("input::nothing_at_all_is_the_end") {
        assert_eq!(lines(), [""; 0]);
    }
}

#[test]
fn a_pipe_is_waited_for_and_a_cancelled_read_loses_nothing() {
    const NAME: &str = "input::a_pipe_is_waited_for_and_a_cancelled_read_loses_nothing";
    let _watchdog = Watchdog::new();
    if in_child(NAME) {
        println!("waits");
        run_blocking(|s| {
            let job = s.launch(|_| {
                let error = stdin().read(&mut [0; 8]).unwrap_err();
                assert!(is_cancellation(&error), "{error:?}");
            });
            delay(ms(20))?;
            assert!(job.is_active());
            job.cancel_and_join()
        })
        .unwrap();
        println!("goes on");
        assert_eq!(lines(), ["after the cancellation", "and more"]);
        return;
    }
    let mut child = with_input(NAME, Stdio::piped());
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("goes on") {
        line.clear();
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "it has failed");
    }
    let mut to_child = child.stdin.take().unwrap();
    to_child.write_all(b"after the cancellation\n").unwrap();
    to_child.write_all(b"and more\n").unwrap();
    drop(to_child);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}

/// The descriptor is shared with us: its mode must stay.
#[test]
fn the_mode_of_the_shared_file_is_not_changed() {
    const NAME: &str = "input::the_mode_of_the_shared_file_is_not_changed";
    let _watchdog = Watchdog::new();
    if in_child(NAME) {
        assert_eq!(lines(), ["x"]);
        return;
    }
    let (reader, mut writer) = std::io::pipe().unwrap();
    let child = with_input(NAME, reader.try_clone().unwrap().into());
    writer.write_all(b"x\n").unwrap();
    drop(writer);
    passed(child);
    // SAFETY: asks for the flags of a descriptor that we own.
    let flags = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&reader), libc::F_GETFL) };
    assert_eq!(flags & libc::O_NONBLOCK, 0);
}

#[test]
fn a_socket_is_waited_for() {
    const NAME: &str = "input::a_socket_is_waited_for";
    let _watchdog = Watchdog::new();
    if in_child(NAME) {
        assert_eq!(lines(), ["over a socket"]);
        return;
    }
    let (mut one, two) = std::os::unix::net::UnixStream::pair().unwrap();
    let child = with_input(NAME, std::os::fd::OwnedFd::from(two).into());
    std::thread::sleep(ms(20));
    one.write_all(b"over a socket\n").unwrap();
    drop(one);
    passed(child);
}

#[test]
fn it_is_a_clause_of_select() {
    const NAME: &str = "input::it_is_a_clause_of_select";
    let _watchdog = Watchdog::new();
    if in_child(NAME) {
        let input = stdin();
        let ask = |limit| {
            select(|s| {
                s.on_readable(&input, || Ok("something to read"));
                s.on_timeout(limit, || Ok("nothing"));
            })
        };
        // On a plain thread, and on a loop.
        assert_eq!(ask(ms(2)).unwrap(), "nothing");
        run_blocking(|_| {
            assert_eq!(ask(ms(2))?, "nothing");
            println!("goes on");
            assert_eq!(ask(ms(20_000))?, "something to read");
            Ok(())
        })
        .unwrap();
        assert_eq!(lines(), ["at last"]);
        return;
    }
    let mut child = with_input(NAME, Stdio::piped());
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("goes on") {
        line.clear();
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "it has failed");
    }
    let mut to_child = child.stdin.take().unwrap();
    to_child.write_all(b"at last\n").unwrap();
    drop(to_child);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}
