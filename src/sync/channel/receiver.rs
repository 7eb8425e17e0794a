//! The end that receives.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::scheduler::budget::{self, MESSAGE};
use crate::scheduler::thread;
use crate::scope::job::Job;
use crate::sync::channel::batch::Batch;
use crate::sync::channel::core::Take;
use crate::sync::channel::error::{Closed, TryRecvError};
use crate::sync::channel::hub::Hub;
use crate::sync::channel::iter::{IntoIter, Iter};
use crate::sync::park::{Claimed, prepare};
use crate::sync::wait_list::Node;
use crate::task::label::Label;
use crate::task::word::Woken;

static RECEIVE: Label = Label("receive");

/// The end of a [`channel`](crate::sync::channel()) that receives.
///
/// A handle: its clones receive from the same channel, each element going to one of them. When the last one is dropped,
/// the channel is closed for sending, and what is left in it is dropped.
///
/// It is iterated over as `Result`s: see [`iter`](Receiver::iter).
pub struct Receiver<T> {
    pub(in crate::sync) hub: Arc<Hub<T>>,
    /// What receivers have taken at once, of an unlimited channel. Found without a look at what producers write all the time.
    batch: Option<Arc<Batch<T>>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(hub: Arc<Hub<T>>) -> Self {
        let batch = hub.core.batch().cloned();
        Self { hub, batch }
    }

    /// Receives the next element.
    ///
    /// # Suspension
    ///
    /// While there is none. On a plain thread it parks the thread. Who always finds one [gives way](crate::sync#giving-way).
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; nothing was taken then. An element that
    /// was handed to it before the cancellation is returned, and the cancellation is met at the next suspending call.
    ///
    /// # Fairness
    ///
    /// Receivers that wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// A cancellation. If the channel is closed and empty: the cause with which it was closed or cancelled, else
    /// [`ClosedForReceive`](crate::sync::ClosedForReceive).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::buffered(1));
    /// std::thread::spawn(move || tx.send(42));
    /// assert_eq!(rx.recv()?, 42);
    /// assert!(rx.recv().is_err(), "the sender is gone");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[inline(always)]
    pub fn recv(&self) -> Result<T> {
        self.receive(Location::caller())?.map_err(Error::from)
    }

    /// As [`recv`](Receiver::recv), but the end of the channel is an ordinary answer: `Ok(Err(closed))`. Kotlin's
    /// `receiveCatching`.
    ///
    /// # Suspension
    ///
    /// As for [`recv`](Receiver::recv).
    ///
    /// # Cancellation
    ///
    /// As for [`recv`](Receiver::recv).
    ///
    /// # Errors
    ///
    /// Only the cancellation of the one who receives.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::unlimited());
    /// for n in [1, 2, 3] {
    ///     tx.send(n)?;
    /// }
    /// drop(tx);
    /// let mut sum = 0;
    /// while let Ok(n) = rx.recv_catching()? {
    ///     sum += n;
    /// }
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[inline(always)]
    pub fn recv_catching(&self) -> Result<Result<T, Closed>> {
        self.receive(Location::caller())
    }

    #[inline(always)]
    fn receive(&self, place: &'static Location<'static>) -> Result<Result<T, Closed>> {
        let here = thread::here();
        here.check()?;
        budget::spend(&here, MESSAGE)?;
        let core = &self.hub.core;
        let locked = match &self.batch {
            None => core.lock_by(here.thread()),
            Some(batch) => {
                if let Some(element) = batch.take(here.thread()) {
                    return Ok(Ok(element));
                }
                if !here.home().has_ready() {
                    batch.await_more();
                }
                let locked = core.lock_by(here.thread());
                if let Some(element) = locked.take_many(batch) {
                    return Ok(Ok(element));
                }
                locked
            }
        };
        let mut claimed = None;
        match locked.take_unbatched(|task| claimed = Some(task)) {
            Take::Element(element) => {
                drop(locked);
                Claimed::hand_back_one(claimed);
                return Ok(Ok(element));
            }
            Take::Ended(cause) => return Ok(Err(Closed { cause })),
            Take::Empty => {}
        }
        let generation = match prepare(&here) {
            Ok(generation) => generation,
            Err(refusal) => {
                drop(locked);
                return Err(refusal);
            }
        };
        let node = Node::new(here.task(), None);
        here.mark(&RECEIVE, place);
        // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave_receivers` has unlinked
        // it.
        unsafe { locked.wait_to_receive(&node, generation, || here.publish(generation, true)) };
        let woken = here.park(generation, true, || {
            // SAFETY: linked above.
            unsafe { self.hub.core.lock().leave_receivers(&node) }
        });
        // SAFETY: the wait is over, so the node is idle.
        let element = unsafe { node.with_slot(Option::take) };
        match (woken, element) {
            // Cancelled or not: it was handed to us, and to nobody else.
            (_, Some(element)) => Ok(Ok(element)),
            (Woken::Cancelled, None) => Err(here.cancelled()),
            // Cancellation wins until the moment of resumption, where nothing is lost by it.
            (Woken::Value, None) if here.is_cancelled() => Err(here.cancelled()),
            (Woken::Value, None) => {
                let end = self.hub.core.lock().end();
                let cause = end.flatten();
                Ok(Err(Closed { cause }))
            }
        }
    }

