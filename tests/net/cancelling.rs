//! What a cancellation and a timeout do to a call that waits.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::net::TcpStream;
use switchback::prelude::*;

use crate::watchdog::Watchdog;
use crate::{is_cancellation, pair};

/// An address that neither takes a connection nor refuses it, as long as the value lives: its queue is full.
struct Full {
    address: SocketAddr,
    _listener: StdListener,
    _queued: Vec<StdStream>,
}

impl Full {
    fn new() -> Self {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            match StdStream::connect_timeout(&address, ms(200)) {
                Ok(stream) => queued.push(stream),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    return Self {
                        address,
                        _listener: listener,
                        _queued: queued,
                    };
                }
            }
        }
    }
}

#[test]
fn a_connect_that_waits_is_cancelled() {
    let _watchdog = Watchdog::new();
    let full = Full::new();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let error = TcpStream::connect(full.address).unwrap_err();
            assert!(is_cancellation(&error), "{error:?}");
            Err(error.into())
        });
        yield_()?;
        assert!(job.is_active());
        job.cancel_and_join()?;
        assert!(job.is_cancelled());
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_connect_that_waits_ends_with_the_timeout_around_it() {
    let _watchdog = Watchdog::new();
    let full = Full::new();
    let attempt = || with_timeout(ms(10), |_| Ok(TcpStream::connect(full.address)?));
    assert!(attempt().unwrap_err().is_timeout(), "on a plain thread");
    run_blocking(|s| {
        let child = s.async_(|_| Ok(attempt().unwrap_err().is_timeout()));
        assert!(child.await_()?, "in a coroutine");
        Ok(())
    })
    .unwrap();
}

#[test]
fn connect_timeout_gives_up_with_an_ordinary_error() {
    let _watchdog = Watchdog::new();
    let full = Full::new();
    let attempt = || TcpStream::connect_timeout(&full.address, ms(10)).unwrap_err();
    assert_eq!(attempt().kind(), ErrorKind::TimedOut, "on a plain thread");
    run_blocking(|s| {
        let child = s.async_(|_| {
            assert_eq!(attempt().kind(), ErrorKind::TimedOut, "in a coroutine");
            // Nothing was cancelled.
            ensure_active()
        });
        child.await_()
    })
    .unwrap();
}

#[test]
fn connect_timeout_tells_success_refusal_and_cancellation_apart() {
    let _watchdog = Watchdog::new();
    let full = Full::new();
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    run_blocking(|s| {
        let stream = TcpStream::connect_timeout(&address, ms(20_000))?;
        assert_eq!(stream.peer_addr()?, address);
        drop((stream, listener));
        let refused = TcpStream::connect_timeout(&address, ms(20_000)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let never = TcpStream::connect_timeout(&address, ms(0)).unwrap_err();
        assert_eq!(never.kind(), ErrorKind::InvalidInput);
        let job = s.launch(|_| {
            let error = TcpStream::connect_timeout(&full.address, ms(20_000)).unwrap_err();
            assert!(is_cancellation(&error), "{error:?}");
            Ok(())
        });
        yield_()?;
        job.cancel_and_join()
    })
    .unwrap();
}

#[test]
fn a_cancelled_lookup_is_reported_as_a_cancellation() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let error = TcpStream::connect("localhost:1").unwrap_err();
            assert!(is_cancellation(&error), "{error:?}");
            // Counts as the cancellation all the same, since the coroutine was told of it.
            Err(Error::msg("the library's own words"))
        });
        yield_()?;
        // It is suspended, and cannot go on before this body is.
        assert!(job.is_active());
        job.cancel_and_join()?;
        assert!(job.cause().unwrap().is_cancelled());
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_failed_lookup_keeps_its_kind_across_the_threads() {
    let _watchdog = Watchdog::new();
    let there = StdStream::connect("no-such-name.invalid:80").unwrap_err();
    run_blocking(|_| {
        let here = TcpStream::connect("no-such-name.invalid:80").unwrap_err();
        assert_eq!(here.kind(), there.kind());
        let text = TcpStream::connect("not an address").unwrap_err();
        assert_eq!(text.kind(), ErrorKind::InvalidInput);
        Ok(())
    })
    .unwrap();
}

#[test]
fn reading_a_text_to_its_end_is_cancelled_and_the_siblings_go_on() {
    let _watchdog = Watchdog::new();
    let (_one, two) = pair();
    let (mut three, four) = pair();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let mut text = String::new();
            BufReader::new(&two).read_to_string(&mut text)?;
            Ok(())
        });
        let sibling = s.async_(|_| {
            let mut byte = [0];
            (&four).read_exact(&mut byte)?;
            Ok(byte[0])
        });
        yield_()?;
        job.cancel_and_join()?;
        assert!(job.is_cancelled());
        assert!(s.is_active());
        three.write_all(&[7])?;
        assert_eq!(sibling.await_()?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_was_written_before_a_cancellation_was_reported() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = pair();
    let written = AtomicUsize::new(0);
    run_blocking(|s| {
        let job = s.launch(|_| {
            let chunk = vec![1; 1 << 20];
            loop {
                match (&one).write(&chunk) {
                    Ok(count) => written.fetch_add(count, Ordering::Relaxed),
                    Err(error) => break Err(error.into()),
                };
            }
        });
        yield_()?;
        job.cancel_and_join()
    })
    .unwrap();
    drop(one);
    let mut arrived = Vec::new();
    two.read_to_end(&mut arrived).unwrap();
    assert!(!arrived.is_empty());
    assert_eq!(arrived.len(), written.into_inner());
}

#[test]
fn a_shutdown_and_a_reset_wake_a_reader() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let (_one, two) = pair();
        let two = &two;
        coroutine_scope(|s| {
            let count = s.async_(|_| Ok((&*two).read(&mut [0; 8])?));
            yield_()?;
            two.shutdown(std::net::Shutdown::Read)?;
            assert_eq!(count.await_()?, 0);
            Ok(())
        })?;

        let (one, two) = pair();
        let kind = s.async_(move |_| {
            (&one).write_all(b"closing with this unread resets the connection")?;
            Ok((&one).read(&mut [0; 8]).unwrap_err().kind())
        });
        two.peek(&mut [0])?;
        drop(two);
        assert_eq!(kind.await_()?, ErrorKind::ConnectionReset);
        Ok(())
    })
    .unwrap();
}
