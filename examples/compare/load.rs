//! Clients of the servers: one thread with a coroutine for each connection, which sends a message, waits for the answer, and
//! sends the next.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use switchback::net::TcpStream;
use switchback::prelude::*;

use crate::program::Program;

const WARM_UP: Duration = ms(500);
const MEASURED: Duration = ms(1500);
/// After so long a server answers no more.
const PATIENCE: Duration = ms(30_000);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: compare\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const MESSAGE: &[u8] = &[b'x'; 64];

/// Starts a server, and gives what a request takes: of the server's processor time, and of everybody's time, and how long its
/// client waits at worst, but for one in a hundred. Clients and server share the machine, so the first tells most of the server.
pub fn measure(program: &Program, server: &str, clients: usize) -> Result<Vec<(String, f64)>> {
    let (request, answer) = match server {
        "http_server" => (REQUEST, ANSWER),
        _ => (MESSAGE, MESSAGE),
    };
    let running = Running::start(program, server)?;
    let (cpu, mut waits) = run_blocking(|_| {
        with_timeout(PATIENCE, |s| {
            let mut connections = Vec::new();
            for _ in 0..clients {
                connections.push(TcpStream::connect(("127.0.0.1", running.port))?);
            }
            let begin = Instant::now() + WARM_UP;
            let end = begin + MEASURED;
            let clients: Vec<_> = connections
                .into_iter()
                .map(|stream| s.async_(move |_| ask(stream, request, answer, begin, end)))
                .collect();
            delay(begin - Instant::now())?;
            let before = running.cpu_time()?;
            delay(end - Instant::now())?;
            let cpu = running.cpu_time()?.saturating_sub(before);
            Ok((cpu, await_all(clients)?.concat()))
        })
    })?;
    running.end()?;
    waits.sort_unstable();
    let at_worst = waits
        .get(waits.len() * 99 / 100)
        .ok_or_else(|| Error::msg("no request was answered in time"))?;
    let per_request = |time: Duration| time.as_nanos() as f64 / waits.len() as f64;
    Ok(vec![
        ("server_cpu_ns_per_req".to_owned(), per_request(cpu)),
        ("ns_per_req".to_owned(), per_request(MEASURED)),
        ("p99_us".to_owned(), at_worst.as_secs_f64() * 1e6),
    ])
}

/// One client, up to the end. How long it waited for each answer that it got after the beginning.
fn ask(
    mut stream: TcpStream,
    request: &[u8],
    answer: &[u8],
    begin: Instant,
    end: Instant,
) -> Result<Vec<Duration>> {
    stream.set_nodelay(true)?;
    let mut waits = Vec::new();
    let mut buffer = vec![0; answer.len()];
    let mut asked = Instant::now();
    while asked < end {
        stream.write_all(request)?;
        stream.read_exact(&mut buffer)?;
        if buffer != answer {
            return Err(Error::msg("a wrong answer"));
        }
        let answered = Instant::now();
        if (begin..end).contains(&answered) {
            waits.push(answered - asked);
        }
        asked = answered;
    }
    Ok(waits)
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
