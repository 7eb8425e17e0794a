//! Program 3. A sum of two values that are computed at once, with a log that names thread and coroutine.
//!
//! In Kotlin: `async(CoroutineName("v1")) { .. }` under `-Dkotlinx.coroutines.debug`, where
//! `Thread.currentThread().name` is `DefaultDispatcher-worker-1 @v1#2`.

use std::thread;

use switchback::prelude::*;

use super::log::{Log, in_order_of_appearance, say};

/// `[worker @name#id]`.
fn here() -> String {
    let thread = thread::current();
    let worker = thread.name().unwrap_or("a thread");
    match current_coroutine() {
        Some(job) => {
            let name = job.name().unwrap_or_else(|| "coroutine".to_owned());
            format!("[{worker} @{name}#{}]", job.id())
        }
        None => format!("[{worker}]"),
    }
}

fn compute(log: &Log, value: i32) -> Result<i32> {
    say!(log, "{} computing {value}", here());
    delay(ms(5))?;
    say!(log, "{} {value} is computed", here());
    Ok(value)
}

fn compute_sum(log: &Log) -> Result<i32> {
    coroutine_scope(|s| {
        let first = s.builder().name("v1").async_(|_| compute(log, 3));
        let second = s.builder().name("v2").async_(|_| compute(log, 4));
        Ok(first.await_()? + second.await_()?)
    })
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    let context = Dispatchers::default() + CoroutineName::new("main");
    let sum = run_blocking(|_| {
        with_context(context, |_| {
            let sum = compute_sum(&log)?;
            say!(log, "{} the sum is {sum}", here());
            Ok(sum)
        })
    })?;
    assert_eq!(sum, 7);

    // Which of the workers it was, and which of the two values came first, is not fixed; all else is.
    let mut lines = log.lines();
    assert!(lines.last().unwrap().ends_with("the sum is 7"));
    lines.sort_by_key(|line| line.split('@').nth(1).map(str::to_owned));
    let text = in_order_of_appearance(&lines.join("\n"));
    let shown: Vec<_> = text.lines().map(without_worker).collect();
    assert_eq!(
        shown,
        [
            "@main#1] the sum is 7",
            "@v1#2] 3 is computed",
            "@v1#2] computing 3",
            "@v2#3] 4 is computed",
            "@v2#3] computing 4",
        ]
    );
    Ok(log)
}

/// A line without the name of the worker, which must be one of the default dispatcher's.
fn without_worker(line: &str) -> &str {
    assert!(line.starts_with("[switchback-"), "{line}");
    let at = line.find('@').expect("every line names a coroutine");
    &line[at..]
}
