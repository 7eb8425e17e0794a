//! Much data, and many connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

use crate::child::{in_a_child, in_child};
use crate::watchdog::Watchdog;
use crate::{ask, echo, pair};

const BYTES: usize = 64 << 20;
/// Coprime to every buffer, so that a byte lost or doubled shows.
const PATTERN: usize = 65_521;

/// Two periods of a text in which each place is told from its neighbours.
fn pattern() -> Vec<u8> {
    (0..2 * PATTERN)
        .map(|at| ((at % PATTERN).wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn send_all(mut stream: &TcpStream, pattern: &[u8]) -> Result<()> {
    let mut sent = 0;
    while sent < BYTES {
        let from = sent % PATTERN;
        let most = PATTERN.min(BYTES - sent);
        sent += stream.write(&pattern[from..from + most])?;
    }
    Ok(stream.shutdown(Shutdown::Write)?)
}

fn receive_all(mut stream: &TcpStream, pattern: &[u8]) -> Result<()> {
    let mut buffer = vec![0; PATTERN - 1];
    let mut received = 0;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let from = received % PATTERN;
        assert!(
            buffer[..count] == pattern[from..from + count],
            "wrong at {received}"
        );
        received += count;
    }
    assert_eq!(received, BYTES);
    Ok(())
}

/// The sender can only go on when the echo does, and that only when the receiver takes what comes back.
fn much(dispatcher: Option<Dispatcher>) {
    let _watchdog = Watchdog::new();
    let (one, two) = pair();
    let pattern = pattern();
    run_blocking(|s| {
        crate::with(s.builder(), dispatcher).launch(|_| echo(two));
        s.launch(|_| send_all(&one, &pattern));
        s.launch(|_| receive_all(&one, &pattern));
        Ok(())
    })
    .unwrap();
}

#[test]
fn much_goes_there_and_back_on_one_loop() {
    much(None);
}

#[test]
fn much_goes_there_and_back_between_two_threads() {
    much(Some(Dispatchers::default()));
}

#[test]
fn a_thousand_connections_are_open_at_once() {
    const CONNECTIONS: usize = 1_000;
    let name = "volume::a_thousand_connections_are_open_at_once";
    if !in_child(name) {
        return in_a_child(name);
    }
    let _watchdog = Watchdog::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = AtomicUsize::new(0);
    run_blocking(|s| {
        let server = s
            .builder()
            .dispatcher(Dispatchers::default())
            .launch(|s| -> Result<()> {
                loop {
                    let (stream, _) = listener.accept()?;
                    s.launch(|_| echo(stream));
                }
            });
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            streams.push(TcpStream::connect(address)?);
        }
        // All stay open until each has been answered twice.
        for round in 0..2 {
            coroutine_scope(|s| {
                for (number, stream) in streams.iter_mut().enumerate() {
                    let served = &served;
                    s.launch(move |_| {
                        let text = format!("{number} in round {round}");
                        assert_eq!(ask(stream, &text)?, text);
                        served.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    });
                }
                Ok(())
            })?;
        }
        drop(streams);
        server.cancel_and_join()
    })
    .unwrap();
    assert_eq!(served.into_inner(), 2 * CONNECTIONS);
}
