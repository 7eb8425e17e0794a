//! Programs run in child processes, which are this very test again.
//!
//! A library that is broken hangs or aborts as easily as it gives a wrong answer. A child that does is ended, and what it
//! was at is the finding. The children tell how they end by their exit status, and where they are by a small file.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio, exit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use crate::program::Program;
use crate::shrink::{self, Cut};
use crate::trace::Trace;
use crate::{generate, library, model};

/// So many programs are one child's.
const SHARE: u64 = 5_000;

/// A program runs for far less than a millisecond.
pub const HANGS_AFTER: Duration = Duration::from_secs(20);

/// While a program that hangs is cut down, each step of it costs this.
const HANGS_AGAIN_AFTER: Duration = Duration::from_secs(2);

const NAME: &str = "random_programs_do_what_the_rules_say";
const ROLE: &str = "REFERENCE_CHILD";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    /// The model says that the program does not end, so it is not run.
    Stuck,
    Differs,
    Hangs,
    Dies,
}

const DIFFERS: i32 = 10;
const STUCK: i32 = 11;

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Agrees => "the model and the library agree",
            Verdict::Stuck => "the program does not end",
            Verdict::Differs => "the library does something else than the rules say",
            Verdict::Hangs => "the library hangs",
            Verdict::Dies => "the process dies",
        })
    }
}

/// What this process is to do, if it is a child.
pub enum Child {
    /// Runs the programs of these seeds up to the first that differs, and notes in the file which one it is at.
    Search(Range<u64>, PathBuf),
    /// Runs one program.
    One(Program),
    /// Runs one program and tells each event as it happens.
    Show(Program),
}

impl Child {
    pub fn this() -> Option<Self> {
        let role = env::var(ROLE).ok()?;
        let words: Vec<&str> = role.split(' ').collect();
        let seed = |at: usize| words[at].parse::<u64>().expect("a seed");
        let program = || {
            let cuts = cuts_from_environment();
            shrink::apply(&generate::program(seed(1)), &cuts)
        };
        Some(match words[0] {
            "search" => Child::Search(seed(1)..seed(2), PathBuf::from(words[3])),
            "one" => Child::One(program()),
            "show" => Child::Show(program()),
            other => unreachable!("no such role: {other}"),
        })
    }

    pub fn run(self) -> ! {
        be_quiet();
        match self {
            Child::Search(seeds, place) => {
                let file = File::create(place).expect("the place for the progress");
                for seed in seeds {
                    let told = file.write_all_at(&seed.to_le_bytes(), 0);
                    told.expect("a seed is written");
                    if judge(&generate::program(seed)) == Verdict::Differs {
                        exit(DIFFERS);
                    }
                }
                exit(0)
            }
            Child::One(program) => exit(match judge(&program) {
                Verdict::Differs => DIFFERS,
                Verdict::Stuck => STUCK,
                _ => 0,
            }),
            Child::Show(program) => {
                show(&program);
                exit(0)
            }
        }
    }
}

/// Panics of steps, and failures that nobody hears of, are no news.
fn be_quiet() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        if !text.is_some_and(|text| text.starts_with(library::PANIC)) {
            loud(info);
        }
    }));
    switchback::set_message_hook(|_| ());
}

fn judge(program: &Program) -> Verdict {
    match model::run(program) {
        Err(model::Stuck) => Verdict::Stuck,
        Ok(trace) if trace == library::run(program, false) => Verdict::Agrees,
        Ok(_) => Verdict::Differs,
    }
}

fn show(program: &Program) {
    println!("{program}");
    let Ok(expected) = model::run(program) else {
        println!("The rules bring it to no end.");
        return;
    };
    println!("The rules:");
    for event in &expected.events {
        println!("{event}");
    }
    println!("\nThe library:");
    let got = library::run(program, true);
    if let Some(line) = first_difference(&expected, &got) {
        println!("\nThey part at line {line}.");
    }
}

/// Counted from one.
fn first_difference(left: &Trace, right: &Trace) -> Option<usize> {
    let (left, right) = (&left.events, &right.events);
    let common = left
        .iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count();
    (left.len().max(right.len()) > common).then_some(common + 1)
}

