//! What each operation costs, with 10 to 1 000 000 coroutines: processor's time of the whole process, and memory.
//!
//! Each point comes from processes of its own, in which nothing else has run: this program, started again. Ours and tokio's
//! take turns, several times. A process does its batch again and again for a while, so with few coroutines what it tells is
//! the median of many batches; the first one is told apart, as it takes memory that was never used before.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::peers::{NOTHING_FAILS, tokio_pool};
use crate::plot::{self, Curve, Panel};
use crate::samples::{Samples, short, spaced};
use crate::{Options, ours, tokios};

/// The argument by which this program knows that it is to measure one point.
pub const POINT: &str = "point";

/// How long a process goes on with its batches.
const LONG_ENOUGH: Duration = Duration::from_millis(200);
const PEERS: [&str; 2] = ["switchback", "tokio"];

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Finish,
    Park,
    Cancel,
    Yield,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Finish, "finish"),
    (Kind::Park, "park"),
    (Kind::Cancel, "cancel"),
    (Kind::Yield, "yield"),
];

/// What is told of it.
#[derive(Debug)]
struct Row {
    title: &'static str,
    unit: &'static str,
    kind: Kind,
    /// Which of the figures of its process it is.
    figure: usize,
}

const fn row(title: &'static str, unit: &'static str, kind: Kind, figure: usize) -> Row {
    Row {
        title,
        unit,
        kind,
        figure,
    }
}

const ROWS: [Row; 7] = [
    row("launch and finish", "ns", Kind::Finish, 0),
    row("start and park", "ns", Kind::Park, 0),
    row("start and park, for the first time", "ns", Kind::Park, 2),
    row("wake and finish", "ns", Kind::Park, 1),
    row("memory of a parked one", "B", Kind::Park, 3),
    row("cancel", "ns", Kind::Cancel, 0),
    row("yield among them", "ns", Kind::Yield, 0),
];

/// Takes the figures of a process.
#[derive(Debug, Default)]
pub struct Meter {
    began: Duration,
    /// What each batch has taken, for up to two sections of it.
    sections: [Vec<Duration>; 2],
    /// Memory before the first batch, and in its midst.
    before: u64,
    parked: Option<u64>,
}

impl Meter {
    pub fn start(&mut self) {
        self.began = processor_time();
    }

    pub fn stop(&mut self, section: usize) {
        self.sections[section].push(processor_time() - self.began);
    }

    pub fn look_at_memory(&mut self) {
        if self.parked.is_none() {
            self.parked = Some(memory());
        }
    }

