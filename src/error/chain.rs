//! Walking along the sources of an error, and finding ours in them.
//!
//! `source()` alone does not reach everything. `io::Error` answers with its payload's source, and so skips the
//! payload; `Arc` and `Box` do the same with what they point to. Libraries keep an `io::Error` in each of the three
//! ways, so a walk steps into all of them.

#![forbid(unsafe_code)]

use super::{AsStdError, Cancelled, Error, Foreign, Panicked, TimedOut};
use std::error::Error as StdError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// No chain that can be dropped is longer: the destructors of other people's errors are a recursion.
const LONGEST: usize = 1 << 16;

/// The links of a chain, `first` included.
///
/// A `source` that leads back to itself breaks its contract, but must not hang the worker that drops the error.
pub(super) fn links<'a>(
    first: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(first), |link| next(*link)).take(LONGEST)
}

/// The error of ours that `link` shows or wraps.
pub(super) fn ours<'a>(link: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    None.or_else(|| link.downcast_ref::<AsStdError>().map(AsStdError::error))
        .or_else(|| link.downcast_ref::<Cancelled>().map(|view| &view.0))
        .or_else(|| link.downcast_ref::<TimedOut>().map(|view| &view.0))
        .or_else(|| link.downcast_ref::<Panicked>().map(|view| &view.0))
        .or_else(|| link.downcast_ref::<Foreign>().map(|view| &view.0))
}

/// The first error of ours in the chain that begins at `first`.
pub(super) fn carried<'a>(first: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    links(first).find_map(ours)
}

fn next<'a>(link: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(io) = link.downcast_ref::<io::Error>() {
        return payload(io);
    }
    if let Some(io) = link.downcast_ref::<Arc<io::Error>>() {
        return Some(&**io);
    }
    if let Some(io) = link.downcast_ref::<Box<io::Error>>() {
        return Some(&**io);
    }
    if let Some(shared) = link.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        return Some(&**shared);
    }
    // It is the user's, and asked where a panic must not leave: at the end of a body, in a destructor.
    catch_unwind(AssertUnwindSafe(|| link.source())).unwrap_or_else(|panic| {
        std::mem::forget(panic);
        None
    })
}

fn payload(io: &io::Error) -> Option<&(dyn StdError + 'static)> {
    // Without the match the `Send + Sync` of the payload would not be given up.
    match io.get_ref() {
        Some(payload) => Some(payload),
        None => None,
    }
}
