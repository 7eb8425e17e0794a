//! How the server ends.

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{Client, Reply, bulk, ok, words};
use crate::server::Server;

#[test]
fn termination_with_idle_clients_is_prompt() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut server = Server::start();
        let mut clients: Vec<Client> = (0..50).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.assert_alive();
        }
        // Half a request counts as idle: it will never be whole.
        clients[0].send("*2\r\n$3\r\nGET\r\n$1");
        let start = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        let taken = start.elapsed();
        // Sooner than the time that clients get to take their replies: these have none to take.
        assert!(taken < Duration::from_secs(1), "{taken:?}");
        for client in &mut clients {
            client.assert_closed();
        }
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    }
}

#[test]
fn termination_before_any_client_is_prompt() {
    let mut server = Server::start();
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn requests_received_before_termination_are_answered() {
    const REQUESTS: i64 = 1000;
    let mut server = Server::start();
    let mut idle = server.connect();
    idle.assert_alive();
    let mut busy: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut busy {
        client.assert_alive();
    }
    for client in &mut busy {
        client.send(words("INCR counter").repeat(REQUESTS as usize));
    }
    server.signal(libc::SIGTERM);
    let mut highest = 0;
    for client in &mut busy {
        for _ in 0..REQUESTS {
            match client.reply() {
                Reply::Integer(value) => highest = highest.max(value),
                other => panic!("{other:?}"),
            }
        }
        client.assert_closed();
    }
    assert_eq!(highest, REQUESTS * 8);
    idle.assert_closed();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_reply_that_is_on_its_way_at_termination_arrives_whole() {
    const COPIES: usize = 20;
    let mut server = Server::start();
    let mut client = server.connect();
    let large = vec![b'x'; 1 << 20];
    assert_eq!(client.ask_bytes(&[b"SET", b"large", &large]), ok());
    // The replies exceed the buffers, so the server waits in the midst of its write.
    client.send(words("GET large").repeat(COPIES));
    client.stream().peek(&mut [0]).unwrap();
    server.signal(libc::SIGTERM);
    for _ in 0..COPIES {
        assert_eq!(client.reply(), bulk(&large));
    }
    client.assert_closed();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_client_that_never_reads_cannot_hold_up_termination() {
    let mut server = Server::start();
    let mut client = server.connect();
    let large = vec![b'x'; 1 << 20];
    assert_eq!(client.ask_bytes(&[b"SET", b"large", &large]), ok());
    client.send(words("GET large").repeat(100));
    client.stream().peek(&mut [0]).unwrap();
    let start = Instant::now();
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

#[test]
fn a_client_that_never_stops_sending_cannot_hold_up_termination() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.assert_alive();
    let stream = || client.stream().try_clone().unwrap();
    let (reader, closer) = (stream(), stream());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let requests = words("PING").repeat(1000);
            while std::io::Write::write_all(&mut client.stream(), &requests).is_ok() {}
        });
        // The replies are taken, so that only the flood keeps the connection busy.
        scope.spawn(move || std::io::copy(&mut &reader, &mut std::io::sink()));
        server.signal(libc::SIGTERM);
        let status = server.wait();
        // Where nothing more is read, the kernel may take a minute to find out that nobody is there. It fails where it has.
        let _ = closer.shutdown(Shutdown::Both);
        assert_eq!(status.code(), Some(0));
    });
}
