//! A panic that was caught at the end of a coroutine.

#![forbid(unsafe_code)]

use super::Error;
use super::node::{Kind, Node};
use super::repr::Content;
use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};
use std::panic;
use std::sync::{Mutex, PoisonError};

/// The failure of a coroutine that panicked.
///
/// The payload is kept for [`Error::resume_unwind`]. It is an [`Error`] known to be of this kind, and turns back
/// into the very same one.
///
/// # Examples
///
/// ```
/// use switchback::{Error, Panicked};
///
/// fn report(error: &Error) -> String {
///     match error.downcast_ref::<Panicked>() {
///         Some(panicked) => format!("a bug: {}", panicked.message().unwrap_or("no text")),
///         None => error.to_string(),
///     }
/// }
///
/// assert_eq!(report(&Error::msg("disk full")), "disk full");
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct Panicked(pub(super) Error);

impl Panicked {
    /// The text of the panic; none if its payload was no text.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Error, Panicked};
    ///
    /// fn text(error: &Error) -> Option<&str> {
    ///     error.downcast_ref::<Panicked>()?.message()
    /// }
    ///
    /// assert_eq!(text(&Error::msg("no panic")), None);
    /// ```
    pub fn message(&self) -> Option<&str> {
        parts(&self.0).and_then(|(message, _)| message)
    }
}

impl Error {
    /// The text of the panic that makes [`is_panic`](Error::is_panic) true, if it has one.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(switchback::Error::msg("no panic").panic_message(), None);
    /// ```
    pub fn panic_message(&self) -> Option<&str> {
        parts(self.recognised_error()?)?.0
    }

    /// Goes on with a panic that was caught, or panics with the error.
    ///
    /// The payload is one and may have many owners: the first of them to call this rethrows it, later ones a panic
    /// with the same text. The panic hook ran when the panic began and is not called again. An error that is no
    /// panic becomes one, with its message and causes as the text.
    ///
    /// # Panics
    ///
    /// Always.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic;
    /// use switchback::Error;
    ///
    /// let payload = panic::catch_unwind(|| Error::msg("disk full").resume_unwind()).unwrap_err();
    /// assert_eq!(payload.downcast_ref::<String>().unwrap(), "disk full");
    /// ```
    #[track_caller]
    pub fn resume_unwind(self) -> ! {
        let Some((message, payload)) = self.recognised_error().and_then(parts) else {
            panic!("{self:#}");
        };
        // A statement of its own, so that the lock is free again before anything unwinds.
        let kept = payload
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let payload = match (kept, message) {
            (Some(payload), _) => payload,
            (None, Some(message)) => Box::new(message.to_owned()),
            (None, None) => Box::new(self.to_string()),
        };
        drop(self);
        panic::resume_unwind(payload)
    }

    /// The failure of a coroutine that panicked with `payload`.
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
            Some(Cow::Borrowed(*text))
        } else if let Some(error) = payload.downcast_ref::<Error>() {
            Some(Cow::Owned(error.to_string()))
        } else {
            payload.downcast_ref::<String>().cloned().map(Cow::Owned)
        };
        Error::from_node(
            Kind::Panicked {
                message,
                payload: Mutex::new(Some(payload)),
            }
            .into(),
        )
    }
}

type Payload = Mutex<Option<Box<dyn Any + Send>>>;

fn parts(error: &Error) -> Option<(Option<&str>, &Payload)> {
    match error.content() {
        Content::Boxed(Node {
            kind: Kind::Panicked { message, payload },
            ..
        }) => Some((message.as_deref(), payload)),
        _ => None,
    }
}

impl Display for Panicked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "panicked: {message}"),
            None => f.write_str("panicked"),
        }
    }
}

impl Debug for Panicked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked")
            .field("message", &self.message())
            .finish()
    }
}

impl StdError for Panicked {}
