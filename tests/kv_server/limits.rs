//! What one client may demand, and what happens when there is no more to give.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::client::{Client, Reply, error, ok, words};
use crate::server::{Server, until};

#[test]
fn an_endless_line_is_cut_off() {
    let server = Server::start();
    for (start, told) in [
        ("", "too big inline request"),
        ("*", "too big mbulk count string"),
        ("*1\r\n$", "too big bulk count string"),
    ] {
        let mut client = server.connect();
        // More than the limit, and more than it takes to notice: the reply must survive what was not read.
        let flood = [start.as_bytes(), &[b'1'; 400 * 1024]].concat();
        let mut writer = client.stream().try_clone().unwrap();
        thread::scope(|scope| {
            // The server may close before it has taken all.
            scope.spawn(move || writer.write_all(&flood));
            let expected = error(&format!("ERR Protocol error: {told}"));
            assert_eq!(client.reply(), expected, "{start:?}");
            client.assert_closed();
        });
        server.assert_alive();
    }
}

#[test]
fn a_line_of_the_longest_allowed_length_is_understood() {
    let server = Server::start();
    let mut client = server.connect();
    let word = "x".repeat(64 * 1024 - "ECHO ".len());
    client.send(format!("ECHO {word}\n"));
    assert_eq!(client.reply(), Reply::Bulk(word.into_bytes()));
}

#[test]
fn a_declared_length_reserves_no_memory() {
    let server = Server::start();
    server.assert_alive();
    let before = server.resident_memory();
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        // The leading PING tells when it was read.
        client.send("PING\r\n*1048576\r\n$536870912\r\nfew bytes");
        assert_eq!(client.reply(), Reply::Simple("PONG".to_owned()));
    }
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes for 20 requests of 9");
    drop(clients);
    server.assert_alive();
}

#[test]
fn replies_that_nobody_takes_are_not_gathered_in_memory() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(
        client.ask_bytes(&[b"SET", b"large", &[b'x'; 1 << 20]]),
        ok()
    );
    let before = server.resident_memory();
    client.send(words("GET large").repeat(200));
    client.stream().peek(&mut [0]).unwrap();
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}

#[test]
fn no_descriptor_stays_behind() {
    let server = Server::start();
    let mut early: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    // What the server opens once for itself is open after these, and they are gone when it has closed them.
    for client in &mut early {
        client.assert_alive();
    }
    for client in &mut early {
        assert_eq!(client.ask("QUIT"), ok());
        client.assert_closed();
    }
    let before = server.sockets();
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.assert_alive();
    }
    assert!(server.sockets() >= before + 200);
    drop(clients);
    until("all sockets are closed", || {
        (server.sockets() <= before).then_some(())
    });
    server.assert_alive();
}

#[test]
fn a_server_without_descriptors_goes_on_and_does_not_spin() {
    const DESCRIPTORS: usize = 64;
    let server = Server::start_with_descriptors(DESCRIPTORS as libc::rlim_t);
    let mut first: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for client in &mut first {
        client.assert_alive();
    }
    // The kernel completes these connections, whether the server takes them or not.
    let mut queued: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    until("all descriptors are in use", || {
        (server.descriptors_below(DESCRIPTORS) == DESCRIPTORS).then_some(())
    });
    for client in &mut first {
        client.assert_alive();
    }

    let before = server.cpu_time();
    thread::sleep(Duration::from_millis(300));
    let used = server.cpu_time() - before;
    assert!(used < Duration::from_millis(150), "{used:?} of 300 ms");

    // With these gone the rest fits in.
    queued.drain(..90);
    for client in first.iter_mut().chain(&mut queued) {
        client.assert_alive();
    }
    server.assert_alive();
}
