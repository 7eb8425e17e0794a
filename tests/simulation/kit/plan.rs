//! What is launched in a run: which jobs, when, and from where.

use std::ops::Range;

use crate::kit::costs;
use crate::kit::random::Random;

/// One coroutine that is launched: it runs, may wait for the world, and runs again on the same worker.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub first: u64,
    /// No second part if it waits for nothing.
    pub wait: u64,
    pub second: u64,
}

impl Job {
    fn short(first: u64) -> Self {
        Self {
            first,
            wait: 0,
            second: 0,
        }
    }

    pub fn work(&self) -> u64 {
        self.first + self.second
    }
}

/// Who launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A thread that is no worker, one for each launch, which has a processor of its own.
    Outside,
    /// A coroutine that lives on this worker.
    Worker(usize),
}

/// At a moment, somebody launches some jobs, one after another.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: u64,
    pub origin: Origin,
    pub jobs: Range<usize>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub jobs: Vec<Job>,
    pub arrivals: Vec<Arrival>,
    /// By how much the last worker is slower than the others.
    pub slowness: u64,
}

impl Plan {
    fn new() -> Self {
        Self {
            jobs: Vec::new(),
            arrivals: Vec::new(),
            slowness: 1,
        }
    }

    /// What nobody could do in less: all workers are always busy, and no job waits.
    pub fn ideal(&self, workers: usize) -> u64 {
        let work: u64 = self.jobs.iter().map(|job| job.work() + costs::START).sum();
        let launches = self.jobs.len() as u64 * costs::LAUNCH;
        let alone = self.arrivals.iter().flat_map(|arrival| {
            arrival.jobs.clone().enumerate().map(|(number, job)| {
                let job = self.jobs[job];
                arrival.at + number as u64 * costs::LAUNCH + job.work() + job.wait
            })
        });
        alone
            .max()
            .unwrap_or(0)
            .max((work + launches) / workers as u64)
    }

    fn add(&mut self, at: u64, origin: Origin, jobs: impl IntoIterator<Item = Job>) {
        let from = self.jobs.len();
        self.jobs.extend(jobs);
        let jobs = from..self.jobs.len();
        self.arrivals.push(Arrival { at, origin, jobs });
    }
}

/// One coroutine launches this many, of 20 us each on average, at once.
pub fn burst(count: usize, random: &mut Random) -> Plan {
    let mut plan = Plan::new();
    let jobs = (0..count).map(|_| Job::short(random.exponential(20_000.0) as u64));
    plan.add(0, Origin::Worker(0), jobs);
    plan
}

/// One coroutine launches this many at once: each runs for 1 us, sleeps for some milliseconds, and runs for 1 us. The last worker's
/// processor has something else to do as well.
pub fn sleepers(count: usize, random: &mut Random) -> Plan {
    let mut plan = Plan::new();
    plan.slowness = 5;
    let jobs = (0..count).map(|_| Job {
        first: random.exponential(1_000.0) as u64,
        wait: (1 + random.below(100)) as u64 * 1_000_000,
        second: 1_000,
    });
    plan.add(0, Origin::Worker(0), jobs);
    plan
}

/// Arrivals that know nothing of each other, at a load in percent. Each runs for 10 us, waits for 500 us, runs for 10 us.
pub fn steady(workers: usize, load: u32, inside: bool, random: &mut Random) -> Plan {
    let mut plan = Plan::new();
    let between = 20_000.0 / workers as f64 * 100.0 / f64::from(load);
    let mut at = 0.0;
    for _ in 0..(workers * 800).max(20_000) {
        at += random.exponential(between);
        let origin = if inside {
            Origin::Worker(random.below(workers))
        } else {
            Origin::Outside
        };
        let job = Job {
            first: random.exponential(10_000.0) as u64,
            wait: random.exponential(500_000.0) as u64 + 1,
            second: random.exponential(10_000.0) as u64,
        };
        plan.add(at as u64, origin, [job]);
    }
    plan
}

/// Bursts from the first worker, at a load of 70 %: every hundredth runs for 1 ms, the others for 10 us.
pub fn skewed(workers: usize, random: &mut Random) -> Plan {
    let mut plan = Plan::new();
    let size = workers * 100;
    let between = (size / workers) as u64 * 19_900 * 10 / 7;
    for number in 0..10 {
        let length = |random: &mut Random| match random.below(100) {
            0 => 1_000_000,
            _ => 10_000,
        };
        let jobs: Vec<Job> = (0..size).map(|_| Job::short(length(random))).collect();
        plan.add(number * between, Origin::Worker(0), jobs);
    }
    plan
}
