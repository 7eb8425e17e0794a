//! How a channel says no.
//!
//! None of these implements `std::error::Error`: some carry a value, which an error that travels must not, and all of them
//! turn into the error that is behind them rather than wrap it. `?` makes an [`Error`] of each.

use std::error::Error as StdError;
use std::fmt;

use crate::error::Error;

/// A channel that is closed for sending, as an error: what `?` makes of a [`SendError`] where the channel was closed
/// without a cause. Kotlin's `ClosedSendChannelException`.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::ClosedForSend;
///
/// let (tx, rx) = channel(Capacity::unlimited());
/// drop(rx);
/// let error = Error::from(tx.send(1).unwrap_err());
/// assert!(error.is::<ClosedForSend>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedForSend;

impl fmt::Display for ClosedForSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed for sending")
    }
}

impl StdError for ClosedForSend {}

/// A channel that is closed and empty, as an error: what a receive fails with where the channel was closed without a cause.
/// Kotlin's `ClosedReceiveChannelException`.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::ClosedForReceive;
///
/// let (tx, rx) = channel::<i32>(Capacity::unlimited());
/// drop(tx);
/// assert!(rx.recv().unwrap_err().is::<ClosedForReceive>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedForReceive;

impl fmt::Display for ClosedForReceive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed and empty")
    }
}

impl StdError for ClosedForReceive {}

/// The answer of a channel that is closed and empty: an ordinary one, with the cause if there is one.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (tx, rx) = channel::<i32>(Capacity::unlimited());
/// tx.close_with(Error::msg("the source broke"));
/// let closed = rx.recv_catching()?.unwrap_err();
/// assert_eq!(closed.cause().unwrap().to_string(), "the source broke");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Closed {
    pub(in crate::sync) cause: Option<Error>,
}

impl Closed {
    /// What the channel was closed or cancelled with; none if it just ended.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    /// drop(tx);
    /// assert!(rx.recv_catching()?.unwrap_err().cause().is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    pub(in crate::sync) fn for_send(cause: Option<Error>) -> Error {
        cause.unwrap_or_else(|| Error::new(ClosedForSend))
    }

    pub(super) fn for_receive(cause: Option<Error>) -> Error {
        cause.unwrap_or_else(|| Error::new(ClosedForReceive))
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "the channel is closed: {cause}"),
            None => f.write_str("the channel is closed"),
        }
    }
}

/// What a receive fails with: the cause, or [`ClosedForReceive`].
impl From<Closed> for Error {
    fn from(closed: Closed) -> Self {
        Closed::for_receive(closed.cause)
    }
}

/// A send that has failed, with the value if it was not sent.
///
/// `?` makes an [`Error`] of it: the cancellation of the one who wanted to send, the cause with which the channel was
/// closed, or [`ClosedForSend`].
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// let (tx, rx) = channel(Capacity::rendezvous());
/// drop(rx);
/// let error = tx.send(String::from("precious")).unwrap_err();
/// assert!(error.is_closed());
/// assert_eq!(error.into_value().unwrap(), "precious");
/// ```
pub struct SendError<T> {
    value: Option<T>,
    error: Error,
    is_closed: bool,
}

impl<T> SendError<T> {
    /// The sender is cancelled, or must not wait here.
    pub(super) fn refused(value: T, error: Error) -> Self {
        Self::cancelled(Some(value), error)
    }

    /// The sender was cancelled, perhaps after its value had been taken.
    pub(super) fn cancelled(value: Option<T>, error: Error) -> Self {
        Self {
            value,
            error,
            is_closed: false,
        }
    }

    pub(in crate::sync) fn closed(value: T, cause: Option<Error>) -> Self {
        Self {
            value: Some(value),
            error: Closed::for_send(cause),
            is_closed: true,
        }
    }

