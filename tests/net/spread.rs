//! Where the connections live that one loop accepts.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use switchback::net::{TcpListener, TcpStream};
use switchback::new_fixed_thread_pool_context;
use switchback::prelude::*;

use crate::child::{in_a_child, in_child};
use crate::watchdog::Watchdog;

const CONNECTIONS: usize = 1000;

/// Which thread has served how many requests of each connection.
type Served = Mutex<HashMap<(usize, ThreadId), usize>>;

/// Serves one byte after another.
fn serve(mut stream: TcpStream, connection: usize, served: &Served) -> Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        let here = std::thread::current().id();
        let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
        *served.entry((connection, here)).or_default() += 1;
        drop(served);
        stream.write_all(&byte)?;
    }
    Ok(())
}

fn ask(stream: &mut std::net::TcpStream) {
    let mut byte = [7];
    stream.write_all(&byte).unwrap();
    stream.read_exact(&mut byte).unwrap();
}

/// Each connection comes when the one before it was served: so there is never more than one to be placed, and the worker
/// with the accepting loop is idle when it comes.
fn spread_over(workers: usize) {
    let _watchdog = Watchdog::new();
    let served = Served::default();
    let pool = new_fixed_thread_pool_context(workers, "served").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    coroutine_scope(|s| {
        let server = s.builder().dispatcher(pool.clone()).launch(|s| {
            for connection in 0..CONNECTIONS {
                let (stream, _) = listener.accept()?;
                let served = &served;
                s.launch(move |_| serve(stream, connection, served));
            }
            Ok(())
        });
        let mut clients = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut client = std::net::TcpStream::connect(address)?;
            ask(&mut client);
            clients.push(client);
        }
        clients.iter_mut().for_each(ask);
        drop(clients);
        server.join()
    })
    .unwrap();

    let served = served.into_inner().unwrap();
    // Both requests of a connection were served in one thread.
    assert_eq!(served.len(), CONNECTIONS);
    assert!(served.values().all(|requests| *requests == 2));
    let mut places: HashMap<ThreadId, usize> = HashMap::new();
    for (_, thread) in served.keys() {
        *places.entry(*thread).or_default() += 1;
    }
    let share = CONNECTIONS / workers;
    assert_eq!(places.len(), workers, "{places:?}");
    assert!(
        places
            .values()
            .all(|count| count.abs_diff(share) <= share / 5),
        "{places:?}"
    );
}

#[test]
fn connections_that_come_slowly_are_spread_over_two_workers() {
    const NAME: &str = "spread::connections_that_come_slowly_are_spread_over_two_workers";
    if in_child(NAME) {
        return spread_over(2);
    }
    in_a_child(NAME);
}

#[test]
fn connections_that_come_slowly_are_spread_over_eight_workers() {
    const NAME: &str = "spread::connections_that_come_slowly_are_spread_over_eight_workers";
    if in_child(NAME) {
        return spread_over(8);
    }
    in_a_child(NAME);
}
