//! A channel for one value: an answer, a result, a last word.
//!
//! # Examples
//!
//! ```
//! use switchback::prelude::*;
//! use switchback::sync::oneshot;
//!
//! # fn main() -> Result<()> {
//! let (tx, rx) = oneshot::channel();
//! run_blocking(|s| {
//!     s.launch(move |_| {
//!         delay(ms(1))?;
//!         Ok(tx.send(42)?)
//!     });
//!     assert_eq!(rx.recv()?, 42);
//!     Ok(())
//! })
//! # }
//! ```

pub(crate) mod core;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sync::channel::{ClosedForReceive, SendError, TryRecvError};
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

use self::core::{Core, Found};

static RECEIVE: Label = Label("receive");

/// Makes a channel for one value.
///
/// # Suspension
///
/// Never suspends; [`Receiver::recv`] does.
///
/// # Examples
///
/// ```
/// let (tx, rx) = switchback::sync::oneshot::channel();
/// tx.send(1).unwrap();
/// assert_eq!(rx.recv().unwrap(), 1);
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let core = Arc::new(core::open());
    let sender = Sender {
        core: Some(Arc::clone(&core)),
    };
    (sender, Receiver { core })
}

/// The end that sends, once. Dropped without having sent, it closes the channel.
pub struct Sender<T> {
    /// Taken by the send.
    core: Option<Arc<Core<Task, T>>>,
}

impl<T> Sender<T> {
    fn core(&self) -> &Core<Task, T> {
        self.core.as_ref().expect("a sender sends once")
    }

    /// Sends the value. It is kept until the receiver takes it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver has been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::oneshot::channel();
    /// drop(rx);
    /// assert_eq!(tx.send(1).unwrap_err().into_value(), Some(1));
    /// ```
    pub fn send(mut self, value: T) -> std::result::Result<(), SendError<T>> {
        let core = self.core.take().expect("a sender sends once");
        let sent = core.lock().send(value);
        match sent {
            Ok(claimed) => {
                Claimed::hand_back_one(claimed);
                Ok(())
            }
            Err(value) => Err(SendError::closed(value, None)),
        }
    }

    /// Whether the receiver has been dropped, so that a value would come back.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::oneshot::channel::<i32>();
    /// assert!(!tx.is_closed());
    /// drop(rx);
    /// assert!(tx.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core().lock().is_unwanted()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            let claimed = core.lock().drop_sender();
            Claimed::hand_back_one(claimed);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("oneshot::Sender")
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// The end that receives, once. Dropped, it closes the channel, and a value that was sent is dropped with it.
pub struct Receiver<T> {
    core: Arc<Core<Task, T>>,
}

impl<T> Receiver<T> {
    /// Waits for the value.
    ///
    /// # Suspension
    ///
    /// Until the value is sent, or the sender dropped. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. A value that was sent while it waited, it
    /// has received all the same.
    ///
    /// # Errors
    ///
    /// A cancellation; [`ClosedForReceive`] if the sender was dropped without having sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::sync::{ClosedForReceive, oneshot};
    /// let (tx, rx) = oneshot::channel::<i32>();
    /// drop(tx);
    /// assert!(rx.recv().unwrap_err().is::<ClosedForReceive>());
    /// ```
    #[track_caller]
    pub fn recv(self) -> Result<T> {
        let here = thread::here();
        here.check()?;
        let held = self.core.lock();
        match held.take() {
            Found::Value(value) => return Ok(value),
            Found::Closed => return Err(Error::new(ClosedForReceive)),
            Found::Empty => {}
        }
        let point = Point {
            label: &RECEIVE,
            place: Location::caller(),
        };
        let waited = wait_in_line(&here, held, point, None)?;
        // Cancelled or not: what was sent to us is received.
        let value = waited.slot.or_else(|| match self.core.lock().take() {
            Found::Value(value) => Some(value),
            Found::Empty | Found::Closed => None,
        });
        match (value, waited.woken) {
            (Some(value), _) => Ok(value),
            (None, Woken::Cancelled) => Err(here.cancelled()),
            (None, Woken::Value) => Err(Error::new(ClosedForReceive)),
        }
    }

    /// Takes the value if it was sent.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Errors
    ///
    /// If nothing was sent yet, and if the channel is closed: by the sender, or because the value was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = switchback::sync::oneshot::channel();
    /// assert!(rx.try_recv().unwrap_err().is_empty());
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// assert!(rx.try_recv().unwrap_err().is_closed());
    /// ```
    pub fn try_recv(&mut self) -> std::result::Result<T, TryRecvError> {
        let found = self.core.lock().take();
        match found {
            Found::Value(value) => Ok(value),
            Found::Empty => Err(TryRecvError::Empty),
            Found::Closed => Err(TryRecvError::closed()),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unreceived = self.core.lock().drop_receiver();
        drop(unreceived);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_awaited = self.core.lock().is_awaited();
        f.debug_struct("oneshot::Receiver")
            .field("is_awaited", &is_awaited)
            .finish()
    }
}
