//! A channel whose every receiver receives every value: a ring of the latest, for many producers and many consumers.
//!
//! A send never waits. A receiver that is slower than the ring is long is told how many values it has missed.
//!
//! # Examples
//!
//! ```
//! use switchback::prelude::*;
//! use switchback::sync::broadcast;
//!
//! # fn main() -> Result<()> {
//! let (tx, mut rx) = broadcast::channel(16);
//! let mut other = tx.subscribe();
//! run_blocking(|s| {
//!     s.launch(move |_| {
//!         assert_eq!(other.recv()?, "news");
//!         Ok(())
//!     });
//!     tx.send("news")?;
//!     assert_eq!(rx.recv()?, "news");
//!     Ok(())
//! })
//! # }
//! ```

mod error;
mod ring;

use std::fmt;
use std::panic::Location;
use std::result::Result as StdResult;
use std::sync::Arc;

pub use error::{RecvError, TryRecvError};

use crate::scheduler::budget::{self, MESSAGE};
use crate::scheduler::thread;
use crate::sync::channel::SendError;
use crate::sync::line::Line;
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

use ring::{Found, Ring};

static RECEIVE: Label = Label("receive");

/// What all ends share. A value is in an `Arc`, so that it is cloned, which is the user's code, outside the lock.
struct Hub<T> {
    line: Line<Task, Ring<Arc<T>>, Option<Arc<T>>>,
}

/// Makes a channel that keeps so many values for receivers that are behind.
///
/// # Suspension
///
/// Never suspends; [`Receiver::recv`] does.
///
/// # Panics
///
/// If `capacity` is 0.
///
/// # Examples
///
/// ```
/// let (tx, mut rx) = switchback::sync::broadcast::channel(4);
/// assert_eq!(tx.send(1).unwrap(), 1);
/// assert_eq!(rx.recv().unwrap(), 1);
/// ```
#[must_use]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel keeps at least one value");
    let hub = Arc::new(Hub {
        line: Line::new(Ring::new(capacity)),
    });
    let receiver = Receiver {
        hub: Arc::clone(&hub),
        next: 0,
    };
    (Sender { hub }, receiver)
}

/// The end that sends. Clones send into the same channel; when the last is dropped the channel is closed.
pub struct Sender<T> {
    hub: Arc<Hub<T>>,
}

impl<T> Sender<T> {
    /// Sends a value to all receivers there are at this moment, and tells how many those are. The oldest value is lost to
    /// those who have not received it, if the ring is full.
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
    /// Gives the value back if there is no receiver. There may be one later.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::broadcast::channel(4);
    /// drop(rx);
    /// assert_eq!(tx.send(1).unwrap_err().into_value(), Some(1));
    /// ```
    pub fn send(&self, value: T) -> StdResult<usize, SendError<T>> {
        let value = Arc::new(value);
        let claimed = Claimed::new();
        let held = self.hub.line.lock();
        let receivers = held.state(|ring| ring.receivers());
        if receivers == 0 {
            drop(held);
            let value = Arc::into_inner(value).expect("nobody else has seen it");
            return Err(SendError::closed(value, None));
        }
        let mut handed = 0;
        held.claim_all(
            |slot| {
                handed += 1;
                *slot = Some(Arc::clone(&value));
            },
            claimed.adder(),
        );
        let oldest = held.state(|ring| ring.push(value, receivers - handed));
        drop(held);
        claimed.hand_back();
        // The user's destructor, outside the lock.
        drop(oldest);
        Ok(receivers)
    }

    /// A new receiver, of what is sent from now on.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = switchback::sync::broadcast::channel(4);
    /// let mut rx = tx.subscribe();
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::at_the_end_of(&self.hub)
    }

    /// How many receivers there are.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = switchback::sync::broadcast::channel::<i32>(4);
    /// assert_eq!(tx.receiver_count(), 1);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.hub.line.lock().state(|ring| ring.receivers())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.hub.line.lock().state(Ring::add_sender);
        Self {
            hub: Arc::clone(&self.hub),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let claimed = Claimed::new();
        let held = self.hub.line.lock();
        if held.state(Ring::drop_sender) {
            held.claim_all(|_| (), claimed.adder());
        }
        drop(held);
        claimed.hand_back();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("broadcast::Sender")
            .field("receivers", &self.receiver_count())
            .finish()
    }
}

