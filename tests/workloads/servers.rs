//! The two servers, as their clients see them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::program::{run, text, workloads};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
/// Only a failure waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, killed when dropped.
#[derive(Debug)]
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = workloads(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.strip_prefix("LISTENING ").expect(&line);
        let port = port.trim_end().parse().unwrap();
        Self { child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits for its end, once nothing keeps it any longer.
    fn ends(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads exactly this.
fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).unwrap();
    assert!(read == bytes, "{}", String::from_utf8_lossy(&read));
}

/// Reads the end of the stream.
fn expect_end(mut stream: TcpStream) {
    assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn echo_gives_back_what_it_got() {
    let server = Server::start(&["echo_server"]);
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for round in 0..3 {
        for client in &mut clients {
            client.write_all(&[round; 64]).unwrap();
        }
        for client in &mut clients {
            expect(client, &[round; 64]);
        }
    }
    // More than its buffer holds, and the end of one direction only.
    let long: Vec<u8> = (0..20_000_u32).map(|i| i as u8).collect();
    let mut client = clients.pop().unwrap();
    client.write_all(&long).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    expect(&mut client, &long);
    expect_end(client);
}

#[test]
fn http_answers_each_request_however_it_is_cut() {
    let server = Server::start(&["http_server"]);
    let mut client = server.connect();
    client.write_all(REQUEST).unwrap();
    expect(&mut client, ANSWER);
    // Two and a half at once, then the rest.
    let (half, rest) = REQUEST.split_at(20);
    client
        .write_all(&[REQUEST, REQUEST, half].concat())
        .unwrap();
    expect(&mut client, &[ANSWER, ANSWER].concat());
    client.write_all(rest).unwrap();
    expect(&mut client, ANSWER);
    client.shutdown(Shutdown::Write).unwrap();
    expect_end(client);
}

#[test]
fn http_closes_on_what_is_no_request() {
    let server = Server::start(&["http_server"]);
    let mut client = server.connect();
    client.write_all(b"\0\0\r\n\r\n").unwrap();
    expect_end(client);
    let mut other = server.connect();
    other.write_all(REQUEST).unwrap();
    expect(&mut other, ANSWER);
}

#[test]
fn a_server_ends_with_its_standard_input_and_drops_its_clients() {
    for name in ["echo_server", "http_server"] {
        let mut server = Server::start(&[name]);
        let client = server.connect();
        drop(server.child.stdin.take());
        server.ends();
        expect_end(client);
    }
}

#[test]
fn a_server_ends_when_its_time_is_over() {
    Server::start(&["echo_server", "--secs", "1"]).ends();
}

#[test]
fn a_server_takes_the_port_that_it_is_told_or_none() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["echo_server", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let problem = text(&output.stderr);
    assert!(problem.contains("in use"), "{problem}");
}
