//! What a workload is.

use std::num::NonZeroUsize;
use std::thread;

use switchback::net::TcpStream;
use switchback::{Dispatchers, Error, Result, new_fixed_thread_pool_context};
use switchback::{run_blocking, with_context};

use crate::clock::Stopwatch;
use crate::report::Figures;

/// Something that is measured.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub count: u64,
    pub kind: Kind,
}

/// Runs a workload of that size once.
pub type Body = fn(u64) -> Result<Figures>;

/// How it is run.
#[derive(Debug)]
pub enum Kind {
    /// Until it is warm, then as often as asked for.
    Repeated(Place, Body),
    /// Once in a process, after a smaller one of the given size.
    Once(Place, u64, Body),
    /// Serves each connection by this, until it is told to end.
    Server(fn(TcpStream) -> std::io::Result<()>),
}

/// The threads on which a workload runs, its parent among them.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// The calling thread and its event loop.
    Loop,
    /// Two workers.
    Pool,
}

const WORKERS: usize = 2;

impl Place {
    /// Runs `body` there; all that it launches runs there too.
    pub fn run(self, body: impl FnOnce() -> Result<()> + Send) -> Result<()> {
        match self {
            Place::Loop => run_blocking(|_| body()),
            Place::Pool if has_two_cores() => with_context(Dispatchers::default(), |_| body()),
            Place::Pool => {
                let pool = new_fixed_thread_pool_context(WORKERS, "workers")?;
                with_context(&pool, |_| body())
            }
        }
    }
}

/// Whether the default dispatcher has as many workers as a workload is to have.
fn has_two_cores() -> bool {
    thread::available_parallelism().map_or(1, NonZeroUsize::get) <= WORKERS
}

/// The result of a workload must be this.
pub fn check<N: PartialEq + std::fmt::Display>(what: &str, is: N, must_be: N) -> Result<()> {
    if is == must_be {
        Ok(())
    } else {
        Err(Error::msg(format!("{what}: {is}, not {must_be}")))
    }
}

/// Takes the time of a body that gives the number of its operations.
pub fn timed(body: impl FnOnce() -> Result<u64>) -> Result<Figures> {
    let watch = Stopwatch::start();
    let operations = body()?;
    Ok(Figures::new(operations, watch.took()))
}