    fn median(&self, section: usize, count: u64) -> f64 {
        let mut each = Samples::default();
        // The first is told apart, if there are others.
        let from = usize::from(self.sections[section].len() > 1);
        for took in &self.sections[section][from..] {
            each.add(took.as_nanos() as f64 / count as f64);
        }
        each.median()
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Resident memory and page tables of this process, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect(NOTHING_FAILS);
    let figures = ["VmRSS:", "VmPTE:"].map(|field| {
        let line = status.lines().find(|line| line.starts_with(field));
        let figure = line.and_then(|line| line.split_whitespace().nth(1));
        figure
            .expect(NOTHING_FAILS)
            .parse::<u64>()
            .expect(NOTHING_FAILS)
    });
    figures.iter().sum::<u64>() * 1024
}

/// Measures one point, in this process, and prints its figures.
pub fn point(mut arguments: impl Iterator<Item = String>) {
    let mut next = || {
        arguments
            .next()
            .expect("a point has a peer, a kind and a number")
    };
    let (peer, kind, count) = (next(), next(), next());
    let count: u64 = count.parse().expect("a number");
    let kind = KINDS.into_iter().find(|(_, name)| *name == kind);
    let (kind, _) = kind.expect("one of the kinds");
    // Enough of them that what comes before and after hardly counts; that is taken off all the same.
    let yields = (1_000_000 / count).max(20);
    if peer == "tokio" {
        let workers = thread::available_parallelism().map_or(2, |cores| cores.get());
        let runtime = tokio_pool(workers.max(2));
        measure(kind, count, yields, |kind, count, yields, meter| {
            tokios::batch(&runtime, kind, count, yields, meter);
        });
    } else {
        measure(kind, count, yields, ours::batch);
    }
}

fn measure(kind: Kind, count: u64, yields: u64, mut batch: impl FnMut(Kind, u64, u64, &mut Meter)) {
    // So that the threads are there.
    batch(Kind::Finish, 10, 0, &mut Meter::default());
    let mut repeat = |kind, least: usize| {
        let mut meter = Meter {
            before: memory(),
            ..Meter::default()
        };
        let start = Instant::now();
        let mut batches = 0;
        while batches < least || start.elapsed() < LONG_ENOUGH {
            batch(kind, count, yields, &mut meter);
            batches += 1;
        }
        meter
    };
    let figures = match kind {
        Kind::Finish | Kind::Cancel => vec![repeat(kind, 1).median(0, count)],
        Kind::Park => {
            let meter = repeat(kind, 2);
            let grown = meter
                .parked
                .unwrap_or_default()
                .saturating_sub(meter.before);
            vec![
                meter.median(0, count),
                meter.median(1, count),
                meter.sections[0][0].as_nanos() as f64 / count as f64,
                grown as f64 / count as f64,
            ]
        }
        Kind::Yield => {
            let without = repeat(Kind::Park, 1).median(1, count);
            let with = repeat(Kind::Yield, 1).median(1, count);
            vec![(with - without).max(0.0) / yields as f64]
        }
    };
    let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
    println!("{}", figures.join(" "));
}

/// The figures of a point, from a process of its own.
fn ask(peer: &str, kind: &str, count: u64) -> Vec<f64> {
    let program = env::current_exe().expect(NOTHING_FAILS);
    let output = Command::new(program)
        .args([POINT, peer, kind, &count.to_string()])
        .output()
        .expect(NOTHING_FAILS);
    let told = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{peer} {kind} {count}: {failed}");
    told.split_whitespace()
        .map(|figure| figure.parse().expect(NOTHING_FAILS))
        .collect()
}

/// The samples of all rows: `[row][peer][size]`.
type Table = Vec<[Vec<Samples>; 2]>;

fn gather(sizes: &[u64], rounds: usize) -> Table {
    let mut table: Table = ROWS
        .iter()
        .map(|_| [(); 2].map(|()| vec![Samples::default(); sizes.len()]))
        .collect();
    for round in 0..rounds {
        for (at, &size) in sizes.iter().enumerate() {
            eprintln!("round {} of {rounds}: {}", round + 1, spaced(size));
            for (kind, name) in KINDS {
                for (peer, peer_name) in PEERS.iter().enumerate() {
                    let figures = ask(peer_name, name, size);
                    for (row, told) in ROWS.iter().zip(&mut table) {
                        if row.kind == kind {
                            told[peer][at].add(figures[row.figure]);
                        }
                    }
                }
            }
        }
    }
    table
}

fn markdown(sizes: &[u64], table: &Table, rounds: usize) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        writeln!(text, "| {} |", cells.join(" | ")).expect(NOTHING_FAILS);
    };
    let mut head = vec!["what, each".to_owned(), String::new()];
    head.extend(sizes.iter().map(|&size| spaced(size)));
    let columns = head.len();
    line(head);
    line(
        (0..columns)
            .map(|at| if at < 2 { "---" } else { "---:" }.to_owned())
            .collect(),
    );
    for (row, told) in ROWS.iter().zip(table) {
        for (peer, name) in PEERS.iter().enumerate() {
            let title = if peer == 0 {
                format!("{}, {}", row.title, row.unit)
            } else {
                String::new()
            };
            let mut cells = vec![title, (*name).to_owned()];
            cells.extend(told[peer].iter().map(|samples| {
                let (least, most) = (samples.quantile(0.0), samples.quantile(1.0));
                format!(
                    "{} ({}–{})",
                    short(samples.median()),
                    short(least),
                    short(most)
                )
            }));
            line(cells);
        }
    }
    format!("Medians of {rounds} rounds, and in brackets the least and the most.\n\n{text}")
}

fn curves(sizes: &[u64], told: &[Vec<Samples>; 2]) -> [Curve; 2] {
    [0, 1].map(|peer| {
        sizes
            .iter()
            .zip(&told[peer])
            .map(|(&size, samples)| {
                let [least, median, most] = [0.0, 0.5, 1.0].map(|share| samples.quantile(share));
                plot::Point {
                    at: size as f64,
                    least,
                    median,
                    most,
                }
            })
            .collect()
    })
}

pub fn run(options: &Options) {
    let sizes: &[u64] = if options.quick {
        &[10, 100, 1000]
    } else {
        &[10, 100, 1000, 10_000, 100_000, 1_000_000]
    };
    let rounds = if options.quick { 1 } else { options.rounds };
    let table = gather(sizes, rounds);
    let text = markdown(sizes, &table, rounds);
    println!("\n{text}");
    let panels: Vec<Panel> = ROWS
        .iter()
        .zip(&table)
        .map(|(row, told)| Panel {
            title: row.title,
            unit: row.unit,
            curves: curves(sizes, told),
        })
        .collect();
    fs::create_dir_all(&options.folder).expect("the folder can be made");
    let picture = plot::svg("coroutines", &panels, PEERS);
    for (name, text) in [("growth.md", text), ("growth.svg", picture)] {
        let path = options.folder.join(name);
        fs::write(&path, text).expect("the folder can be written to");
        println!("{}", path.display());
    }
}
