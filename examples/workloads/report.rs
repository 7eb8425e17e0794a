//! What a run has given, and the line that tells it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use switchback::Result;

use crate::clock::{self, Took};

const MOST_WARM_UPS: u32 = 100;

/// What a run has given.
#[derive(Debug)]
pub struct Figures {
    operations: u64,
    ns_per_op: f64,
    cpu_ns_per_op: f64,
    extras: Vec<(&'static str, f64)>,
}

impl Figures {
    /// Of so many operations that took so long.
    pub fn new(operations: u64, took: Took) -> Self {
        Self {
            operations,
            ns_per_op: per(took.wall, operations),
            cpu_ns_per_op: per(took.cpu, operations),
            extras: Vec::new(),
        }
    }

    /// The operations are what CPU time they took, and not how long.
    pub fn by_cpu_time(mut self) -> Self {
        self.ns_per_op = self.cpu_ns_per_op;
        self
    }

    pub fn extra(mut self, name: &'static str, figure: f64) -> Self {
        self.extras.push((name, figure));
        self
    }
}

/// Nanoseconds for each of so many operations.
pub fn per(time: Duration, operations: u64) -> f64 {
    time.as_nanos() as f64 / operations.max(1) as f64
}

/// Repeats `body` until the time is over: at least once, and not without end.
pub fn warm_up(time: Duration, mut body: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    for _ in 0..MOST_WARM_UPS {
        body()?;
        if start.elapsed() >= time {
            break;
        }
    }
    Ok(())
}

/// Prints the line of a run.
pub fn print(peer: &str, workload: &str, figures: &Figures) -> Result<()> {
    let mut line = format!(
        r#"{{"peer":"{peer}","workload":"{workload}","n":{},"ns_per_op":{:.1},"cpu_ns_per_op":{:.1},"rss_kb":{}"#,
        figures.operations,
        figures.ns_per_op,
        figures.cpu_ns_per_op,
        clock::status_kib("VmHWM")?,
    );
    for (name, figure) in &figures.extras {
        write!(line, r#","{name}":{figure:.2}"#)?;
    }
    println!("{line}}}");
    Ok(())
}
