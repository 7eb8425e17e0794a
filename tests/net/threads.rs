//! One socket and several threads, loops and descriptor numbers.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

use crate::child::{in_a_child, in_child};
use crate::watchdog::Watchdog;
use crate::{ask, echo, pair};

#[test]
fn a_coroutine_talks_with_a_plain_thread() {
    let _watchdog = Watchdog::new();
    for plain_serves in [false, true] {
        let (mut one, mut two) = pair();
        let text = "from one world to the other";
        if plain_serves {
            let server = thread::spawn(move || echo(two));
            let answer = run_blocking(|s| s.async_(move |_| ask(&mut one, text)).await_());
            assert_eq!(answer.unwrap(), text);
            server.join().unwrap().unwrap();
        } else {
            let client = thread::spawn(move || ask(&mut two, text));
            run_blocking(|s| {
                s.launch(|_| echo(one));
                Ok(())
            })
            .unwrap();
            assert_eq!(client.join().unwrap().unwrap(), text);
        }
    }
}

#[test]
fn a_listener_registered_in_a_loop_that_ended_accepts_in_the_next() {
    let _watchdog = Watchdog::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It waits, and so is registered, in a loop that then ends.
    run_blocking(|s| {
        let job = s.launch(|_| listener.accept().map(drop).map_err(Error::from));
        yield_()?;
        job.cancel_and_join()
    })
    .unwrap();
    let accept_again = || {
        run_blocking(|s| {
            let accepted = s.async_(|_| Ok(listener.accept()?.1));
            yield_()?;
            let stream = TcpStream::connect(address)?;
            assert_eq!(accepted.await_()?, stream.local_addr()?);
            Ok(())
        })
        .unwrap();
    };
    accept_again();
    thread::scope(|threads| threads.spawn(accept_again).join().unwrap());
    accept_again();
}

#[test]
fn a_stream_is_read_on_one_worker_and_written_on_another() {
    const ROUNDS: usize = 2_000;
    let _watchdog = Watchdog::new();
    let (one, two) = pair();
    let server = thread::spawn(move || echo(two));
    let (reader, writer) = run_blocking(|s| {
        let reader = s.builder().dispatcher(Dispatchers::io()).async_(|_| {
            let mut message = [0; 8];
            for round in 0..ROUNDS {
                (&one).read_exact(&mut message)?;
                assert_eq!(usize::from_le_bytes(message), round);
            }
            Ok(thread::current().id())
        });
        let writer = s.builder().dispatcher(Dispatchers::default()).async_(|_| {
            for round in 0..ROUNDS {
                (&one).write_all(&round.to_le_bytes())?;
            }
            Ok(thread::current().id())
        });
        Ok((reader.await_()?, writer.await_()?))
    })
    .unwrap();
    assert_ne!(reader, writer);
    drop(one);
    server.join().unwrap().unwrap();
}

