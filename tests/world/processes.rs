//! Child processes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;

use switchback::prelude::*;
use switchback::process::{Command, Stdio};

use crate::child::{in_a_child, in_child};
use crate::is_cancellation;
use crate::watchdog::Watchdog;

/// The state of a process as the system tells it; `None` if there is none of this number.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// How many children this process has, ended or not.
fn children() -> usize {
    let me = std::process::id();
    let mut count = 0;
    for task in std::fs::read_dir(format!("/proc/{me}/task")).unwrap() {
        let path = task.unwrap().path().join("children");
        count += std::fs::read_to_string(path).map_or(0, |all| all.split_whitespace().count());
    }
    count
}

fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + ms(20_000);
    while !is_true() {
        assert!(std::time::Instant::now() < end, "{what}");
        std::thread::sleep(ms(1));
    }
}

/// If the test fails it lives on, so it holds nothing of ours and ends some day.
fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command
        .arg("60")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Not yet ended.
fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| !"ZX".contains(state))
}

#[test]
fn many_children_are_waited_for_on_any_dispatcher_and_on_plain_threads() {
    let _watchdog = Watchdog::new();
    let run = |code: i32| -> Result<()> {
        let mut command = Command::new("sh");
        let status = command.args(["-c", &format!("exit {code}")]).status()?;
        assert_eq!(status.code(), Some(code));
        Ok(())
    };
    run_blocking(|s| {
        for code in 0..30 {
            let dispatcher = match code % 3 {
                0 => Some(Dispatchers::default()),
                1 => Some(Dispatchers::io()),
                _ => None,
            };
            let builder = s.builder();
            match dispatcher {
                Some(dispatcher) => builder.dispatcher(dispatcher),
                None => builder,
            }
            .launch(move |_| run(code));
        }
        Ok(())
    })
    .unwrap();
    std::thread::scope(|threads| {
        for code in 0..5 {
            threads.spawn(move || run(code).unwrap());
        }
    });
}

#[test]
fn output_takes_in_both_streams_however_much_comes() {
    let _watchdog = Watchdog::new();
    let script = "head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero; exit 5";
    let check = || -> Result<()> {
        let output = Command::new("sh").args(["-c", script]).output()?;
        assert_eq!(output.status.code(), Some(5));
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (2_000_000, 3_000_000)
        );
        Ok(())
    };
    run_blocking(|s| {
        s.launch(|_| check());
        s.builder()
            .dispatcher(Dispatchers::default())
            .launch(|_| check());
        Ok(())
    })
    .unwrap();
    check().unwrap();
    let mut only_one = Command::new("sh");
    only_one.args(["-c", script]).stderr(Stdio::null());
    let output = only_one.output().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (2_000_000, 0));
    // The same command again, whose streams are now those of this process.
    let child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.stdin.is_none() && child.stdout.is_some() && child.stderr.is_none());
}

#[test]
fn a_conversation_over_pipes() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let mut command = Command::new("cat");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        for round in 0..100 {
            let question = format!("question {round}\n");
            child
                .stdin
                .as_mut()
                .unwrap()
                .write_all(question.as_bytes())?;
            let mut answer = String::new();
            answers.read_line(&mut answer)?;
            assert_eq!(answer, question);
        }
        // The wait closes its input, or it would go on for ever.
        assert!(child.wait()?.success());
        assert_eq!(answers.read(&mut [0])?, 0);
        assert!(
            child.wait()?.success(),
            "it is told as often as it is asked for"
        );
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_cannot_be_started_and_what_is_killed_is_told() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let error = Command::new("no-such-program-anywhere")
            .spawn()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let mut child = sleeper().spawn()?;
        assert!(child.try_wait()?.is_none());
        child.kill()?;
        assert_eq!(child.wait()?.signal(), Some(libc::SIGKILL));
        child.kill()?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_wait_leaves_the_child_running_and_it_can_be_waited_for_again() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let mut child = sleeper().spawn()?;
        for _ in 0..3 {
            coroutine_scope(|s| {
                let job = s.launch(|_| {
                    let error = child.wait().unwrap_err();
                    assert!(is_cancellation(&error));
                });
                yield_()?;
                job.cancel_and_join()
            })?;
        }
        let waited = with_timeout_or_none(ms(5), |_| Ok(child.wait()?))?;
        assert!(waited.is_none());
        assert!(lives(child.id()));
        child.kill()?;
        assert_eq!(child.wait()?.signal(), Some(libc::SIGKILL));
        Ok(())
    })
    .unwrap();
}

#[test]
fn dropped_children_live_on_or_are_killed_and_none_stays_a_zombie() {
    const NAME: &str = "processes::dropped_children_live_on_or_are_killed_and_none_stays_a_zombie";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    let before = children();
    let mut living = Vec::new();
    run_blocking(|s| {
        for round in 0..10 {
            let kill = round % 2 == 0;
            let child = sleeper().kill_on_drop(kill).spawn()?;
            let pid = child.id();
            match round % 3 {
                0 => drop(child),
                1 => {
                    let job = s.launch(move |_| {
                        let mut child = child;
                        Ok(child.wait().map(drop)?)
                    });
                    yield_()?;
                    job.cancel_and_join()?;
                }
                _ => std::thread::spawn(move || drop(child)).join().unwrap(),
            }
            if kill {
                until("a killed child stays", || state(pid).is_none());
            } else {
                living.push(pid);
            }
        }
        // Some that have ended by themselves before they are dropped, and some that end afterwards.
        for _ in 0..5 {
            let mut child = Command::new("true").stdout(Stdio::piped()).spawn()?;
            child.stdout.take().unwrap().read_to_end(&mut Vec::new())?;
            drop(child);
            drop(Command::new("sleep").arg("0.05").spawn()?);
        }
        Ok(())
    })
    .unwrap();
    for &pid in &living {
        assert!(lives(pid), "it should live on");
        // SAFETY: a plain system call; the number is still that of our child, whom nobody has reaped.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
    }
    until("a zombie stays", || children() == before);
}

#[test]
fn a_child_dropped_by_a_panic_is_reaped() {
    const NAME: &str = "processes::a_child_dropped_by_a_panic_is_reaped";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    let before = children();
    let ended = run_blocking(|s| {
        let job: switchback::Deferred<'_, ()> = s.async_(|_| {
            let _child = sleeper().kill_on_drop(true).spawn()?;
            panic!("on purpose");
        });
        job.await_()
    });
    assert!(ended.unwrap_err().is_panic());
    until("a zombie stays", || children() == before);
}

#[test]
fn without_a_descriptor_for_its_end_a_child_is_waited_for_all_the_same() {
    const NAME: &str =
        "processes::without_a_descriptor_for_its_end_a_child_is_waited_for_all_the_same";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    run_blocking(|s| {
        // Settled, so that the loop needs no descriptor any more.
        delay(ms(1))?;
        let mut hoard = Vec::new();
        // Few, so that they can be used up: what a spawn needs for a moment is free again when it is over.
        let limit = libc::rlimit {
            rlim_cur: 64,
            rlim_max: 64,
        };
        // SAFETY: the structure is ours.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(set, 0);
        let mut child = None;
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        while child.is_none() {
            // Nothing redirected, which would take descriptors.
            child = Command::new("sleep").arg("60").spawn().ok();
            if child.is_none() {
                assert!(hoard.pop().is_some(), "never enough");
            }
        }
        let mut child = child.unwrap();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        assert!(with_timeout_or_none(ms(10), |_| Ok(child.wait()?))?.is_none());
        child.kill()?;
        assert_eq!(child.wait()?.signal(), Some(libc::SIGKILL));
        drop(hoard);
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}
