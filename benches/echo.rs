//! What does it cost to serve a connection that echoes? The client is a plain thread, the same for each server; a round
//! is one message there and back on each of its connections.

mod peers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peers::{NOTHING_FAILS, tokio_pool};
use switchback::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MESSAGE: usize = 64;
const BUFFER: usize = 4096;
const ANYWHERE: (&str, u16) = ("127.0.0.1", 0);

/// Copies what comes back to where it came from. The streams of all but tokio are shaped alike.
fn echo(mut stream: impl Read + Write) {
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// Serves in the default dispatcher, as long as the process lives.
fn switchback_server() -> SocketAddr {
    let listener = switchback::net::TcpListener::bind(ANYWHERE).expect(NOTHING_FAILS);
    let address = listener.local_addr().expect(NOTHING_FAILS);
    thread::spawn(move || {
        with_context(Dispatchers::default(), |s| {
            for stream in listener.incoming() {
                let stream = stream?;
                stream.set_nodelay(true)?;
                s.launch(move |_| echo(stream));
            }
            Ok(())
        })
    });
    address
}

fn tokio_server() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    let serve = async move {
        let listener = tokio::net::TcpListener::bind(ANYWHERE)
            .await
            .expect(NOTHING_FAILS);
        tell.send(listener.local_addr()).expect(NOTHING_FAILS);
        loop {
            let (mut stream, _) = listener.accept().await.expect(NOTHING_FAILS);
            stream.set_nodelay(true).expect(NOTHING_FAILS);
            tokio::spawn(async move {
                let mut buffer = [0; BUFFER];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    };
    thread::spawn(|| tokio_pool(2).block_on(async { tokio::spawn(serve).await }));
    told.recv().expect(NOTHING_FAILS).expect(NOTHING_FAILS)
}

fn may_server() -> SocketAddr {
    may::config().set_workers(2);
    let listener = may::net::TcpListener::bind(ANYWHERE).expect(NOTHING_FAILS);
    let address = listener.local_addr().expect(NOTHING_FAILS);
    may::go!(move || {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nodelay(true).expect(NOTHING_FAILS);
            may::go!(move || echo(stream));
        }
    });
    address
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect(NOTHING_FAILS);
    stream.set_nodelay(true).expect(NOTHING_FAILS);
    stream
}

/// Writes to all connections, then reads from all; so many times.
fn rounds(connections: &mut [TcpStream], rounds: u64) -> Duration {
    let start = Instant::now();
    for round in 0..rounds {
        let message = [round as u8; MESSAGE];
        for stream in &mut *connections {
            stream.write_all(&message).expect(NOTHING_FAILS);
        }
        for stream in &mut *connections {
            let mut answer = [0; MESSAGE];
            stream.read_exact(&mut answer).expect(NOTHING_FAILS);
            assert_eq!(answer, message);
        }
    }
    start.elapsed()
}

fn echoes(criterion: &mut Criterion) {
    let servers = [
        ("switchback", switchback_server()),
        ("tokio", tokio_server()),
        ("may", may_server()),
    ];
    for clients in [1, 64] {
        let mut group = criterion.benchmark_group(format!("echo, {clients} at once"));
        group.throughput(Throughput::Elements(clients));
        for (name, server) in servers {
            let mut connections: Vec<_> = (0..clients).map(|_| connect(server)).collect();
            group.bench_function(name, |b| b.iter_custom(|n| rounds(&mut connections, n)));
        }
        group.finish();
    }
}

criterion_group!(benches, echoes);
criterion_main!(benches);
