//! Who is connected, so that the server can say goodbye.
//!
//! To cancel the connections at shutdown would be too rude: a cancelled coroutine is refused its next write, and the
//! reply to a command that was carried out would be lost. Instead each socket is told that no more will be received.
//! What has arrived can still be read, then comes the end of the stream, and the connection ends as if its client had
//! finished.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use switchback::net::TcpStream;

/// The open connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<TcpStream>>>,
    admitted: AtomicU64,
}

impl Connections {
    /// Enters a connection in the list, where it stays as long as the guest exists.
    pub fn admit(&self, stream: TcpStream) -> Guest<'_> {
        // ORDERING: only a source of distinct numbers.
        let id = self.admitted.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = Arc::new(stream);
        self.lock().insert(id, Arc::clone(&stream));
        Guest {
            id,
            stream,
            connections: self,
        }
    }

    /// Lets every connection come to the end of what it has received.
    pub fn stop_receiving(&self) {
        self.shut_down(Shutdown::Read);
    }

    /// Breaks off the connections that are still there.
    pub fn abandon(&self) {
        self.shut_down(Shutdown::Both);
    }

    fn shut_down(&self, direction: Shutdown) {
        for stream in self.lock().values() {
            // It fails if the client has gone already, which is as well.
            let _ = stream.shutdown(direction);
        }
    }

    /// The lock is held for moments only, never while a coroutine waits.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on the list. Dropping it takes it off and closes the socket.
#[derive(Debug)]
pub struct Guest<'a> {
    id: u64,
    stream: Arc<TcpStream>,
    connections: &'a Connections,
}

impl Guest<'_> {
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}
