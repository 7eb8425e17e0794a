//! Channels.
//!
//! - [`core`] is the protocol: buffer, waiters, end; it knows nothing of suspension. [`state`] is what its lock guards, [`batch`]
//!   what receivers take at once.
//! - [`hub`] is what the two ends share; [`sender`] and [`receiver`] are the ends.
//! - [`produce`] ties a coroutine to a channel, [`consume`] a channel to a piece of code; [`ticker`] is such a coroutine.

mod batch;
mod capacity;
mod consume;
pub(crate) mod core;
pub(super) mod error;
pub(super) mod hub;
mod iter;
mod produce;
mod receiver;
mod sender;
mod state;
mod ticker;

use std::fmt;
use std::sync::Arc;

pub use capacity::Capacity;
pub use error::{Closed, ClosedForReceive, ClosedForSend, SendError, TryRecvError, TrySendError};
pub use iter::{IntoIter, Iter};
pub use receiver::Receiver;
pub use sender::Sender;
pub use ticker::{TickerMode, ticker, ticker_with};

use hub::{Hub, Undelivered};

/// Makes a channel: elements go in at one end and come out at the other, in order, each once.
///
/// Both ends can be cloned and sent to any coroutine or thread. It is closed by [`Sender::close`], when its last `Sender`
/// is dropped, or, for both sides, by [`Receiver::cancel`] and when its last `Receiver` is dropped.
///
/// # Suspension
///
/// Never suspends; [`Sender::send`] and [`Receiver::recv`] do.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (tx, rx) = channel(Capacity::buffered(8));
/// let sum = with_context(Dispatchers::default(), |s| {
///     for n in 0..10 {
///         let tx = tx.clone();
///         s.launch(move |_| Ok(tx.send(n * n)?));
///     }
///     drop(tx);
///     rx.iter().sum::<Result<i32>>()
/// })?;
/// assert_eq!(sum, 285);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn channel<T>(capacity: Capacity) -> (Sender<T>, Receiver<T>) {
    ChannelBuilder::new(capacity).build()
}

/// Makes a channel that has more to it than its capacity.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use switchback::prelude::*;
/// use switchback::sync::ChannelBuilder;
///
/// # fn main() -> Result<()> {
/// let (lost, found) = mpsc::channel();
/// let (tx, rx) = ChannelBuilder::new(Capacity::drop_oldest(1))
///     .on_undelivered_element(move |n| lost.send(n).unwrap())
///     .build();
/// for n in 1..=3 {
///     tx.send(n)?;
/// }
/// drop(rx);
/// assert_eq!(found.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[must_use = "`build` makes the channel"]
pub struct ChannelBuilder<T> {
    capacity: Capacity,
    undelivered: Option<Undelivered<T>>,
}

impl<T> ChannelBuilder<T> {
    /// Begins with a capacity.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            undelivered: None,
        }
    }

    /// What is done, instead of dropping it, with an element that the channel has taken and nobody will receive: because
    /// another one took its place ([`Capacity::conflated`] and its kin), because the channel was cancelled, or because its
    /// last receiver is gone.
    ///
    /// A `send` that fails gives its element back; that one is not undelivered.
    ///
    /// The handler runs in the call that loses the element. It must not suspend; a panic in it is reported and goes no
    /// further.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::ChannelBuilder;
    ///
    /// let (tx, rx) = ChannelBuilder::new(Capacity::drop_latest(1))
    ///     .on_undelivered_element(|n| println!("{n} was lost"))
    ///     .build();
    /// tx.try_send(1).unwrap();
    /// tx.try_send(2).unwrap();
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// ```
    pub fn on_undelivered_element(mut self, handler: impl Fn(T) + Send + Sync + 'static) -> Self {
        self.undelivered = Some(Box::new(handler));
        self
    }

    /// Makes the channel.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn build(self) -> (Sender<T>, Receiver<T>) {
        let hub = Arc::new(Hub::new(self.capacity, self.undelivered));
        (Sender::new(Arc::clone(&hub)), Receiver::new(hub))
    }
}

impl<T> fmt::Debug for ChannelBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("capacity", &self.capacity)
            .field("on_undelivered_element", &self.undelivered.is_some())
            .finish()
    }
}
