//! Every operation that waits, cancelled before it begins and while it waits, on every kind of dispatcher; and in the
//! arms of a timeout on a plain thread.

use std::io::{Read, Result as IoResult, Write};

use switchback::io::{Watched, pipe};
use switchback::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::prelude::*;
use switchback::process::Command;
use switchback::signal::{SignalKind, signal};
use switchback::time::interval;

use crate::watchdog::Watchdog;
use crate::{Place, is_cancellation};

/// An operation that waits for ever, with all that it needs.
type Waits = Box<dyn Fn() -> IoResult<()> + Send + Sync>;

/// Fills whatever `write` writes to.
fn fill(mut write: impl FnMut() -> IoResult<usize>) {
    let ended = with_timeout_or_none(ms(100), |_| -> Result<()> {
        loop {
            write()?;
        }
    });
    assert!(ended.unwrap().is_none(), "there was no end to it");
}

fn operations() -> Vec<(&'static str, Waits)> {
    let mut all: Vec<(&'static str, Waits)> = Vec::new();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(udp.local_addr().unwrap()).unwrap();
    let other = udp.try_clone().unwrap();
    all.push(("recv", Box::new(move || udp.recv(&mut [0; 8]).map(drop))));
    let udp = other.try_clone().unwrap();
    all.push((
        "recv_from",
        Box::new(move || udp.recv_from(&mut [0; 8]).map(drop)),
    ));
    let udp = other.try_clone().unwrap();
    all.push(("peek", Box::new(move || udp.peek(&mut [0; 8]).map(drop))));
    all.push((
        "peek_from",
        Box::new(move || other.peek_from(&mut [0; 8]).map(drop)),
    ));

    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    all.push(("accept", Box::new(move || listener.accept().map(drop))));

    let full = Place::new();
    let listener = UnixListener::bind(&full.0).unwrap();
    let queued = std::sync::Mutex::new(Vec::new());
    fill(|| {
        let stream = UnixStream::connect(&full.0)?;
        queued.lock().unwrap().push(stream);
        Ok(1)
    });
    all.push((
        "connect",
        Box::new(move || {
            let _ = (&listener, &queued);
            UnixStream::connect(&full.0).map(drop)
        }),
    ));

    let (one, two) = UnixStream::pair().unwrap();
    all.push((
        "read",
        Box::new(move || {
            let _ = &two;
            (&one).read_exact(&mut [0; 8])
        }),
    ));
    let (one, two) = UnixStream::pair().unwrap();
    fill(|| (&one).write(&[0; 4096]));
    all.push((
        "write",
        Box::new(move || {
            let _ = &two;
            (&one).write_all(&[0; 8])
        }),
    ));

    let (one, two) = UnixDatagram::pair().unwrap();
    all.push((
        "receive a datagram",
        Box::new(move || {
            let _ = &two;
            one.recv(&mut [0; 8]).map(drop)
        }),
    ));
    let (one, two) = UnixDatagram::pair().unwrap();
    fill(|| one.send(&[0; 512]));
    all.push((
        "send a datagram",
        Box::new(move || {
            let _ = &two;
            one.send(&[0; 512]).map(drop)
        }),
    ));
    let place = Place::new();
    let receiver = UnixDatagram::bind(&place.0).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    fill(|| sender.send_to(&[0; 512], &place.0));
    all.push((
        "send a datagram to",
        Box::new(move || {
            let _ = &receiver;
            sender.send_to(&[0; 512], &place.0).map(drop)
        }),
    ));

    let (reader, writer) = pipe().unwrap();
    all.push((
        "read a pipe",
        Box::new(move || {
            let _ = &writer;
            (&reader).read_exact(&mut [0; 8])
        }),
    ));
    let (reader, writer) = pipe().unwrap();
    fill(|| (&writer).write(&[0; 4096]));
    all.push((
        "write a pipe",
        Box::new(move || {
            let _ = &reader;
            (&writer).write_all(&[0; 8])
        }),
    ));

    let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
    let one = Watched::new(one).unwrap();
    all.push((
        "readable",
        Box::new(move || {
            let _ = &two;
            one.readable()
        }),
    ));
    let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    let one = Watched::new(one).unwrap();
    fill(|| one.when_writable(|mut stream| stream.write(&[0; 4096])));
    let one = std::sync::Arc::new(one);
    let again = one.clone();
    all.push((
        "when_writable",
        Box::new(move || {
            let _ = &two;
            again
                .when_writable(|mut stream| stream.write(&[0; 4096]))
                .map(drop)
        }),
    ));
    all.push(("writable", Box::new(move || one.writable())));

    let signals = signal(SignalKind::alarm()).unwrap();
    all.push(("signal", Box::new(move || signals.recv())));

    all.push((
        "status",
        Box::new(|| {
            Command::new("sleep")
                .arg("60")
                .kill_on_drop(true)
                .status()
                .map(drop)
        }),
    ));
    all.push((
        "output",
        Box::new(|| {
            Command::new("sleep")
                .arg("60")
                .kill_on_drop(true)
                .output()
                .map(drop)
        }),
    ));

    all.push((
        "tick",
        Box::new(|| {
            let mut ticks = interval(ms(3_600_000));
            ticks.reset();
            // Its error is the crate's own: as `?` gives it to a function of `std`'s kind.
            ticks.tick().map_err(std::io::Error::from)
        }),
    ));
    all
}

fn dispatchers() -> [(&'static str, Option<Dispatcher>); 3] {
    [
        ("the loop", None),
        ("default", Some(Dispatchers::default())),
        ("io", Some(Dispatchers::io())),
    ]
}

#[test]
fn every_operation_is_cancelled_before_it_does_anything_and_again_and_again() {
    let _watchdog = Watchdog::new();
    for (name, waits) in &operations() {
        for (place, dispatcher) in dispatchers() {
            run_blocking(|s| {
                let mut builder = s.builder();
                if let Some(dispatcher) = dispatcher {
                    builder = builder.dispatcher(dispatcher);
                }
                let job = builder.launch(|s| {
                    s.cancel();
                    for _ in 0..3 {
                        let error = waits().unwrap_err();
                        assert!(is_cancellation(&error), "{name} on {place}: {error:?}");
                    }
                });
                job.join()
            })
            .unwrap();
        }
    }
}

#[test]
fn every_operation_is_cancelled_while_it_waits() {
    let _watchdog = Watchdog::new();
    for (name, waits) in &operations() {
        for (place, dispatcher) in dispatchers() {
            for round in 0..2 {
                run_blocking(|s| {
                    let mut builder = s.builder();
                    if let Some(dispatcher) = dispatcher.clone() {
                        builder = builder.dispatcher(dispatcher);
                    }
                    let (begun, begins) = std::sync::mpsc::channel();
                    let job = builder.launch(move |_| {
                        let _ = begun.send(());
                        let error = waits().unwrap_err();
                        assert!(is_cancellation(&error), "{name} on {place}: {error:?}");
                        assert!(Error::from(error).is_cancelled());
                    });
                    while begins.try_recv().is_err() {
                        yield_()?;
                    }
                    // In the first round at once, whatever it has come to; in the second it surely waits.
                    if round == 1 {
                        delay(ms(5))?;
                        assert!(job.is_active(), "{name} on {place} did not wait");
                    }
                    job.cancel_and_join()
                })
                .unwrap();
            }
        }
    }
}

#[test]
fn every_operation_of_a_plain_thread_ends_with_a_timeout() {
    let _watchdog = Watchdog::new();
    for (name, waits) in &operations() {
        let waited = std::thread::scope(|threads| {
            let thread = threads.spawn(|| with_timeout(ms(5), |_| Ok(waits()?)));
            thread.join().unwrap()
        });
        assert!(waited.unwrap_err().is_timeout(), "{name}");
    }
}

#[test]
fn a_cancellation_keeps_what_has_not_been_taken() {
    let _watchdog = Watchdog::new();
    let (reader, mut writer) = pipe().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    run_blocking(|s| {
        s.launch(|s| {
            writer.write_all(b"piped")?;
            socket.send(b"sent")?;
            s.cancel();
            assert!((&reader).read(&mut [0; 8]).is_err());
            assert!(socket.recv(&mut [0; 8]).is_err());
            Ok(())
        })
        .join()
    })
    .unwrap();
    let mut buffer = [0; 8];
    assert_eq!((&reader).read(&mut buffer).unwrap(), 5);
    assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
}
