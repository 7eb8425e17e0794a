//! Servers: a coroutine for each connection, which reads and writes as if its calls blocked.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

use crate::http::{ANSWER, head_length};
use crate::workload::{Kind, Place, Workload};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "echo_server",
        count: 0,
        kind: Kind::Server(echo),
    },
    Workload {
        name: "http_server",
        count: 0,
        kind: Kind::Server(answer_requests),
    },
];

/// How many connections may wait to be accepted: a thousand clients come at once, and the usual queue holds 128.
const BACKLOG: i32 = 4096;
const BUFFER: usize = 4096;
/// How long to wait with the next client after one could not be accepted.
const ACCEPT_PAUSE: Duration = ms(20);
/// What serves one connection to its end.
pub type Serve = fn(TcpStream) -> io::Result<()>;

/// Serves until standard input is closed or the time is over.
pub fn run(port: u16, limit: Duration, serve: Serve) -> Result<()> {
    Place::Pool.run(|| {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        // To listen again on a socket that listens only changes the length of its queue.
        rustix::net::listen(&listener, BACKLOG)?;
        println!("LISTENING {}", listener.local_addr()?.port());
        supervisor_scope(|s| {
            let server = s.launch(|s| accept_for_ever(s, &listener, serve));
            with_timeout_or_none(limit, |_| await_end_of_input())?;
            server.cancel_and_join()
        })
    })
}

/// Gives each client a coroutine of its own, until cancelled.
fn accept_for_ever<'scope>(
    s: &'scope Scope<'scope, '_>,
    listener: &TcpListener,
    serve: Serve,
) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                s.launch(move |_| {
                    // How a client goes is its own business, and the end of the server is the end of all.
                    let _ = stream.set_nodelay(true).and_then(|()| serve(stream));
                });
            }
            // Most likely no descriptor is left, and one has to be closed first.
            Err(_) => delay(ACCEPT_PAUSE)?,
        }
    }
}

/// Waits until standard input is closed. A read of it cannot be cancelled, so a thread does it that nobody waits for.
fn await_end_of_input() -> Result<()> {
    suspend_cancellable_coroutine(|continuation| {
        thread::spawn(|| {
            let ended = io::copy(&mut io::stdin(), &mut io::sink());
            continuation.resume_with(ended.map(drop).map_err(Error::from));
        });
    })
}

/// Writes back what each read brings.
fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length])?;
    }
}

/// Answers the requests that each read completes, together.
fn answer_requests(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut filled = 0;
    let mut answers = Vec::new();
    loop {
        let length = stream.read(&mut buffer[filled..])?;
        if length == 0 {
            // The client has gone, or its request is longer than the buffer.
            return Ok(());
        }
        filled += length;
        let mut parsed = 0;
        while let Some(length) = head_length(&buffer[parsed..filled])? {
            parsed += length;
            answers.extend_from_slice(ANSWER);
        }
        buffer.copy_within(parsed..filled, 0);
        filled -= parsed;
        if !answers.is_empty() {
            stream.write_all(&answers)?;
            answers.clear();
        }
    }
}
