//! What does a coroutine cost that waits: to start, to keep, and to wake?
//!
//! ```text
//! cargo run --release --example parked -- [N] [machines]
//! ```
//!
//! Starts N coroutines (100 000 if nothing is said) on the default dispatcher: green threads, or labelled state machines.
//! Each adds to a count and suspends, handing its continuation to a list. When all of them wait, the memory and the
//! mappings of the process are looked at; then all are resumed, and end. In a release build the figures are held to
//! limits: 4.8 KiB for each green thread and 400 bytes for each machine, page tables, the list, and what the allocator
//! adds included, and fewer than 200 mappings whatever the number.
//!
//! Of the bytes of a machine 200 are its own block: a header of 192, and a pointer to what it waits for. The rest is its
//! label, its fields, what it waits for (here a suspension, with the place for its value) and the continuation.

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

const DEFAULT_COUNT: usize = 100_000;
const MOST_MAPPINGS: usize = 200;
/// With fewer, what the process takes once is too much of the figure.
const FEWEST_TO_JUDGE: usize = 10_000;

/// What the process takes, in KiB, and in how many mappings.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    resident: f64,
    page_tables: f64,
    mappings: usize,
}

impl Footprint {
    fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.and_then(|line| line.split_whitespace().next());
            Ok(figure
                .ok_or_else(|| Error::msg(format!("no {name} in the status")))?
                .parse()?)
        };
        Ok(Self {
            resident: field("VmRSS:")?,
            page_tables: field("VmPTE:")?,
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count(),
        })
    }
}

/// What is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Green,
    Machines,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Green => "green threads",
            Self::Machines => "machines",
        }
    }

    fn most_kib_each(self) -> f64 {
        match self {
            Self::Green => 4.8,
            Self::Machines => 400.0 / 1024.0,
        }
    }
}

/// What they share.
#[derive(Debug)]
struct Lot {
    started: AtomicUsize,
    ended: AtomicUsize,
    waiting: Mutex<Vec<Continuation<()>>>,
}

/// One of them, on a stack.
fn park(lot: &Lot) -> Result<()> {
    lot.started.fetch_add(1, Ordering::Relaxed);
    suspend_cancellable_coroutine(|continuation| lot.waiting.lock().unwrap().push(continuation))?;
    lot.ended.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// One of them, without a stack.
#[derive(Debug)]
struct Parks<'lot> {
    lot: &'lot Lot,
    resumed: Slot<()>,
}

impl StateMachine for Parks<'_> {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        let lot = self.lot;
        if label == 0 {
            lot.started.fetch_add(1, Ordering::Relaxed);
            return turn.at(1).suspend(
                |continuation| {
                    lot.waiting.lock().unwrap().push(continuation);
                    Ok(())
                },
                |me| &mut me.resumed,
            );
        }
        self.resumed.take()?;
        lot.ended.fetch_add(1, Ordering::Relaxed);
        Ok(Step::Return(()))
    }
}

/// What was measured.
#[derive(Debug)]
struct Figures {
    kind: Kind,
    count: usize,
    before: Footprint,
    parked: Footprint,
    starting: Duration,
    finishing: Duration,
}

/// Starts the coroutines, waits until all of them wait, and lets them end.
fn measure(kind: Kind, count: usize) -> Result<Figures> {
    // So that the threads of the pool are there before the first look.
    with_context(Dispatchers::default(), |_| Ok(()))?;
    let before = Footprint::now()?;

    let lot = Lot {
        started: AtomicUsize::new(0),
        ended: AtomicUsize::new(0),
        waiting: Mutex::new(Vec::with_capacity(count)),
    };
    let start = Instant::now();
    let (starting, parked, wake) = coroutine_scope(|s| {
        for _ in 0..count {
            match kind {
                Kind::Green => s.launch(|_| park(&lot)),
                Kind::Machines => s.launch_machine(Parks {
                    lot: &lot,
                    resumed: Slot::new(),
                }),
            };
        }
        while lot.waiting.lock().unwrap().len() < count {
            delay(ms(1))?;
        }
        let starting = start.elapsed();
        let parked = Footprint::now()?;

        let wake = Instant::now();
        for continuation in lot.waiting.lock().unwrap().drain(..) {
            continuation.resume(());
        }
        Ok((starting, parked, wake))
    })?;

    let finishing = wake.elapsed();
    assert_eq!(lot.started.into_inner(), count);
    assert_eq!(lot.ended.into_inner(), count);
    Ok(Figures {
        kind,
        count,
        before,
        parked,
        starting,
        finishing,
    })
}