/// An end that receives: every value that is sent while it is there, in order.
pub struct Receiver<T> {
    hub: Arc<Hub<T>>,
    /// The number of the value that is to be received next.
    next: u64,
}

impl<T> Receiver<T> {
    fn at_the_end_of(hub: &Arc<Hub<T>>) -> Self {
        let next = hub.line.lock().state(Ring::add_receiver);
        Self {
            hub: Arc::clone(hub),
            next,
        }
    }

    /// Another receiver of the same channel, of what is sent from now on.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::broadcast::channel(4);
    /// tx.send(1).unwrap();
    /// let mut late = rx.resubscribe();
    /// assert!(late.try_recv().unwrap_err().is_empty());
    /// ```
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self::at_the_end_of(&self.hub)
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value.
    ///
    /// # Suspension
    ///
    /// Until there is a value, or the channel is closed. On a plain thread it parks the thread. Who always finds one [gives
    /// way](crate::sync#giving-way).
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. A value that was handed to it first, it
    /// has received all the same.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if it was too slow: so many values are lost to it, and it goes on with the oldest that is
    /// kept. [`RecvError::Closed`] when all was received and no sender is left. [`RecvError::Refused`] for a cancellation.
    ///
    /// # Panics
    ///
    /// If `clone` of the value does.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::broadcast::{self, RecvError};
    ///
    /// let (tx, mut rx) = broadcast::channel(2);
    /// for n in 1..=5 {
    ///     tx.send(n).unwrap();
    /// }
    /// assert!(matches!(rx.recv(), Err(RecvError::Lagged(3))));
    /// assert_eq!(rx.recv().unwrap(), 4);
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> StdResult<T, RecvError> {
        let here = thread::here();
        here.check()
            .and_then(|()| budget::spend(&here, MESSAGE))
            .map_err(RecvError::Refused)?;
        let held = self.hub.line.lock();
        match held.state(|ring| ring.take(&mut self.next)) {
            Found::Value(value) => {
                drop(held);
                return Ok(Arc::unwrap_or_clone(value));
            }
            Found::Lagged(missed) => return Err(RecvError::Lagged(missed)),
            Found::Closed => return Err(RecvError::Closed),
            Found::Empty => {}
        }
        let point = Point {
            label: &RECEIVE,
            place: Location::caller(),
        };
        let waited = wait_in_line(&here, held, point, None).map_err(RecvError::Refused)?;
        match (waited.slot, waited.woken) {
            (Some(value), _) => {
                self.next += 1;
                Ok(Arc::unwrap_or_clone(value))
            }
            (None, Woken::Cancelled) => Err(RecvError::Refused(here.cancelled())),
            (None, Woken::Value) => Err(RecvError::Closed),
        }
    }

    /// Takes the next value if there is one.
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
    /// If there is none, if it was too slow, if the channel is closed.
    ///
    /// # Panics
    ///
    /// If `clone` of the value does.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = switchback::sync::broadcast::channel(2);
    /// assert!(rx.try_recv().unwrap_err().is_empty());
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// ```
    pub fn try_recv(&mut self) -> StdResult<T, TryRecvError> {
        let found = self.hub.line.lock().state(|ring| ring.take(&mut self.next));
        match found {
            Found::Value(value) => Ok(Arc::unwrap_or_clone(value)),
            Found::Empty => Err(TryRecvError::Empty),
            Found::Lagged(missed) => Err(TryRecvError::Lagged(missed)),
            Found::Closed => Err(TryRecvError::Closed),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // One value at a time, so that the user's destructors run outside the lock.
        let mut next = Some(self.next);
        while let Some(at) = next {
            let unseen;
            (unseen, next) = self.hub.line.lock().state(|ring| ring.drop_receiver_at(at));
            drop(unseen);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = self.hub.line.lock().state(|ring| ring.behind(self.next));
        f.debug_struct("broadcast::Receiver")
            .field("behind", &behind)
            .finish()
    }
}
