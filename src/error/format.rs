//! How an [`Error`] is printed.
//!
//! By loops, since causes and attachments may be nested deep, and cut off where nobody would read on.

#![forbid(unsafe_code)]

use super::{Error, chain};
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};

/// How many causes, and how many attached failures, are printed at most.
const SHOWN: usize = 64;

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.write_str(&messages(&**self).join(": "))
        } else {
            write!(f, "{}", &**self)
        }
    }
}

impl Debug for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let messages = messages(&**self);
        if let Some((message, causes)) = messages.split_first() {
            f.write_str(message)?;
            if !causes.is_empty() {
                f.write_str("\n\nCaused by:")?;
            }
            for cause in causes {
                f.write_str("\n    ")?;
                f.write_str(&cause.replace('\n', "\n    "))?;
            }
        }
        write_suppressed(self, f)
    }
}

fn write_suppressed(error: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let mut pending = Vec::new();
    push_suppressed(error, 1, &mut pending);
    if pending.is_empty() {
        return Ok(());
    }
    f.write_str("\n\nSuppressed:")?;
    let mut shown = 0;
    while let Some((depth, later)) = pending.pop() {
        if shown == SHOWN {
            return write!(f, "\n    ... and {} more", pending.len() + 1);
        }
        shown += 1;
        let indent = "    ".repeat(depth);
        let text = format!("{later:#}").replace('\n', &format!("\n{indent}"));
        write!(f, "\n{indent}{text}")?;
        push_suppressed(&later, depth + 1, &mut pending);
    }
    Ok(())
}

/// Pushes what is attached to `error` so that the oldest is popped first.
fn push_suppressed(error: &Error, depth: usize, pending: &mut Vec<(usize, Error)>) {
    pending.extend(
        error
            .suppressed()
            .into_iter()
            .rev()
            .map(|later| (depth, later)),
    );
}

/// The messages along the chain. Wrappers that repeat what they wrap appear once.
fn messages(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for (index, link) in chain::links(error).enumerate() {
        if index == SHOWN {
            messages.push("...".to_owned());
            break;
        }
        let message = link.to_string();
        if messages.last() != Some(&message) {
            messages.push(message);
        }
    }
    messages
}
