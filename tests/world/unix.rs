//! Connections inside the machine.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use switchback::net::{UnixListener, UnixStream};
use switchback::prelude::*;

use crate::Place;
use crate::watchdog::Watchdog;

fn echo(mut stream: UnixStream) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

#[test]
fn an_echo_server_with_more_clients_than_its_queue_holds() {
    const CLIENTS: usize = 300;
    let _watchdog = Watchdog::new();
    for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
        let place = Place::new();
        let listener = UnixListener::bind(&place.0).unwrap();
        run_blocking(|s| {
            coroutine_scope(|s| {
                for client in 0..CLIENTS {
                    let path = &place.0;
                    s.launch(move |_| {
                        let mut stream = UnixStream::connect(path)?;
                        for round in 0..5 {
                            let question = format!("{client} asks {round}");
                            stream.write_all(question.as_bytes())?;
                            let mut answer = vec![0; question.len()];
                            stream.read_exact(&mut answer)?;
                            assert_eq!(answer, question.as_bytes());
                        }
                        Ok(())
                    });
                }
                // The server begins when many are in the queue already.
                yield_()?;
                let server = s.builder().dispatcher(dispatcher);
                server.launch(|s| {
                    for _ in 0..CLIENTS {
                        let (stream, _) = listener.accept()?;
                        s.launch(|_| echo(stream));
                    }
                    Ok(())
                });
                Ok(())
            })?;
            assert!(s.is_active());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn large_volumes_both_ways_at_once_between_a_coroutine_and_a_plain_thread() {
    const BYTES: usize = 32 << 20;
    let _watchdog = Watchdog::new();
    let (one, two) = UnixStream::pair().unwrap();
    let write = |mut stream: &UnixStream| -> Result<()> {
        let chunk: Vec<u8> = (0..50_000).map(|at| (at % 251) as u8).collect();
        let mut left = BYTES;
        while left > 0 {
            left -= stream.write(&chunk[..left.min(chunk.len())])?;
        }
        Ok(stream.shutdown(Shutdown::Write)?)
    };
    let read = |mut stream: &UnixStream| -> Result<usize> {
        let (mut buffer, mut sum) = (vec![0; 70_000], 0);
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(sum),
                count => sum += count,
            }
        }
    };
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| write(&two));
        let reader = threads.spawn(|| read(&two));
        run_blocking(|s| {
            s.launch(|_| write(&one));
            assert_eq!(read(&one)?, BYTES);
            Ok(())
        })
        .unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), BYTES);
    });
}

#[test]
fn closed_peers_and_missing_files_are_told() {
    let _watchdog = Watchdog::new();
    run_blocking(|_| {
        let (mut one, two) = UnixStream::pair()?;
        drop(two);
        assert_eq!(one.read(&mut [0])?, 0);
        assert_eq!(one.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        let place = Place::new();
        let missing = UnixStream::connect(&place.0).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&place.0)?;
        let taken = UnixListener::bind(&place.0).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(listener);
        let refused = UnixStream::connect(&place.0).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    })
    .unwrap();
}

#[test]
fn whoever_waits_learns_that_the_peer_closes() {
    let _watchdog = Watchdog::new();
    let (one, two) = UnixStream::pair().unwrap();
    run_blocking(|s| {
        let readers: Vec<_> = (0..5)
            .map(|_| s.async_(|_| Ok((&one).read(&mut [0; 8])?)))
            .collect();
        yield_()?;
        drop(two);
        for reader in readers {
            assert_eq!(reader.await_()?, 0);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn whoever_waits_learns_that_the_stream_is_shut_down_here() {
    let _watchdog = Watchdog::new();
    for how in [Shutdown::Read, Shutdown::Both] {
        let (one, _two) = UnixStream::pair().unwrap();
        run_blocking(|s| {
            let pool = s.builder().dispatcher(Dispatchers::default());
            let far = pool.async_(|_| Ok((&one).read(&mut [0; 8])?));
            let near = s.async_(|_| Ok((&one).read(&mut [0; 8])?));
            delay(ms(2))?;
            one.shutdown(how)?;
            assert_eq!((far.await_()?, near.await_()?), (0, 0));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn incoming_gives_one_connection_after_another() {
    let _watchdog = Watchdog::new();
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    run_blocking(|s| {
        let clients: Vec<_> = (0..3).map(|_| UnixStream::connect(&place.0)).collect();
        for (client, stream) in clients.into_iter().zip(listener.incoming()) {
            client?.write_all(b"x")?;
            stream?.read_exact(&mut [0])?;
        }
        s.cancel();
        assert!(listener.incoming().next().unwrap().is_err());
        assert!(listener.incoming().next().unwrap().is_err());
        Ok(())
    })
    .unwrap_err();
}

#[test]
fn an_abstract_address_needs_no_file() {
    let _watchdog = Watchdog::new();
    let name = format!("switchback-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    run_blocking(|s| {
        s.launch(|_| echo(listener.accept()?.0));
        let mut stream = UnixStream::connect_addr(&address)?;
        stream.write_all(b"nowhere")?;
        stream.shutdown(Shutdown::Write)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        assert_eq!(text, "nowhere");
        Ok(())
    })
    .unwrap();
}
