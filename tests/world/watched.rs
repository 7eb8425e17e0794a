//! Any descriptor.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use switchback::io::Watched;
use switchback::prelude::*;

use crate::watchdog::Watchdog;

#[test]
fn what_is_always_ready_is_refused_with_a_clear_error() {
    for path in ["/proc/self/exe", "/", "/dev/null"] {
        let error = Watched::new(File::open(path).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{path}");
        assert!(
            error.to_string().contains("cannot be waited for"),
            "{error}"
        );
    }
}

#[test]
fn readiness_is_told_as_often_as_it_is_asked_for() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = UnixStream::pair().unwrap();
    let one = Watched::new(one).unwrap();
    run_blocking(|s| {
        two.write_all(b"ab")?;
        for _ in 0..3 {
            one.readable()?;
        }
        one.get_ref().read_exact(&mut [0])?;
        one.readable()?;
        one.get_ref().read_exact(&mut [0])?;
        let waits = s.launch(|_| Ok(one.readable()?));
        yield_()?;
        assert!(waits.is_active());
        two.write_all(b"c")?;
        waits.join()?;
        one.get_ref().read_exact(&mut [0])?;
        one.writable()?;
        drop(two);
        one.readable()?;
        one.readable()?;
        assert_eq!(one.get_ref().read(&mut [0])?, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_operation_is_repeated_only_while_it_would_block() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = UnixStream::pair().unwrap();
    let one = Watched::new(one).unwrap();
    run_blocking(|s| {
        let mut calls = 0;
        let answer = one.when_readable(|_| {
            calls += 1;
            match calls {
                1 => {
                    two.write_all(b"x")?;
                    Err(ErrorKind::WouldBlock.into())
                }
                2 => Err(ErrorKind::Interrupted.into()),
                _ => Ok("done"),
            }
        })?;
        assert_eq!((answer, calls), ("done", 3));
        let error = one
            .when_writable(|_| Err::<(), _>(ErrorKind::PermissionDenied.into()))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_borrowed_descriptor_is_watched_again_and_again_on_any_thread() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = UnixStream::pair().unwrap();
    two.write_all(b"x").unwrap();
    run_blocking(|_| {
        for round in 0..20 {
            let watched = Watched::new(one.as_fd())?;
            // Registered here, and let go here or on a worker.
            let mut calls = 0;
            watched.when_readable(|_| {
                calls += 1;
                match calls {
                    1 => Err(ErrorKind::WouldBlock.into()),
                    _ => Ok(()),
                }
            })?;
            if round % 2 == 0 {
                with_context(Dispatchers::default(), |_| {
                    drop(watched);
                    Ok(())
                })?;
            }
        }
        Ok(())
    })
    .unwrap();
}

/// The descriptor stays open and keeps its number, while its first registration was let go by another thread.
#[test]
fn a_socket_given_back_on_another_thread_can_be_registered_again() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = UnixStream::pair().unwrap();
    run_blocking(|_| {
        let mut one = one;
        for _ in 0..3 {
            let stream = switchback::net::UnixStream::from_std(one)?;
            coroutine_scope(|s| {
                s.launch(|_| Ok((&stream).read_exact(&mut [0])?));
                yield_()?;
                Ok(two.write_all(b"x")?)
            })?;
            one = std::thread::spawn(|| stream.into_std()).join().unwrap()?;
        }
        Ok(())
    })
    .unwrap();
}
