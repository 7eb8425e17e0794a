//! Why a receive of a broadcast gives no value.

use std::fmt;

use crate::error::Error;
use crate::sync::channel::ClosedForReceive;

/// Why [`Receiver::recv`](super::Receiver::recv) gave no value. `?` makes an [`Error`] of it: of a closed channel
/// [`ClosedForReceive`], of a refusal the refusal itself.
///
/// # Examples
///
/// ```
/// use switchback::sync::broadcast::{self, RecvError};
///
/// let (tx, mut rx) = broadcast::channel::<i32>(1);
/// drop(tx);
/// assert!(matches!(rx.recv(), Err(RecvError::Closed)));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The receiver was too slow: so many values are lost to it. The next receive goes on with the oldest that is kept.
    Lagged(u64),
    /// All was received, and no sender is left.
    Closed,
    /// The coroutine was cancelled, or must not suspend here.
    Refused(Error),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(missed) => lagged(f, *missed),
            Self::Closed => ClosedForReceive.fmt(f),
            Self::Refused(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl From<RecvError> for Error {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Lagged(missed) => TryRecvError::Lagged(missed).into(),
            RecvError::Closed => TryRecvError::Closed.into(),
            RecvError::Refused(error) => error,
        }
    }
}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) gave no value. `?` makes an [`Error`] of it.
///
/// # Examples
///
/// ```
/// use switchback::sync::broadcast::{self, TryRecvError};
///
/// let (_tx, mut rx) = broadcast::channel::<i32>(1);
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing was sent that it has not received.
    Empty,
    /// The receiver was too slow: so many values are lost to it.
    Lagged(u64),
    /// All was received, and no sender is left.
    Closed,
}

impl TryRecvError {
    /// Whether there may be a value later.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, mut rx) = switchback::sync::broadcast::channel::<i32>(1);
    /// assert!(rx.try_recv().unwrap_err().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the channel is empty"),
            Self::Lagged(missed) => lagged(f, *missed),
            Self::Closed => ClosedForReceive.fmt(f),
        }
    }
}

impl From<TryRecvError> for Error {
    fn from(error: TryRecvError) -> Self {
        match error {
            TryRecvError::Closed => Error::new(ClosedForReceive),
            other => Error::msg(other),
        }
    }
}

fn lagged(f: &mut fmt::Formatter<'_>, missed: u64) -> fmt::Result {
    write!(
        f,
        "the receiver was too slow and has missed {missed} values"
    )
}
