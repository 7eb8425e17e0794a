//! How a coroutine fails: one [`Error`] for everything, which tells cancelled, timed out, panicked and failed apart.
//!
//! # Shape
//!
//! An [`Error`] is one thin pointer. A plain cancellation is a number in its place and allocates nothing; anything
//! else is a counted node ([`node`]). [`Cancelled`], [`TimedOut`] and [`Panicked`] are no payloads but views: each
//! is an `Error` known to be of that kind, so that it can be had by reference from any `Error` and turned back into
//! the very same one.
//!
//! # Recognition
//!
//! Cancellation is a value that travels through other people's code, and comes back inside their errors. So every
//! question about the kind follows the chain of sources ([`chain`]) to the first error of ours, and what is made of
//! an error of ours ([`AsStdError`], `io::Error`) shows it twice, as itself and as its source, because much code
//! skips one link. The walk ends at the first error of ours: a timeout that made its children's cancellation is
//! their cause, not their kind, and a cancellation of somebody else's job is wrapped where it crosses ([`foreign`])
//! and an ordinary failure from there.

mod cancelled;
mod chain;
mod convert;
mod foreign;
mod format;
mod node;
mod panicked;
mod repr;
mod suppressed;
#[cfg(test)]
mod tests;
mod timeout;

pub use cancelled::Cancelled;
pub use convert::AsStdError;
pub use panicked::Panicked;
pub use timeout::TimedOut;

use foreign::Foreign;
use node::{Kind, Node};
use repr::{Content, Repr};
use std::error::Error as StdError;
use std::fmt::Display;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// The result of every suspending call, and of the bodies of coroutines.
///
/// It is as small as the error alone: a `Result<()>` fits a register.
///
/// # Examples
///
/// ```
/// fn port(text: &str) -> switchback::Result<u16> {
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(port("8080").unwrap(), 8080);
/// assert!(port("eighty").is_err());
/// assert_eq!(size_of::<switchback::Result<()>>(), 8);
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a coroutine did not give a value: it was cancelled, ran out of time, panicked, or failed with an error of
/// its own.
///
/// `?` makes it from any `std::error::Error + Send + Sync + 'static`; see [`Error::boxed`] and [`Error::msg`] for
/// the rest. It derefs to `dyn std::error::Error + Send + Sync` but does not implement the trait, or else `?` could
/// not take every error; where an implementor is wanted, [`into_std`](Error::into_std) gives one.
///
/// A clone is the same failure, counted: failures are handed to many (a job's parent, all who wait for it), and user
/// errors are seldom `Clone`.
///
/// `{}` prints the message, `{:#}` the message and its causes on one line, `{:?}` all there is, on several, for
/// people: it is what `main` prints.
///
/// # Examples
///
/// ```
/// use switchback::{Error, Result};
///
/// fn read(path: &str) -> Result<String> {
///     let text = std::fs::read_to_string(path)?;
///     if text.is_empty() {
///         return Err(Error::msg("the file is empty"));
///     }
///     Ok(text)
/// }
///
/// let error = read("/nowhere/at/all").unwrap_err();
/// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::NotFound);
/// assert!(!error.is_cancelled());
/// ```
#[derive(Clone)]
pub struct Error(Repr);

// The panic safety of a user's error cannot be asked for in the bounds of a blanket `From`. Nothing here is left half
// done by a panic: what changes after creation is behind locks that no user code runs under.
impl UnwindSafe for Error {}
impl RefUnwindSafe for Error {}