impl Figures {
    /// KiB that each coroutine takes: resident memory, and page tables.
    fn kib_each(&self) -> (f64, f64) {
        let each = |before: f64, parked: f64| (parked - before) / self.count as f64;
        (
            each(self.before.resident, self.parked.resident),
            each(self.before.page_tables, self.parked.page_tables),
        )
    }

    fn print(&self) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.count as f64;
        let seconds = |time: Duration| time.as_secs_f64();
        let (resident, page_tables) = self.kib_each();
        println!("{} {}, parked at once", self.count, self.kind.name());
        println!();
        println!("                         each             all");
        println!(
            "  start               {:>7.2} us   {:>9.2} s",
            each(self.starting),
            seconds(self.starting)
        );
        println!(
            "  resident memory     {resident:>7.3} KiB  {:>9.0} MiB",
            resident * self.count as f64 / 1024.0
        );
        println!(
            "  page tables         {page_tables:>7.3} KiB  {:>9.0} MiB",
            page_tables * self.count as f64 / 1024.0
        );
        println!(
            "  wake and finish     {:>7.2} us   {:>9.2} s",
            each(self.finishing),
            seconds(self.finishing)
        );
        println!(
            "  mappings                         {:>9}",
            self.parked.mappings
        );
        println!();
    }

    /// The limits that are broken.
    fn broken_limits(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let (resident, page_tables) = self.kib_each();
        let (kib, most) = (resident + page_tables, self.kind.most_kib_each());
        if kib > most {
            broken.push(format!(
                "each of the {} takes {kib:.3} KiB, more than {most:.3}",
                self.kind.name()
            ));
        }
        if self.parked.mappings >= MOST_MAPPINGS {
            broken.push(format!(
                "{} mappings, not under {MOST_MAPPINGS}: has this kernel no MADV_GUARD_INSTALL (Linux 6.13)?",
                self.parked.mappings
            ));
        }
        broken
    }
}

fn main() -> ExitCode {
    let count = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => DEFAULT_COUNT,
        Some(Ok(count)) if count > 0 => count,
        Some(_) => {
            eprintln!("usage: parked [N] [machines], with N at least 1");
            return ExitCode::from(2);
        }
    };
    let kind = match std::env::args().nth(2).as_deref() {
        None => Kind::Green,
        Some("machines") => Kind::Machines,
        Some(_) => {
            eprintln!("usage: parked [N] [machines]");
            return ExitCode::from(2);
        }
    };
    let figures = match measure(kind, count) {
        Ok(figures) => figures,
        Err(error) => {
            eprintln!("parked: {error}");
            return ExitCode::FAILURE;
        }
    };
    figures.print();
    if cfg!(debug_assertions) {
        println!("A debug build, so these figures are held to no limit.");
        return ExitCode::SUCCESS;
    }
    if count < FEWEST_TO_JUDGE {
        println!("Under {FEWEST_TO_JUDGE} coroutines, so these figures are held to no limit.");
        return ExitCode::SUCCESS;
    }
    let broken = figures.broken_limits();
    for limit in &broken {
        eprintln!("parked: {limit}");
    }
    if broken.is_empty() {
        println!(
            "Within the limits: {:.2} KiB each, {MOST_MAPPINGS} mappings.",
            kind.most_kib_each()
        );
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
