//! What a program has to say: lines, in the order in which they were said, compared whole at its end.
//!
//! A log is a handle: a coroutine of an owned scope, which may borrow nothing, takes a clone.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use switchback::{set_message_hook, testing};

/// The lines of one program.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    timed: bool,
}

/// Kotlin's `println`: one line, into a log.
macro_rules! say {
    ($log:expr, $($line:tt)*) => {
        $log.put(format!($($line)*))
    };
}
pub(super) use say;

impl Log {
    /// A log of lines as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// A log whose lines begin with the virtual time, for programs that run on one loop.
    pub fn timed() -> Self {
        Self {
            timed: true,
            ..Self::default()
        }
    }

    /// Adds a line; [`say`] is the usual way.
    pub fn put(&self, line: String) {
        let line = if self.timed {
            let now = testing::current_time().as_millis();
            format!("{now:>5} ms  {line}")
        } else {
            line
        };
        lock(&self.lines).push(line);
    }

    /// Everything that was said so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    /// Claims that this was said, all of it, in this order.
    #[track_caller]
    pub fn assert(&self, expected: &[&str]) {
        let said = self.lines();
        assert!(
            said == expected,
            "said\n{}\nexpected\n{}\n",
            said.join("\n"),
            expected.join("\n")
        );
    }

    /// Sends what the runtime has to tell to this log, in the words of `retell`, until the guard is dropped.
    pub fn hear_the_runtime(&self, retell: fn(&str) -> String) -> Hearing {
        let log = self.clone();
        set_message_hook(move |message| say!(log, "told: {}", retell(message)));
        Hearing(())
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in lock(&self.lines).iter() {
            writeln!(f, "      {line}")?;
        }
        Ok(())
    }
}

/// While it lives, the messages of the runtime go to a log; afterwards to standard error.
#[derive(Debug)]
pub struct Hearing(());

impl Drop for Hearing {
    fn drop(&mut self) {
        set_message_hook(|message| eprintln!("switchback: {message}"));
    }
}

/// A text with its jobs (`launch#4711`) numbered by their first appearance in it.
pub fn in_order_of_appearance(text: &str) -> String {
    let mut known = HashMap::new();
    let mut pieces = text.split('#');
    let mut numbered = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(piece.len());
        let (id, rest) = piece.split_at(end);
        let next = known.len() + 1;
        let number = *known.entry(id).or_insert(next);
        numbered += &format!("#{number}{rest}");
    }
    numbered
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
