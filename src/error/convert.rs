//! From other errors, and to them.

#![forbid(unsafe_code)]

use super::node::{Kind, Node};
use super::{Cancelled, Error, Panicked, Result, TimedOut, chain};
use std::any::Any;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};
use std::io;

/// An [`Error`] as a type that implements `std::error::Error`.
///
/// It prints as the error does, and its [`source`](StdError::source) is the error itself: much code (`io::Error`,
/// boxed `anyhow` errors, transparent variants) shows a wrapped error's source instead of it, and so shows what it
/// should. A program that prints the chain may therefore print one message twice.
///
/// # Examples
///
/// ```
/// use std::{error, fmt};
/// use switchback::{AsStdError, Error};
///
/// #[derive(Debug)]
/// struct LoadError {
///     source: AsStdError,
/// }
///
/// impl fmt::Display for LoadError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("loading failed")
///     }
/// }
///
/// impl error::Error for LoadError {
///     fn source(&self) -> Option<&(dyn error::Error + 'static)> {
///         Some(&self.source)
///     }
/// }
///
/// let error = Error::new(LoadError { source: Error::cancelled().into_std() });
/// assert_eq!(format!("{error:#}"), "loading failed: cancelled");
/// assert!(error.is_cancelled());
/// ```
#[derive(Clone)]
pub struct AsStdError(pub(super) Error);

impl AsStdError {
    /// Gives access to the error.
    ///
    /// # Examples
    ///
    /// ```
    /// let wrapped = switchback::Error::cancelled().into_std();
    /// assert!(wrapped.error().is_cancelled());
    /// ```
    pub fn error(&self) -> &Error {
        &self.0
    }

    /// Takes the error out, as `Error::from` does.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = switchback::Error::msg("disk full");
    /// assert!(error.clone().into_std().into_inner().ptr_eq(&error));
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Error {
        self.0
    }
}

impl Display for AsStdError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl Debug for AsStdError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

impl StdError for AsStdError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// The error that [`Error::msg`] makes.
pub(super) struct Message(pub(super) String);

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

impl StdError for Message {}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Error::new(error)
    }
}

impl From<Error> for AsStdError {
    fn from(error: Error) -> Self {
        AsStdError(error)
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(AsStdError(error))
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(AsStdError(error))
    }
}

/// For implementations of `Read` and `Write`.
///
/// The kind is `TimedOut` for a timeout, that of an `io::Error` for what was one, else `Other`. It is never
/// `Interrupted`, which would make `read_exact` and its kin try again for ever. The source of the result is the
/// error.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = io_kind(&error);
        // What was an `io::Error` comes back as it was, with the number of the system's error, if no one else holds
        // it.
        let is_plain = error
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == kind);
        if !is_plain || !error.suppressed().is_empty() {
            return io::Error::new(kind, AsStdError(error));
        }
        error
            .downcast()
            .unwrap_or_else(|shared| io::Error::new(kind, AsStdError(shared)))
    }
}

impl AsRef<dyn StdError + Send + Sync> for Error {
    fn as_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &**self
    }
}

impl AsRef<dyn StdError> for Error {
    fn as_ref(&self) -> &(dyn StdError + 'static) {
        &**self
    }
}

pub(super) fn from_sized<E: StdError + Send + Sync + 'static>(error: E) -> Error {
    let error = match same::<E, AsStdError>(error) {
        Ok(wrapped) => return wrapped.0,
        Err(error) => error,
    };
    let error = match same::<E, Cancelled>(error) {
        Ok(view) => return view.0,
        Err(error) => error,
    };
    let error = match same::<E, TimedOut>(error) {
        Ok(view) => return view.0,
        Err(error) => error,
    };
    let error = match same::<E, Panicked>(error) {
        Ok(view) => return view.0,
        Err(error) => error,
    };
    match (&error as &dyn Any).downcast_ref().and_then(carried_by_io) {
        Some(carried) => carried,
        None => Error::other(Box::new(error)),
    }
}

pub(super) fn from_box(error: Box<dyn StdError + Send + Sync>) -> Error {
    let carried = match chain::ours(&*error) {
        Some(ours) => Some(ours.clone()),
        None => error.downcast_ref().and_then(carried_by_io),
    };
    carried.unwrap_or_else(|| Error::other(error))
}

pub(super) fn into_sized<E: StdError + Send + Sync + 'static>(error: Error) -> Result<E, Error> {
    if !error.is::<E>() {
        return Err(error);
    }
    // A view of the right type, or one of ours that is not wanted: `E` is the user's type then.
    let error = match same::<Cancelled, E>(Cancelled(error)) {
        Ok(view) => return Ok(view),
        Err(view) => view.0,
    };
    let error = match same::<TimedOut, E>(TimedOut(error)) {
        Ok(view) => return Ok(view),
        Err(view) => view.0,
    };
    let error = match same::<Panicked, E>(Panicked(error)) {
        Ok(view) => return Ok(view),
        Err(view) => view.0,
    };
    let Node { kind, suppressed } = error.into_sole_node()?;
    match kind {
        Kind::Other(user) => user.downcast::<E>().map(|user| *user).map_err(|user| {
            Error::from_node(Node {
                kind: Kind::Other(user),
                suppressed,
            })
        }),
        kind => Err(Error::from_node(Node { kind, suppressed })),
    }
}

/// The error that an `io::Error` was made of, if it says nothing more than that.
fn carried_by_io(io: &io::Error) -> Option<Error> {
    let carried = chain::ours(io.get_ref()?)?;
    (io.kind() == io_kind(carried)).then(|| carried.clone())
}

fn io_kind(error: &Error) -> io::ErrorKind {
    if error.is_timeout() {
        return io::ErrorKind::TimedOut;
    }
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(kind) if kind != io::ErrorKind::Interrupted && !error.is_cancelled() => kind,
        _ => io::ErrorKind::Other,
    }
}

/// Turns an `A` into a `B` if they are the same type; decided when compiling, so only one branch is left.
fn same<A: 'static, B: 'static>(value: A) -> std::result::Result<B, A> {
    let mut slot = Some(value);
    if let Some(found) = (&mut slot as &mut dyn Any)
        .downcast_mut::<Option<B>>()
        .and_then(Option::take)
    {
        return Ok(found);
    }
    Err(slot.expect("only a `B` was taken out"))
}
