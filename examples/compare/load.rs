//! Clients of the servers: a plain thread, on which a round is a message on each connection and the answer to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use switchback::{Error, Result, ms};

use crate::program::Program;

const WARM_UP: Duration = ms(300);
const MEASURED: Duration = ms(1500);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: compare\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const MESSAGE: &[u8] = &[b'x'; 64];

/// Starts a server, and gives what a request takes: of the server's processor time, and of everybody's time. Client and
/// server share the machine, so the first tells more of the server.
pub fn measure(program: &Program, server: &str, clients: usize) -> Result<Vec<(String, f64)>> {
    let (request, answer) = match server {
        "http_server" => (REQUEST, ANSWER),
        _ => (MESSAGE, MESSAGE),
    };
    let running = Running::start(program, server)?;
    let mut connections = Vec::new();
    for _ in 0..clients {
        let stream = TcpStream::connect(("127.0.0.1", running.port))?;
        stream.set_nodelay(true)?;
        connections.push(stream);
    }
    rounds(&mut connections, request, answer, WARM_UP)?;
    let cpu = running.cpu_time()?;
    let start = Instant::now();
    let requests = rounds(&mut connections, request, answer, MEASURED)?;
    let wall = start.elapsed();
    let cpu = running.cpu_time()?.saturating_sub(cpu);
    running.end()?;
    let per_request = |time: Duration| time.as_nanos() as f64 / requests as f64;
    Ok(vec![
        ("server_cpu_ns_per_req".to_owned(), per_request(cpu)),
        ("ns_per_req".to_owned(), per_request(wall)),
    ])
}

/// Goes on for so long, and gives the number of requests.
fn rounds(
    connections: &mut [TcpStream],
    request: &[u8],
    answer: &[u8],
    time: Duration,
) -> Result<u64> {
    let mut buffer = vec![0; answer.len()];
    let mut requests = 0;
    let start = Instant::now();
    while start.elapsed() < time {
        for stream in &mut *connections {
            stream.write_all(request)?;
        }
        for stream in &mut *connections {
            stream.read_exact(&mut buffer)?;
            if buffer != answer {
                return Err(Error::msg("a wrong answer"));
            }
            requests += 1;
        }
    }
    Ok(requests)
}

/// A server that runs, and is killed when dropped.
#[derive(Debug)]
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    fn start(program: &Program, server: &str) -> Result<Self> {
        let mut child = program
            .command()
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let port = line
            .strip_prefix("LISTENING ")
            .ok_or_else(|| Error::msg(format!("{server} does not listen")))?;
        let port = port.trim_end().parse()?;
        Ok(Self { child, port })
    }

    /// What its threads have used so far. They all live as long as it does.
    fn cpu_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let usage = fs::read_to_string(thread?.path().join("schedstat"))?;
            let used = usage.split_whitespace().next().unwrap_or_default();
            nanoseconds += used.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Closes its standard input, and waits for its end.
    fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::msg(format!("the server ended with {status}")))
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
