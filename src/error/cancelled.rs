//! Cancellation as a value.

#![forbid(unsafe_code)]

use super::Error;
use super::node::{Kind, Node};
use super::repr::{Content, Repr};
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};

/// What a cancelled coroutine sees: the [`Error`] of every suspending call from the moment its job is cancelled.
///
/// Pass it on with `?`. It is an [`Error`] known to be of this kind, and turns back into the very same one.
///
/// # Examples
///
/// ```
/// use switchback::{Cancelled, Error};
///
/// let error = Error::cancelled_with("the user closed the window");
/// let cancelled = error.downcast_ref::<Cancelled>().unwrap();
/// assert_eq!(cancelled.message(), Some("the user closed the window"));
/// assert_eq!(cancelled.to_string(), "cancelled: the user closed the window");
/// assert!(Error::new(cancelled.clone()).ptr_eq(&error));
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct Cancelled(pub(super) Error);

impl Cancelled {
    /// What the canceller said, if it did.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Cancelled, Error};
    ///
    /// let cancelled: Cancelled = Error::cancelled().downcast().unwrap();
    /// assert_eq!(cancelled.message(), None);
    /// ```
    pub fn message(&self) -> Option<&str> {
        self.parts().1
    }

    /// The failure that made the cancellation, such as a sibling's.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Cancelled, Error};
    ///
    /// let cancelled: Cancelled = Error::cancelled_with("enough").downcast().unwrap();
    /// assert!(cancelled.cause().is_none());
    /// ```
    pub fn cause(&self) -> Option<&Error> {
        self.parts().2
    }

    /// The coroutine that owns the cancelled job; none if user code made the cancellation.
    pub(crate) fn owner(&self) -> Option<u64> {
        match self.parts().0 {
            0 => None,
            owner => Some(owner),
        }
    }

    fn parts(&self) -> (u64, Option<&str>, Option<&Error>) {
        match self.0.content() {
            Content::Inline { owner } => (owner, None, None),
            Content::Boxed(Node {
                kind:
                    Kind::Cancelled {
                        owner,
                        message,
                        cause,
                    },
                ..
            }) => (*owner, message.as_deref(), cause.as_ref()),
            Content::Boxed(_) => unreachable!("a `Cancelled` is made of cancellations only"),
        }
    }
}

impl Error {
    /// Makes a cancellation that belongs to nobody, as Kotlin's `CancellationException`.
    ///
    /// A body that ends with it ends its own coroutine as cancelled, and touches nobody else.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = switchback::Error::cancelled();
    /// assert!(error.is_cancelled());
    /// assert_eq!(error.to_string(), "cancelled");
    /// ```
    #[must_use]
    pub const fn cancelled() -> Self {
        Error(Repr::inline(0))
    }

    /// Makes a cancellation that belongs to nobody and says why.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = switchback::Error::cancelled_with("shutting down");
    /// assert!(error.is_cancelled());
    /// assert_eq!(error.to_string(), "cancelled: shutting down");
    /// ```
    #[must_use]
    pub fn cancelled_with(message: impl Into<Cow<'static, str>>) -> Self {
        Error::cancelled_because(0, Some(message.into()), None)
    }

    /// Says whether it is a cancellation, or an error that has one among its sources.
    ///
    /// The payload of an `io::Error` counts, so a cancellation that a library met in `Read` or `Write` is
    /// recognised in that library's own error. A cancellation of somebody else's job, met while waiting for it, is
    /// an ordinary failure and does not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    /// use switchback::Error;
    ///
    /// let met_in_a_read = io::Error::from(Error::cancelled());
    /// let of_a_library = io::Error::new(ErrorKind::InvalidData, met_in_a_read);
    /// assert!(Error::new(of_a_library).is_cancelled());
    /// assert!(!Error::msg("cancelled").is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self.recognised(),
            Some(
                Content::Inline { .. }
                    | Content::Boxed(Node {
                        kind: Kind::Cancelled { .. },
                        ..
                    })
            )
        )
    }

    /// The plain cancellation of a job that the coroutine `owner` owns. Allocates nothing.
    #[inline]
    pub(crate) const fn cancelled_by(owner: u64) -> Self {
        Error(Repr::inline(owner))
    }

    /// The cancellation of a job that the coroutine `owner` owns (0: nobody), with what is known about it.
    pub(crate) fn cancelled_because(
        owner: u64,
        message: Option<Cow<'static, str>>,
        cause: Option<Error>,
    ) -> Self {
        if message.is_none() && cause.is_none() {
            return Error::cancelled_by(owner);
        }
        Error::from_node(
            Kind::Cancelled {
                owner,
                message,
                cause,
            }
            .into(),
        )
    }

    /// The cancellation that makes [`is_cancelled`](Error::is_cancelled) true.
    pub(crate) fn cancellation(&self) -> Option<Cancelled> {
        let error = self.recognised_error()?;
        match error.content() {
            Content::Inline { .. }
            | Content::Boxed(Node {
                kind: Kind::Cancelled { .. },
                ..
            }) => Some(Cancelled(error.clone())),
            Content::Boxed(_) => None,
        }
    }
}

impl Display for Cancelled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "cancelled: {message}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Debug for Cancelled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Cancelled");
        if let Some(owner) = self.owner() {
            fields.field("owner", &owner);
        }
        if let Some(message) = self.message() {
            fields.field("message", &message);
        }
        if let Some(cause) = self.cause() {
            fields.field("cause", &format_args!("{cause:#}"));
        }
        fields.finish()
    }
}

impl StdError for Cancelled {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause().map(|cause| &**cause as _)
    }
}
