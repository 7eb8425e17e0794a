//! What cannot be reached from outside: the constructors of the runtime, and what they promise.

mod chains;
mod conversions;
mod ownership;
mod printing;
mod suppression;

use super::{AsStdError, Error};
use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A library's error around whatever it calls its source.
#[derive(Debug)]
struct Wrapped<S>(&'static str, S);

impl<S> Display for Wrapped<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<S: StdError + 'static> StdError for Wrapped<S> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.1)
    }
}

/// A library's error that stands for its source and so hides it, as `#[error(transparent)]` and anyhow do.
#[derive(Debug)]
struct Transparent<S>(S);

impl<S: Display> Display for Transparent<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl<S: StdError> StdError for Transparent<S> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// A library's error as they are mostly written.
#[derive(Debug)]
enum LibraryError {
    Io(io::Error),
    Refused(u16),
}

impl Display for LibraryError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LibraryError::Io(_) => f.write_str("transport failed"),
            LibraryError::Refused(code) => write!(f, "refused with {code}"),
        }
    }
}

impl StdError for LibraryError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            LibraryError::Io(error) => Some(error),
            LibraryError::Refused(_) => None,
        }
    }
}

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Display for Counted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("counted")
    }
}

impl StdError for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted() -> (Error, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Error::new(Counted(drops.clone())), drops)
}

fn timed_out() -> Error {
    Error::timed_out(7, Duration::from_millis(1300))
}

fn panicked() -> Error {
    Error::panicked(Box::new("the pot boiled over"))
}

fn foreign() -> Error {
    Error::foreign_cancellation("`cook`".to_owned(), Error::cancelled_by(3))
}

fn with_cause() -> Error {
    Error::cancelled_because(4, Some("dinner is off".into()), Some(panicked()))
}

/// One error of each kind.
fn all_kinds() -> Vec<Error> {
    vec![
        Error::cancelled(),
        Error::cancelled_by(9),
        with_cause(),
        timed_out(),
        panicked(),
        foreign(),
        Error::msg("ordinary"),
        Error::new(io::Error::other("ordinary too")),
    ]
}