    /// Receives an element if there is one.
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
    /// Says whether there is nothing yet or nothing any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::TryRecvError;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::buffered(1));
    /// assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    /// tx.send(1)?;
    /// tx.close();
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// assert!(matches!(rx.try_recv(), Err(TryRecvError::Closed(_))));
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut claimed = None;
        let take = self.hub.core.lock().take(|task| claimed = Some(task));
        match take {
            Take::Element(element) => {
                Claimed::hand_back_one(claimed);
                Ok(element)
            }
            Take::Empty => Err(TryRecvError::Empty),
            Take::Ended(cause) => Err(TryRecvError::Closed(Closed { cause })),
        }
    }

    /// The elements as they come, until the channel is closed and empty.
    ///
    /// Each is a `Result`: a cancellation of the one who iterates, or the cause with which the channel was closed, is the
    /// last item. A channel that was closed without a cause just ends. `for element in &receiver` is the same.
    ///
    /// # Suspension
    ///
    /// Each step, as for [`recv`](Receiver::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::rendezvous());
    /// run_blocking(|s| {
    ///     s.launch(move |_| {
    ///         for n in 1..=3 {
    ///             tx.send(n)?;
    ///         }
    ///         Ok(()) // `tx` is dropped: the channel ends
    ///     });
    ///     let mut squares = Vec::new();
    ///     for n in &rx {
    ///         let n = n?;
    ///         squares.push(n * n);
    ///     }
    ///     assert_eq!(squares, [1, 4, 9]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Says that nobody wants more: the channel is closed for sending, what is in it is dropped, and whoever waits at either
    /// end is told. Afterwards sends and receives fail with a cancellation that belongs to nobody.
    ///
    /// If the channel was closed before, the first cause stays.
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
    /// let (tx, rx) = channel(Capacity::buffered(5));
    /// tx.send(1)?;
    /// rx.cancel();
    /// assert!(rx.recv().unwrap_err().is_cancelled());
    /// assert!(tx.send(2).unwrap_err().error().is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.cancel_with("the channel was cancelled");
    }

    /// As [`cancel`](Receiver::cancel), with a message that the others see.
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
    /// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    /// rx.cancel_with("not needed");
    /// assert_eq!(tx.send(1).unwrap_err().to_string(), "cancelled: not needed");
    /// ```
    pub fn cancel_with(&self, message: impl Into<Cow<'static, str>>) {
        self.hub.cancel(Some(Error::cancelled_with(message)));
    }

    /// As [`cancel`](Receiver::cancel), with an error: a cancellation that belongs to nobody is used as it is, another error
    /// becomes the cause of one.
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
    /// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    /// rx.cancel_because(Error::msg("disk full"));
    /// let error = Error::from(tx.send(1).unwrap_err());
    /// assert!(error.is_cancelled());
    /// assert_eq!(error.source().unwrap().to_string(), "disk full");
    /// ```
    pub fn cancel_because(&self, error: impl Into<Error>) {
        let error = error.into();
        let cancellation = error.cancellation();
        let cause = if cancellation.is_some_and(|cancelled| cancelled.owner().is_none()) {
            error
        } else {
            let message = Cow::Borrowed("the channel was cancelled");
            Error::cancelled_because(0, Some(message), Some(error))
        };
        self.hub.cancel(Some(cause));
    }

    /// The job of the coroutine that sends, if the channel is that of a [`produce`](crate::Scope::produce).
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
    /// run_blocking(|s| {
    ///     let numbers = s.produce(Capacity::unlimited(), |_, tx| Ok(tx.send(1)?));
    ///     numbers.producer().unwrap().join()?;
    ///     assert_eq!(numbers.recv()?, 1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn producer(&self) -> Option<&Job> {
        self.hub.producer.get()
    }

    /// Whether nothing can be received any more: the channel is closed, and nothing is left in it.
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
    /// let (tx, rx) = channel(Capacity::buffered(1));
    /// tx.try_send(1).unwrap();
    /// tx.close();
    /// assert!(!rx.is_closed_for_receive());
    /// rx.try_recv().unwrap();
    /// assert!(rx.is_closed_for_receive());
    /// ```
    #[must_use]
    pub fn is_closed_for_receive(&self) -> bool {
        self.hub.core.lock().is_closed_for_receive()
    }

    /// Whether there is nothing to receive at this moment, though something may come. False once the channel
    /// [is closed](Receiver::is_closed_for_receive) and empty.
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
    /// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    /// assert!(rx.is_empty());
    /// tx.close();
    /// assert!(!rx.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let locked = self.hub.core.lock();
        !locked.is_closed_for_send() && locked.has_nothing()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.hub.add_receiver();
        Self::new(Arc::clone(&self.hub))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.hub.drop_receiver();
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = Result<T>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({:?})", self.hub)
    }
}