/// Runs the programs of these seeds, on all cores, up to the first that does not agree.
pub fn search(seeds: Range<u64>) -> Option<(u64, Verdict)> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for worker in 0..workers {
            let (next, found, stop, end) = (&next, &found, &stop, seeds.end);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let first = next.fetch_add(SHARE, Ordering::Relaxed);
                    if first >= end {
                        return;
                    }
                    let share = first..end.min(first + SHARE);
                    if let Some(trouble) = search_share(worker, share, stop) {
                        stop.store(true, Ordering::Relaxed);
                        found
                            .lock()
                            .expect("no worker panics")
                            .get_or_insert(trouble);
                    }
                }
            });
        }
    });
    found.into_inner().expect("no worker panics")
}

fn search_share(worker: usize, seeds: Range<u64>, stop: &AtomicBool) -> Option<(u64, Verdict)> {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let place = place.join(format!("reference-{}-{worker}", std::process::id()));
    let role = format!("search {} {} {}", seeds.start, seeds.end, place.display());
    let mut child = command(&role, &[])
        .stdout(Stdio::null())
        .spawn()
        .expect("this test runs");
    let at = || {
        fs::read(&place)
            .ok()
            .and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
    };
    let mut last = (at(), Instant::now());
    let verdict = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break match status.code() {
                Some(0) => Verdict::Agrees,
                Some(DIFFERS) => Verdict::Differs,
                _ => Verdict::Dies,
            };
        }
        if at() != last.0 {
            last = (at(), Instant::now());
        } else if last.1.elapsed() > HANGS_AFTER || stop.load(Ordering::Relaxed) {
            let _ = child.kill();
            child.wait().expect("it is our child");
            let stopped = stop.load(Ordering::Relaxed);
            break if stopped {
                Verdict::Agrees
            } else {
                Verdict::Hangs
            };
        }
        thread::sleep(Duration::from_millis(5));
    };
    let trouble = (verdict != Verdict::Agrees).then(|| (at().unwrap_or(seeds.start), verdict));
    let _ = fs::remove_file(&place);
    trouble
}

/// Runs one program in a child process.
pub fn verdict(seed: u64, cuts: &[Cut], hangs_after: Duration) -> Verdict {
    let mut child = command(&format!("one {seed}"), cuts)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test runs");
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return match status.code() {
                Some(0) => Verdict::Agrees,
                Some(DIFFERS) => Verdict::Differs,
                Some(STUCK) => Verdict::Stuck,
                _ => Verdict::Dies,
            };
        }
        if begun.elapsed() > hangs_after {
            let _ = child.kill();
            child.wait().expect("it is our child");
            return Verdict::Hangs;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Cuts a program down and tells what it shows.
pub fn report(seed: u64, mut cuts: Vec<Cut>, trouble: Verdict) -> String {
    if cuts.is_empty() {
        let program = generate::program(seed);
        cuts = shrink::shrink(&program, |cuts| {
            verdict(seed, cuts, HANGS_AGAIN_AFTER) == trouble
        });
    }
    let shown = show_in_child(seed, &cuts);
    let text = String::from_utf8_lossy(&shown.stdout);
    // Before it there is what the test harness has to say.
    let text = text
        .find("run_test:")
        .map_or(&*text, |begin| &text[begin..]);
    let errors = String::from_utf8_lossy(&shown.stderr);
    let cuts = cuts_as_text(&cuts);
    format!(
        "{trouble}: the program of seed {seed}, cut down.\n\n{text}\n{errors}\n\
         Again, this one: REFERENCE_SEED={seed} REFERENCE_CUTS='{cuts}'\n\
         Again, uncut:    REFERENCE_SEED={seed}\n"
    )
}

fn show_in_child(seed: u64, cuts: &[Cut]) -> Output {
    let mut child = command(&format!("show {seed}"), cuts)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test runs");
    let begun = Instant::now();
    while child.try_wait().expect("it is our child").is_none() {
        if begun.elapsed() > HANGS_AGAIN_AFTER {
            let _ = child.kill();
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.wait_with_output().expect("it is our child")
}

fn command(role: &str, cuts: &[Cut]) -> Command {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env("REFERENCE_CUTS", cuts_as_text(cuts));
    command
}

pub fn cuts_as_text(cuts: &[Cut]) -> String {
    let cuts: Vec<_> = cuts.iter().map(Cut::to_string).collect();
    cuts.join(" ")
}

pub fn cuts_from_text(text: &str) -> Vec<Cut> {
    let cuts = text.split_whitespace().map(str::parse);
    cuts.collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}"))
}

pub fn cuts_from_environment() -> Vec<Cut> {
    cuts_from_text(&env::var("REFERENCE_CUTS").unwrap_or_default())
}

pub fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
