//! What a coroutine waits for, and where.

use std::fmt;
use std::panic::Location;

/// The kind of a suspension: a fixed word for dumps and error messages, such as `delay` or `receive`.
///
/// One static per kind; a suspension stores one pointer to it and one to its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) &'static str);

/// A suspension point: what for, and the line of the call.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) label: &'static Label,
    pub(crate) place: &'static Location<'static>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.label.0, self.place)
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