#[test]
fn readers_on_the_loop_on_a_worker_and_on_a_plain_thread_share_a_stream() {
    const BYTES: usize = 3_000;
    let _watchdog = Watchdog::new();
    let (mut one, two) = pair();
    let read = AtomicUsize::new(0);
    let until_the_end = || -> Result<()> {
        let mut byte = [0];
        while (&two).read(&mut byte)? > 0 {
            read.fetch_add(usize::from(byte[0]), Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|threads| {
        let plain = threads.spawn(until_the_end);
        run_blocking(|s| {
            s.launch(|_| until_the_end());
            s.builder()
                .dispatcher(Dispatchers::default())
                .launch(|_| until_the_end());
            for _ in 0..BYTES {
                one.write_all(&[1])?;
                yield_()?;
            }
            Ok(one.shutdown(std::net::Shutdown::Write)?)
        })
        .unwrap();
        plain.join().unwrap().unwrap();
    });
    assert_eq!(read.into_inner(), BYTES);
}

/// Registers a stream on a worker, and drops it on a plain thread.
#[test]
fn a_stream_is_dropped_on_another_thread_than_the_one_that_registered_it() {
    let _watchdog = Watchdog::new();
    for _ in 0..200 {
        let (mut one, two) = pair();
        let two = run_blocking(|s| {
            let reader = s
                .builder()
                .dispatcher(Dispatchers::default())
                .async_(move |_| {
                    (&two).read_exact(&mut [0])?;
                    Ok(two)
                });
            one.write_all(b"x")?;
            reader.await_()
        })
        .unwrap();
        thread::spawn(move || drop(two)).join().unwrap();
        // It is closed: the end, or a reset if the byte crossed it.
        assert!(matches!(one.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
}

/// The descriptor stays open and keeps its number, while its first registration was let go by another thread.
#[test]
fn a_stream_given_back_on_another_thread_can_be_registered_again() {
    let _watchdog = Watchdog::new();
    let (mut one, two) = pair();
    run_blocking(|_| {
        let mut two = two.into_std()?;
        for _ in 0..3 {
            let stream = TcpStream::from_std(two)?;
            coroutine_scope(|s| {
                s.launch(|_| Ok((&stream).read_exact(&mut [0])?));
                yield_()?;
                Ok(one.write_all(b"x")?)
            })?;
            two = thread::spawn(|| stream.into_std()).join().unwrap()?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_edge_of_a_closed_socket_is_not_taken_for_one_of_its_successor() {
    let name = "threads::an_edge_of_a_closed_socket_is_not_taken_for_one_of_its_successor";
    if !in_child(name) {
        return in_a_child(name);
    }
    let mut numbers = HashSet::new();
    let mut reused = 0;
    run_blocking(|_| {
        for round in 0..100u8 {
            let (mut one, two) = pair();
            reused += usize::from(!numbers.insert(two.as_raw_fd()));
            coroutine_scope(|s| {
                let reader = s.async_(|_| {
                    let mut byte = [0];
                    (&two).read_exact(&mut byte)?;
                    Ok(byte[0])
                });
                yield_()?;
                // The edges of the predecessor's last data and end are still to come, or lost with it.
                assert!(reader.job().is_active());
                one.write_all(&[round])?;
                assert_eq!(reader.await_()?, round);
                Ok(())
            })?;
            one.write_all(b"never read")?;
            drop(one);
            drop(two);
        }
        Ok(())
    })
    .unwrap();
    assert!(reused > 90, "{reused} numbers were used again");
}

#[test]
fn no_descriptor_is_left_behind() {
    let name = "threads::no_descriptor_is_left_behind";
    if !in_child(name) {
        return in_a_child(name);
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let work = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        run_blocking(|s| {
            let server = s.launch(|s| -> Result<()> {
                for stream in listener.incoming() {
                    let stream = stream?;
                    s.launch(|_| echo(stream));
                }
                Ok(())
            });
            for _ in 0..50 {
                let mut stream = TcpStream::connect(address)?;
                let mut clone = stream.try_clone()?;
                assert_eq!(ask(&mut stream, "one")?, "one");
                assert_eq!(ask(&mut clone, "two")?, "two");
                clone.into_std()?.set_nonblocking(true)?;
            }
            // A connection that is given up, and one that is refused.
            let given_up = s.launch(|_| listener_never_answers().map(drop));
            yield_()?;
            given_up.cancel_and_join()?;
            let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            assert!(TcpStream::connect(nobody).is_err());
            server.cancel_and_join()
        })
        .unwrap();
    };
    // The thread's own eventfd and epoll are made once.
    work();
    let before = open();
    for _ in 0..5 {
        work();
    }
    assert_eq!(open(), before);
}

/// Reads from a connection on which nobody sends.
fn listener_never_answers() -> Result<TcpStream> {
    let (_one, two) = pair();
    (&two).read_exact(&mut [0])?;
    Ok(two)
}

#[test]
fn sockets_may_be_sent_and_shared() {
    fn is_free<T: Send + Sync>(_: &T) {}
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    is_free(&listener);
    is_free(&listener.incoming());
    is_free(&pair());
}
