//! A time limit that ran out.

#![forbid(unsafe_code)]

use super::Error;
use super::node::{Kind, Node};
use super::repr::Content;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};
use std::time::Duration;

/// The failure of a block that did not end within its time limit.
///
/// A timeout is a failure and no cancellation: it cannot leak out of a coroutine in silence. It is an [`Error`]
/// known to be of this kind, and turns back into the very same one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{Error, TimedOut};
///
/// fn advice(error: &Error) -> String {
///     match error.downcast_ref::<TimedOut>() {
///         Some(timeout) => format!("give it more than {:?}", timeout.limit()),
///         None => format!("mend it: {error}"),
///     }
/// }
///
/// assert_eq!(advice(&Error::msg("a wheel is missing")), "mend it: a wheel is missing");
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct TimedOut(pub(super) Error);

impl TimedOut {
    /// The time that the block was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchback::{Error, TimedOut};
    ///
    /// fn limit(error: &Error) -> Option<Duration> {
    ///     error.downcast_ref::<TimedOut>().map(TimedOut::limit)
    /// }
    ///
    /// assert_eq!(limit(&Error::cancelled()), None);
    /// ```
    pub fn limit(&self) -> Duration {
        match self.0.content() {
            Content::Boxed(Node {
                kind: Kind::TimedOut { limit, .. },
                ..
            }) => *limit,
            _ => unreachable!("a `TimedOut` is made of timeouts only"),
        }
    }
}

impl Error {
    /// The failure of the block under the timeout `timeout_id`, which had `limit` time.
    pub(crate) fn timed_out(timeout_id: u64, limit: Duration) -> Self {
        Error::from_node(
            Kind::TimedOut {
                id: timeout_id,
                limit,
            }
            .into(),
        )
    }

    /// Which timeout it is that makes [`is_timeout`](Error::is_timeout) true.
    pub(crate) fn timeout_id(&self) -> Option<u64> {
        match self.recognised()? {
            Content::Boxed(Node {
                kind: Kind::TimedOut { id, .. },
                ..
            }) => Some(*id),
            _ => None,
        }
    }
}

impl Display for TimedOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.limit())
    }
}

impl Debug for TimedOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedOut")
            .field("limit", &self.limit())
            .finish()
    }
}

impl StdError for TimedOut {}
