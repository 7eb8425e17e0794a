//! What the benches compare: this library, tokio and may, each in plain use as its documentation shows it.
//!
//! On one thread means: a loop of ours, tokio's `current_thread`, may with one worker. In the pool means two workers: our
//! default dispatcher, tokio's `multi_thread`. May's number of workers is the process's, so it is on one thread always.

// Each bench is a program of its own and uses what it needs.
#![allow(dead_code)]

use std::time::{Duration, Instant};

use switchback::prelude::*;
use tokio::runtime::{Builder, Runtime};

pub const NOTHING_FAILS: &str = "nothing here fails";

/// Takes the time of `work` on a loop.
pub fn on_loop(work: impl FnOnce() -> Result<()>) -> Duration {
    run_blocking(|_| timed(work)).expect(NOTHING_FAILS)
}

/// Takes the time of `work` in the default dispatcher.
pub fn in_pool(work: impl FnOnce() -> Result<()> + Send) -> Duration {
    with_context(Dispatchers::default(), |_| timed(work)).expect(NOTHING_FAILS)
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Tokio on one thread.
pub fn tokio_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect(NOTHING_FAILS)
}

/// Tokio on so many workers.
pub fn tokio_pool(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect(NOTHING_FAILS)
}

/// Takes the time of `work` as a task of `runtime`.
pub fn on_tokio<F>(runtime: &Runtime, work: F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let task = async {
        let start = Instant::now();
        work.await;
        start.elapsed()
    };
    runtime
        .block_on(async { tokio::spawn(task).await })
        .expect(NOTHING_FAILS)
}

/// Takes the time of `work` as a coroutine of may.
pub fn on_may(work: impl FnOnce() + Send + 'static) -> Duration {
    may::config().set_workers(1);
    let coroutine = may::go!(move || {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    coroutine.join().expect(NOTHING_FAILS)
}
