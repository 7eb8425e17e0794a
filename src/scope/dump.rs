//! The job tree as text.

use std::fmt::Write;

use crate::job::state::{BARE, COROUTINE};
use crate::scope::job::Job;

impl Job {
    /// This job and everything below it, a line each: kind, name, number, state, and for a coroutine what it waits for
    /// and where, or where it was launched if it has not waited yet.
    ///
    /// The tree goes on changing while it is read, so the lines are of slightly different moments.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let job = s.builder().name("sleeper").launch(|_| delay(ms(10_000)));
    ///     yield_()?;
    ///     let dump = s.job().dump();
    ///     assert!(dump.contains("launch \"sleeper\""), "{dump}");
    ///     assert!(dump.contains("delay at "), "{dump}");
    ///     job.cancel();
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        let mut pending = vec![(0, self.clone())];
        while let Some((depth, job)) = pending.pop() {
            line(&mut text, depth, &job);
            pending.extend(
                job.children()
                    .into_iter()
                    .rev()
                    .map(|child| (depth + 1, child)),
            );
        }
        text
    }
}

fn line(text: &mut String, depth: usize, job: &Job) {
    let task = job.task();
    let state = task.state();
    let _ = write!(
        text,
        "{:indent$}{}",
        "",
        task.kind_name(),
        indent = depth * 2
    );
    if let Some(name) = job.name() {
        let _ = write!(text, " \"{name}\"");
    }
    let _ = write!(text, " #{} {}", task.id, state.name());
    if state.has(COROUTINE) {
        if let Some(label) = task.machine_label() {
            let _ = write!(text, ", label {label}");
        }
        let (point, place) = task.point();
        match point {
            Some(point) if !task.word.is_running() => {
                let _ = write!(text, ", {point}");
            }
            Some(point) => {
                let _ = write!(text, ", last {point}");
            }
            None => {
                let _ = write!(text, ", launched at {place}");
            }
        }
    } else if !state.has(BARE) {
        let (_, place) = task.point();
        let _ = write!(text, ", opened at {place}");
    }
    text.push('\n');
}
