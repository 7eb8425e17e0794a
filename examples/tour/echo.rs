//! Sockets shaped like those of `std::net`, each served by a coroutine that reads and writes in a plain loop.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

use crate::output::{grouped, row, time};

const CLIENTS: u32 = 100;
const MESSAGES: u32 = 100;

fn serve(listener: &TcpListener) -> Result<()> {
    coroutine_scope(|s| {
        for stream in listener.incoming() {
            let stream = stream?;
            s.launch(move |_| echo(stream));
        }
        Ok(())
    })
}

fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = [0; 256];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length])?;
    }
}

fn talk(server: SocketAddr, client: u32) -> Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    for message in 0..MESSAGES {
        let request = format!("message {message} of client {client}");
        stream.write_all(request.as_bytes())?;
        let mut reply = vec![0; request.len()];
        stream.read_exact(&mut reply)?;
        assert_eq!(reply, request.as_bytes());
    }
    Ok(())
}

pub fn stop() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let start = Instant::now();

    coroutine_scope(|s| {
        let server = s.launch(|_| serve(&listener));
        coroutine_scope(|s| {
            for client in 0..CLIENTS {
                s.launch(move |_| talk(address, client));
            }
            Ok(())
        })?;
        server.cancel_and_join()
    })?;

    let took = start.elapsed();
    let requests = u64::from(CLIENTS * MESSAGES);
    let per_second = requests as f64 / took.as_secs_f64();
    row(
        "clients in this process, requests of each",
        format!("{CLIENTS}, {MESSAGES}"),
    );
    row("every reply was right, after", time(took));
    row("requests per second", grouped(per_second as u64));
    Ok(())
}
