//! What a workload is on tokio.

use std::pin::Pin;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::report::Figures;

/// Something that is measured.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub count: u64,
    pub kind: Kind,
}

pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a workload of that size once. A wrong result panics.
pub type Body = fn(u64) -> Boxed<Figures>;

/// Serves one connection to its end.
pub type Serve = fn(TcpStream) -> Boxed<std::io::Result<()>>;

/// How it is run.
#[derive(Debug)]
pub enum Kind {
    /// Until it is warm, then as often as asked for.
    Repeated(Threads, Body),
    /// Once in a process, after a smaller one of the given size.
    Once(u64, Body),
    Server(Serve),
}

/// The threads on which a workload runs, its parent among them.
#[derive(Clone, Copy, Debug)]
pub enum Threads {
    One,
    Two,
}

impl Threads {
    pub fn runtime(self) -> Runtime {
        let mut builder = match self {
            Threads::One => Builder::new_current_thread(),
            Threads::Two => Builder::new_multi_thread(),
        };
        if matches!(self, Threads::Two) {
            builder.worker_threads(2);
        }
        builder.enable_all().build().expect("a runtime can be made")
    }

    /// Runs `body` there.
    pub fn run<T: Send + 'static>(self, runtime: &Runtime, body: Boxed<T>) -> T {
        match self {
            Threads::One => runtime.block_on(body),
            Threads::Two => runtime
                .block_on(runtime.spawn(body))
                .expect("a right result"),
        }
    }
}
