//! Sockets, through the public interface, over the loopback device.

#[path = "net/cancelling.rs"]
mod cancelling;
#[path = "net/child.rs"]
mod child;
#[path = "net/spread.rs"]
mod spread;
#[path = "net/threads.rs"]
mod threads;
#[path = "net/volume.rs"]
mod volume;
#[path = "net/watchdog.rs"]
mod watchdog;

use std::collections::HashSet;
use std::error::Error as _;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::Builder;
use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;
use watchdog::Watchdog;

/// Long enough for whatever must happen; a test that would hang fails.
fn in_time<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    with_timeout(ms(20_000), |_| body())
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let one = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (two, _) = listener.accept().unwrap();
    (
        TcpStream::from_std(one).unwrap(),
        TcpStream::from_std(two).unwrap(),
    )
}

/// Sends back whatever comes, until the end.
fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

fn ask(stream: &mut TcpStream, text: &str) -> Result<String> {
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8(answer)?)
}

fn is_cancellation(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::Other
        && error
            .source()
            .is_some_and(|source| source.is::<Cancelled>())
}

/// The builder, with a dispatcher if there is one.
fn with<'s, 'e>(builder: Builder<'s, 'e>, dispatcher: Option<Dispatcher>) -> Builder<'s, 'e> {
    match dispatcher {
        Some(dispatcher) => builder.dispatcher(dispatcher),
        None => builder,
    }
}

/// A server on `dispatcher`, or on the loop, and `clients` clients on the loop, each of which asks `rounds` times.
fn serve(dispatcher: Option<Dispatcher>, clients: usize, rounds: usize) {
    let _watchdog = Watchdog::new();
    let answers = AtomicUsize::new(0);
    let threads = std::sync::Mutex::new(HashSet::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    run_blocking(|s| {
        let server = with(s.builder(), dispatcher).launch(|s| -> Result<()> {
            loop {
                let (stream, _) = listener.accept()?;
                s.launch(|_| {
                    threads.lock().unwrap().insert(std::thread::current().id());
                    echo(stream)
                });
            }
        });
        coroutine_scope(|s| {
            for client in 0..clients {
                let answers = &answers;
                s.launch(move |_| {
                    let mut stream = TcpStream::connect(address)?;
                    for round in 0..rounds {
                        let text = format!("{client} asks {round}");
                        assert_eq!(ask(&mut stream, &text)?, text);
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                });
            }
            Ok(())
        })?;
        server.cancel_and_join()
    })
    .unwrap();
    assert_eq!(answers.into_inner(), clients * rounds);
    assert!(!threads.into_inner().unwrap().is_empty());
}

#[test]
fn an_echo_server_on_the_loop() {
    serve(None, 10, 100);
}

#[test]
fn an_echo_server_on_the_pool_with_many_clients() {
    serve(Some(Dispatchers::default()), 400, 10);
}

#[test]
fn an_echo_server_on_io() {
    serve(Some(Dispatchers::io()), 20, 20);
}

#[test]
fn plain_threads_use_the_same_sockets() {
    let _watchdog = Watchdog::new();
    let (mut one, two) = pair();
    let server = std::thread::spawn(move || echo(two));
    assert_eq!(
        ask(&mut one, "no coroutine far and wide").unwrap(),
        "no coroutine far and wide"
    );
    drop(one);
    server.join().unwrap().unwrap();
}

#[test]
fn a_socket_outlives_the_loop_that_first_used_it() {
    let _watchdog = Watchdog::new();
    let listener = run_blocking(|_| Ok(TcpListener::bind("127.0.0.1:0")?)).unwrap();
    let address = listener.local_addr().unwrap();
    let (mut client, mut server) = run_blocking(|s| {
        let client = s.async_(move |_| Ok(TcpStream::connect(address)?));
        let (server, _) = listener.accept()?;
        Ok((client.await_()?, server))
    })
    .unwrap();
    for round in 0..3 {
        let text = format!("loop {round}");
        run_blocking(|s| {
            s.launch(|_| {
                let mut buffer = [0; 64];
                let count = server.read(&mut buffer)?;
                server.write_all(&buffer[..count])?;
                Ok(())
            });
            yield_()?;
            assert_eq!(ask(&mut client, &text)?, text);
            Ok(())
        })
        .unwrap();
    }
    // And on a thread of its own, without a loop.
    let other = std::thread::spawn(move || echo(server));
    assert_eq!(ask(&mut client, "a thread").unwrap(), "a thread");
    drop(client);
    other.join().unwrap().unwrap();
}

#[test]
fn one_coroutine_reads_while_another_writes() {
    const BYTES: usize = 16 << 20;
    let (one, two) = pair();
    in_time(|| {
        coroutine_scope(|s| {
            for stream in [&one, &two] {
                s.launch(move |_| {
                    let mut writer = stream;
                    let chunk = [7u8; 50_000];
                    let mut left = BYTES;
                    while left > 0 {
                        left -= writer.write(&chunk[..left.min(chunk.len())])?;
                    }
                    Ok(stream.shutdown(Shutdown::Write)?)
                });
                s.launch(move |_| {
                    let (mut reader, mut buffer, mut sum) = (stream, vec![0; 70_000], 0);
                    loop {
                        match reader.read(&mut buffer)? {
                            0 => break,
                            count => {
                                assert!(buffer[..count].iter().all(|byte| *byte == 7));
                                sum += count;
                            }
                        }
                    }
                    assert_eq!(sum, BYTES);
                    Ok(())
                });
            }
            Ok(())
        })
    })
    .unwrap();
}

/// Cancels `waits` while it waits, and looks at the error that it gets.
fn cancelled_while_it_waits(waits: impl FnOnce() -> std::io::Result<()> + Send) {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let error = waits().unwrap_err();
            assert!(is_cancellation(&error), "{error:?}");
            assert!(Error::from(error).is_cancelled());
            Ok(())
        });
        yield_()?;
        assert!(job.is_active());
        job.cancel_and_join()
    })
    .unwrap();
}

