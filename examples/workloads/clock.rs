//! Clocks and memory, as the system counts them.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use switchback::{Error, Result};

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub wall: Duration,
    /// Of all threads of the process, in the kernel too.
    pub cpu: Duration,
}

/// Runs from where it is made.
#[derive(Debug)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self {
            cpu: process_cpu_time(),
            wall: Instant::now(),
        }
    }

    pub fn took(&self) -> Took {
        Took {
            wall: self.wall.elapsed(),
            cpu: process_cpu_time().saturating_sub(self.cpu),
        }
    }
}

fn process_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A field of the status of the process that is given in KiB, such as `VmRSS`.
pub fn status_kib(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let figure = status.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then(|| value.split_whitespace().next())?
    });
    let figure = figure.ok_or_else(|| Error::msg(format!("the status has no {field}")))?;
    Ok(figure.parse()?)
}