    /// The value that was not sent.
    ///
    /// `None` in one case: the channel had taken it, and then, before the sender ran again, the sender was cancelled. It
    /// will be received, or has been; to send it again would double it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::rendezvous());
    /// run_blocking(|s| {
    ///     let job = s.launch(|_| {
    ///         let error = tx.send(7).unwrap_err();
    ///         assert!(error.error().is_cancelled());
    ///         assert_eq!(error.into_value(), None); // it was received
    ///     });
    ///     yield_()?; // it waits
    ///     assert_eq!(rx.recv()?, 7);
    ///     job.cancel_and_join()
    /// })?;
    /// drop(rx);
    /// assert_eq!(tx.send(8).unwrap_err().into_value(), Some(8));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// Why it failed.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let (tx, rx) = channel(Capacity::rendezvous());
    /// rx.cancel_with("enough");
    /// assert_eq!(tx.send(7).unwrap_err().error().to_string(), "cancelled: enough");
    /// ```
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Both the value, as [`into_value`](SendError::into_value) gives it, and the reason.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let (tx, _rx) = channel(Capacity::rendezvous());
    /// tx.close_with(Error::msg("maintenance"));
    /// let (value, reason) = tx.send(7).unwrap_err().into_parts();
    /// assert_eq!((value, reason.to_string().as_str()), (Some(7), "maintenance"));
    /// ```
    pub fn into_parts(self) -> (Option<T>, Error) {
        (self.value, self.error)
    }

    /// Whether the channel was closed or cancelled; if not, the sender itself was cancelled, or must not wait where it is.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, _rx) = channel(Capacity::rendezvous());
    /// run_blocking(|s| {
    ///     let job = s.launch(|s| {
    ///         s.cancel();
    ///         assert!(!tx.send(7).unwrap_err().is_closed());
    ///     });
    ///     job.join()
    /// })
    /// # }
    /// ```
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(error: SendError<T>) -> Self {
        error.error
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("error", &format_args!("{:#}", self.error))
            .field("is_closed", &self.is_closed)
            .field("has_value", &self.value.is_some())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

/// A send that did not succeed at once, with the value.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::TrySendError;
///
/// let (tx, rx) = channel(Capacity::rendezvous());
/// assert!(matches!(tx.try_send(1), Err(TrySendError::Full(1))));
/// drop(rx);
/// assert!(matches!(tx.try_send(2), Err(TrySendError::Closed(2, _))));
/// ```
pub enum TrySendError<T> {
    /// There is no room, and no receiver waits.
    Full(T),
    /// The channel is closed or cancelled.
    Closed(T, Closed),
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn into_value(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value, _) => value,
        }
    }

    /// Whether there was no room.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the channel is closed or cancelled.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(..))
    }
}

impl<T> From<TrySendError<T>> for Error {
    fn from(error: TrySendError<T>) -> Self {
        match error {
            TrySendError::Full(_) => Error::msg("the channel is full"),
            TrySendError::Closed(_, closed) => Closed::for_send(closed.cause),
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_, closed) => write!(f, "Closed(.., {closed:?})"),
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the channel is full"),
            Self::Closed(_, closed) => fmt::Display::fmt(closed, f),
        }
    }
}

/// A receive that did not succeed at once.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::TryRecvError;
///
/// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
/// assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
/// drop(tx);
/// assert!(matches!(rx.try_recv(), Err(TryRecvError::Closed(_))));
/// ```
#[derive(Clone, Debug)]
pub enum TryRecvError {
    /// There is nothing yet.
    Empty,
    /// The channel is closed, and nothing is left in it.
    Closed(Closed),
}

impl TryRecvError {
    pub(in crate::sync) fn closed() -> Self {
        Self::Closed(Closed { cause: None })
    }

    /// Whether there was nothing yet.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether the channel is closed, and nothing is left in it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl From<TryRecvError> for Error {
    fn from(error: TryRecvError) -> Self {
        match error {
            TryRecvError::Empty => Error::msg("the channel is empty"),
            TryRecvError::Closed(closed) => closed.into(),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the channel is empty"),
            Self::Closed(closed) => fmt::Display::fmt(closed, f),
        }
    }
}