#[test]
fn accept_read_and_write_are_cancelled_with_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    cancelled_while_it_waits(|| listener.accept().map(drop));
    let (one, two) = pair();
    cancelled_while_it_waits(|| (&one).read(&mut [0; 8]).map(drop));
    // Kept trying for ever if a cancellation were reported as an interruption.
    cancelled_while_it_waits(|| (&one).read_exact(&mut [0; 8]));
    cancelled_while_it_waits(|| (&two).write_all(&vec![0; 64 << 20]));
}

#[test]
fn a_cancelled_coroutine_does_not_touch_its_socket() {
    let _watchdog = Watchdog::new();
    let (mut one, two) = pair();
    one.write_all(b"ready").unwrap();
    run_blocking(|s| {
        let job = s.launch(|s| {
            s.cancel();
            let error = (&two).read(&mut [0; 8]).unwrap_err();
            assert!(is_cancellation(&error));
            Ok(())
        });
        job.join()?;
        assert!(job.is_cancelled());
        Ok(())
    })
    .unwrap();
    let mut buffer = [0; 5];
    (&two).read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"ready");
}

#[test]
fn a_cancellation_that_a_library_hid_still_counts_as_one() {
    let _watchdog = Watchdog::new();
    let (_one, two) = pair();
    run_blocking(|s| {
        let job = s.launch(|_| {
            let mut lines = BufReader::new(&two).lines();
            match lines.next() {
                Some(Ok(line)) => panic!("nobody sends anything, but here is {line:?}"),
                _ => Err(Error::msg("the library's own words")),
            }
        });
        yield_()?;
        job.cancel_and_join()?;
        assert!(job.cause().unwrap().is_cancelled());
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_read_under_a_timeout_ends_with_the_timeout() {
    let _watchdog = Watchdog::new();
    let (_one, two) = pair();
    let ended: Result<usize> = with_timeout(ms(10), |_| Ok((&two).read(&mut [0; 8])?));
    assert!(ended.unwrap_err().is_timeout());
}

#[test]
fn the_peers_end_and_the_peers_reset_are_told_apart() {
    in_time(|| {
        let (one, mut two) = pair();
        one.shutdown(Shutdown::Write)?;
        assert_eq!(two.read(&mut [0; 8])?, 0);
        two.write_all(b"still open this way")?;
        let mut text = String::new();
        drop(two);
        (&one).read_to_string(&mut text)?;
        assert_eq!(text, "still open this way");

        let (mut one, two) = pair();
        one.write_all(b"unread, so closing resets the connection")?;
        two.peek(&mut [0])?;
        drop(two);
        let error = one.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        // No signal ends the process.
        let error = one.write(b"nobody there").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_cannot_be_bound_or_connected_says_so() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        assert_eq!(
            TcpListener::bind(address).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        drop(listener);
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        assert!(TcpStream::connect("no-such-name.invalid:80").is_err());
        assert!(TcpStream::connect("not an address").is_err());
        let none: &[std::net::SocketAddr] = &[];
        assert_eq!(
            TcpStream::connect(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn names_are_resolved_in_coroutines() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let listener = TcpListener::bind(("localhost", 0))?;
        let port = listener.local_addr()?.port();
        let client = s.async_(move |_| Ok(TcpStream::connect(format!("localhost:{port}"))?));
        let (_server, address) = listener.accept()?;
        assert_eq!(client.await_()?.local_addr()?, address);
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_readers_share_a_stream() {
    let _watchdog = Watchdog::new();
    let (mut one, two) = pair();
    run_blocking(|s| {
        let count = AtomicUsize::new(0);
        coroutine_scope(|inner| {
            for _ in 0..2 {
                inner.launch(|_| {
                    let mut byte = [0; 1];
                    (&two).read_exact(&mut byte)?;
                    count.fetch_add(usize::from(byte[0]), Ordering::Relaxed);
                    Ok(())
                });
            }
            yield_()?;
            one.write_all(&[3])?;
            one.write_all(&[4])?;
            Ok(())
        })?;
        assert_eq!(count.into_inner(), 7);
        assert!(s.is_active());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_descriptor_number_that_is_used_again_starts_afresh() {
    in_time(|| {
        let (a, b) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for round in 0..200 {
            let (mut one, mut two) = pair();
            coroutine_scope(|s| {
                s.builder().dispatcher(Dispatchers::default()).launch(|_| {
                    let mut byte = [0];
                    two.read_exact(&mut byte)?;
                    a.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
                if round % 2 == 0 {
                    yield_()?;
                }
                one.write_all(b"x")?;
                b.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })?;
            // The registration belongs to a worker; here it is dropped on another thread.
            drop(two);
        }
        assert_eq!((a.into_inner(), b.into_inner()), (200, 200));
        Ok(())
    })
    .unwrap();
}
