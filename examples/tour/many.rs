//! A coroutine that waits costs one page of memory, so there is no need to be sparing with them.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use switchback::prelude::*;

use crate::output::{grouped, row, time};

const COUNT: u64 = 10_000;

/// The memory that this process really uses, in KiB.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.unwrap_or("0").parse()?)
}

pub fn stop() -> Result<()> {
    let asleep = AtomicU64::new(0);
    let woken = AtomicU64::new(0);
    let memory_before = resident()?;
    let start = Instant::now();

    run_blocking(|s| {
        for _ in 0..COUNT {
            s.launch(|_| {
                asleep.fetch_add(1, Ordering::Relaxed);
                delay(ms(500))?;
                woken.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        }
        // The loop of this thread runs them in order; we are behind the last one.
        yield_()?;
        assert_eq!(asleep.load(Ordering::Relaxed), COUNT);
        let started = start.elapsed();
        let memory = resident()?.saturating_sub(memory_before) as f64;

        row("coroutines that sleep for 500 ms at once", grouped(COUNT));
        row(
            "started in",
            format!("{}, {} each", time(started), time(started / COUNT as u32)),
        );
        row(
            "memory",
            format!(
                "{:.0} MiB, {:.1} KiB each",
                memory / 1024.0,
                memory / COUNT as f64
            ),
        );
        Ok(())
    })?;

    let took = start.elapsed();
    assert_eq!(woken.load(Ordering::Relaxed), COUNT);
    assert!(took >= ms(500));
    row("all of them ended after", time(took));
    Ok(())
}
