//! Servers: a task for each connection.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::http::{ANSWER, head_length};
use crate::workload::{Kind, Serve, Threads, Workload};

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "echo_server",
        count: 0,
        kind: Kind::Server(|stream| Box::pin(echo(stream))),
    },
    Workload {
        name: "http_server",
        count: 0,
        kind: Kind::Server(|stream| Box::pin(answer_requests(stream))),
    },
];

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
const BUFFER: usize = 4096;
/// How long to wait with the next client after one could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until standard input is closed or the time is over.
pub fn run(port: u16, limit: Duration, serve: Serve) -> io::Result<()> {
    let (tell, told) = oneshot::channel::<()>();
    thread::spawn(|| {
        // However it ends, it has ended.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(tell);
    });
    let served = async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        // To listen again on a socket that listens only changes the length of its queue.
        rustix::net::listen(&listener, BACKLOG)?;
        println!("LISTENING {}", listener.local_addr()?.port());
        tokio::spawn(accept_for_ever(listener, serve));
        // Either ends it: the time, or the other thread.
        let _ = timeout(limit, told).await;
        Ok(())
    };
    Threads::Two.run(&Threads::Two.runtime(), Box::pin(served))
}

/// Gives each client a task of its own.
async fn accept_for_ever(listener: TcpListener, serve: Serve) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    serve(stream).await
                });
            }
            // Most likely no descriptor is left, and one has to be closed first.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Writes back what each read brings.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

/// Answers the requests that each read completes, together.
async fn answer_requests(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut filled = 0;
    let mut answers = Vec::new();
    loop {
        let length = stream.read(&mut buffer[filled..]).await?;
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
            stream.write_all(&answers).await?;
            answers.clear();
        }
    }
}