impl Error {
    /// Makes an error of any standard one, as `?` does.
    ///
    /// One that came out of an `Error` turns back into that very `Error`: [`AsStdError`], [`Cancelled`],
    /// [`TimedOut`], [`Panicked`], and the `io::Error` that was made of one.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Error;
    ///
    /// let error = Error::new("x".parse::<i32>().unwrap_err());
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    ///
    /// let same = Error::new(error.clone().into_std());
    /// assert!(same.ptr_eq(&error));
    /// ```
    pub fn new<E: StdError + Send + Sync + 'static>(error: E) -> Self {
        convert::from_sized(error)
    }

    /// Makes an error of a text.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = switchback::Error::msg(format_args!("no route to {}", "home"));
    /// assert_eq!(error.to_string(), "no route to home");
    /// ```
    pub fn msg(message: impl Display) -> Self {
        Error::other(Box::new(convert::Message(message.to_string())))
    }

    /// Makes an error of what converts into a boxed one: boxed errors, texts, `anyhow::Error` and its like.
    ///
    /// Recognises the same ones of ours as [`Error::new`] does, and looks for them in the sources of all others.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Error;
    ///
    /// fn library() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     Err("the library says no".into())
    /// }
    ///
    /// let error = library().map_err(Error::boxed).unwrap_err();
    /// assert_eq!(error.to_string(), "the library says no");
    /// ```
    pub fn boxed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        convert::from_box(error.into())
    }

    /// Says whether nothing happens when it is dropped.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.content(), Content::Inline { .. })
    }

    /// Says whether it is a timeout, or an error that has one among its sources.
    ///
    /// What was cancelled because of a timeout is cancelled, and no timeout itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Error;
    ///
    /// // Only a timeout of this library counts, not everything that is called so.
    /// let other = std::io::Error::from(std::io::ErrorKind::TimedOut);
    /// assert!(!Error::new(other).is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.recognised(),
            Some(Content::Boxed(Node {
                kind: Kind::TimedOut { .. },
                ..
            }))
        )
    }

    /// Says whether it is a panic that was caught, or an error that has one among its sources.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!switchback::Error::msg("out of cheese").is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(
            self.recognised(),
            Some(Content::Boxed(Node {
                kind: Kind::Panicked { .. },
                ..
            }))
        )
    }

    /// Says whether the error itself, not one of its sources, is an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Cancelled, Error};
    ///
    /// assert!(Error::cancelled().is::<Cancelled>());
    /// assert!(!Error::msg("cancelled").is::<Cancelled>());
    /// ```
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// Gives access to the error itself if it is an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use switchback::Error;
    ///
    /// let error = Error::new("x".parse::<i32>().unwrap_err());
    /// assert!(error.downcast_ref::<ParseIntError>().is_some());
    /// ```
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        (**self).downcast_ref::<E>()
    }

    /// Takes the error itself out if it is an `E` and nobody else holds it.
    ///
    /// What was attached to it ([`suppressed`](Error::suppressed)) is dropped, unless `E` is one of the library's own
    /// types.
    ///
    /// # Errors
    ///
    /// Gives the error back as it was if it is something else or has other owners. [`Cancelled`], [`TimedOut`] and
    /// [`Panicked`] can be shared, so they are always had.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use switchback::Error;
    ///
    /// let error = Error::new("x".parse::<i32>().unwrap_err());
    /// let other_owner = error.clone();
    /// let error = error.downcast::<ParseIntError>().unwrap_err();
    /// drop(other_owner);
    /// let inner: ParseIntError = error.downcast().unwrap();
    /// # let _ = inner;
    /// ```
    pub fn downcast<E: StdError + Send + Sync + 'static>(self) -> Result<E, Error> {
        convert::into_sized(self)
    }

    /// Says whether both are the same failure: clones of one error.
    ///
    /// Two plain cancellations of the same coroutine are the same, and so are two that user code made without a
    /// message.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Error;
    ///
    /// let error = Error::msg("late");
    /// assert!(error.ptr_eq(&error.clone()));
    /// assert!(!error.ptr_eq(&Error::msg("late")));
    /// ```
    pub fn ptr_eq(&self, other: &Error) -> bool {
        self.0.word() == other.0.word()
    }

    /// Wraps it into a type that implements `std::error::Error`.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Cancelled, Error};
    ///
    /// let wrapped: Box<dyn std::error::Error> = Box::new(Error::cancelled().into_std());
    /// assert!(wrapped.source().unwrap().is::<Cancelled>());
    /// ```
    #[must_use]
    pub fn into_std(self) -> AsStdError {
        AsStdError(self)
    }

    fn other(error: Box<dyn StdError + Send + Sync>) -> Self {
        Error::from_node(Kind::Other(error).into())
    }

    fn from_node(node: Node) -> Self {
        Error(Repr::boxed(node))
    }

    fn content(&self) -> Content<'_> {
        self.0.content()
    }

    fn into_last_node(self) -> Option<Node> {
        self.0.into_last_node()
    }

    fn into_sole_node(self) -> Result<Node, Error> {
        self.0.into_sole_node().map_err(Error)
    }

    /// The first error along the chain whose kind is one of ours.
    fn recognised_error(&self) -> Option<&Error> {
        let mut error = self;
        while let Content::Boxed(Node {
            kind: Kind::Other(user),
            ..
        }) = error.content()
        {
            error = chain::carried(&**user)?;
        }
        Some(error)
    }

    fn recognised(&self) -> Option<Content<'_>> {
        self.recognised_error().map(Error::content)
    }
}

impl Deref for Error {
    type Target = dyn StdError + Send + Sync + 'static;

    fn deref(&self) -> &Self::Target {
        match self.content() {
            Content::Inline { .. } => repr::as_cancelled(self),
            Content::Boxed(node) => match &node.kind {
                Kind::Cancelled { .. } => repr::as_cancelled(self),
                Kind::TimedOut { .. } => repr::as_timed_out(self),
                Kind::Panicked { .. } => repr::as_panicked(self),
                Kind::Foreign { .. } => repr::as_foreign(self),
                Kind::Other(user) => &**user,
            },
        }
    }
}
