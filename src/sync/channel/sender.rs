//! The end that sends.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::error::Error;
use crate::scheduler::thread;
use crate::scope::job::Job;
use crate::sync::channel::core::{Locked, Offer};
use crate::sync::channel::error::{Closed, SendError, TrySendError};
use crate::sync::channel::hub::Hub;
use crate::sync::park::{Claimed, prepare};
use crate::sync::wait_list::Node;
use crate::task::Task;
use crate::task::label::Label;
use crate::task::wait::Here;
use crate::task::word::Woken;

static SEND: Label = Label("send");

/// The end of a [`channel`](crate::sync::channel()) that sends.
///
/// A handle: its clones send into the same channel, from any coroutine or thread. The channel is closed when the last one
/// is dropped.
pub struct Sender<T> {
    pub(in crate::sync) hub: Arc<Hub<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(hub: Arc<Hub<T>>) -> Self {
        Self { hub }
    }

    /// The channel is a producer's: whoever cancels the one cancels the other.
    pub(super) fn belongs_to(&self, producer: Job) {
        let _ = self.hub.producer.set(producer);
    }

    /// Sends an element.
    ///
    /// # Suspension
    ///
    /// While there is no room: in a rendezvous channel until a receiver takes the element. On a plain thread it parks the
    /// thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits, with the value: nothing was delivered.
    /// Cancelled after the channel has taken the element and before it runs again, it returns the cancellation too, as
    /// every wait does; the value has gone, and [`SendError::into_value`] says so.
    ///
    /// # Fairness
    ///
    /// The elements of one sender stay in order; senders that wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// The cancellation of the sender, or the reason for which the channel was closed; with the value, if it was not sent.
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
    ///         tx.send("ping")?;
    ///         tx.send("pong")?;
    ///         Ok(())
    ///     });
    ///     assert_eq!(rx.recv()?, "ping");
    ///     assert_eq!(rx.recv()?, "pong");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[inline(always)]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let here = thread::here();
        if let Err(error) = here.check() {
            return Err(SendError::refused(value, error));
        }
        let mut value = value;
        loop {
            let mut claimed = None;
            let locked = self.hub.core.lock_by(here.thread());
            match locked.offer(value, |task| claimed = Some(task)) {
                Offer::Taken => {
                    drop(locked);
                    Claimed::hand_back_one(claimed);
                    return Ok(());
                }
                Offer::Full(value) => return self.wait(&here, locked, value, Location::caller()),
                Offer::Dropped(element) => {
                    drop(locked);
                    self.hub.lose(element);
                    return Ok(());
                }
                Offer::Grow(again, capacity) => {
                    drop(locked);
                    self.hub.grow(capacity);
                    value = again;
                }
                Offer::Ended(value, cause) => {
                    drop(locked);
                    return Err(SendError::closed(value, cause));
                }
            }
        }
    }

    /// There is no room.
    #[inline(always)]
    fn wait(
        &self,
        here: &Here,
        locked: Locked<'_, Task, T, Error>,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), SendError<T>> {
        let generation = match prepare(here) {
            Ok(generation) => generation,
            Err(refusal) => {
                drop(locked);
                return Err(SendError::refused(value, refusal));
            }
        };
        let node = Node::new(here.task(), Some(value));
        here.mark(&SEND, place);
        // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave_senders` has unlinked it.
        unsafe { locked.wait_to_send(&node, generation, || here.publish(generation, true)) };
        let woken = here.park(generation, true, || {
            // SAFETY: linked above.
            unsafe { self.hub.core.lock().leave_senders(&node) }
        });
        // SAFETY: the wait is over, so the node is idle.
        let left = unsafe { node.with_slot(Option::take) };
        // Cancellation wins until the moment of resumption. Nothing is lost by it: what was taken will be received.
        if woken == Woken::Cancelled || here.is_cancelled() {
            return Err(SendError::cancelled(left, here.cancelled()));
        }
        match left {
            None => Ok(()),
            Some(value) => {
                let end = self.hub.core.lock().end();
                Err(SendError::closed(value, end.flatten()))
            }
        }
    }

    /// Sends an element if that needs no waiting.
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
    /// The value, if there is no room and no receiver waits, or if the channel is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::TrySendError;
    ///
    /// let (tx, rx) = channel(Capacity::buffered(1));
    /// assert!(tx.try_send(1).is_ok());
    /// assert!(matches!(tx.try_send(2), Err(TrySendError::Full(2))));
    /// assert_eq!(rx.try_recv().unwrap(), 1);
    /// tx.close();
    /// assert!(matches!(tx.try_send(3), Err(TrySendError::Closed(3, _))));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut value = value;
        loop {
            let mut claimed = None;
            let offer = self
                .hub
                .core
                .lock()
                .offer(value, |task| claimed = Some(task));
            match offer {
                Offer::Taken => {
                    Claimed::hand_back_one(claimed);
                    return Ok(());
                }
                Offer::Dropped(element) => {
                    self.hub.lose(element);
                    return Ok(());
                }
                Offer::Grow(again, capacity) => {
                    self.hub.grow(capacity);
                    value = again;
                }
                Offer::Full(value) => return Err(TrySendError::Full(value)),
                Offer::Ended(value, cause) => {
                    return Err(TrySendError::Closed(value, Closed { cause }));
                }
            }
        }
    }

    /// Closes the channel: nothing more goes in, and what is in can still be received. True for the call that did it.
    ///
    /// Senders that wait already have come before; their elements are received.
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
    /// assert!(tx.close());
    /// assert!(!tx.close());
    /// assert!(tx.send(2).unwrap_err().is_closed());
    /// assert!(!rx.is_closed_for_receive());
    /// assert_eq!(rx.recv()?, 1);
    /// assert!(rx.is_closed_for_receive());
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) -> bool {
        self.hub.close(None)
    }

    /// As [`close`](Sender::close), with a cause: what is left can still be received, then receives fail with it, and so do
    /// sends from now on.
    ///
    /// If the cause is the cancellation of a coroutine, the others meet an ordinary failure that says so: they were not
    /// cancelled. A cancellation that belongs to nobody ([`Error::cancelled`]) stays one.
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
    /// tx.close_with(Error::msg("the source broke"));
    /// assert_eq!(rx.recv().unwrap_err().to_string(), "the source broke");
    /// ```
    pub fn close_with(&self, cause: impl Into<Error>) -> bool {
        self.hub.close(Some(cause.into()))
    }

    /// Whether nothing more can be sent.
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
    /// assert!(!tx.is_closed_for_send());
    /// drop(rx);
    /// assert!(tx.is_closed_for_send());
    /// ```
    #[must_use]
    pub fn is_closed_for_send(&self) -> bool {
        self.hub.core.lock().is_closed_for_send()
    }

    /// Calls `handler` when the channel is closed or cancelled, by whichever end, with the cause if there is one; at once
    /// if that has happened already. Handlers are called once, in the order in which they were registered.
    ///
    /// The handler runs on the thread that closes the channel. It must not suspend and should be quick; a panic in it is
    /// reported and goes no further.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use switchback::prelude::*;
    ///
    /// let (told, ear) = mpsc::channel();
    /// let (tx, rx) = channel::<i32>(Capacity::rendezvous());
    /// tx.invoke_on_close(move |cause| told.send(cause.map(ToString::to_string)).unwrap());
    /// rx.cancel_with("no more");
    /// assert_eq!(ear.recv().unwrap().unwrap(), "cancelled: no more");
    /// ```
    pub fn invoke_on_close(&self, handler: impl FnOnce(Option<&Error>) + Send + 'static) {
        self.hub.invoke_on_close(Box::new(handler));
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.hub.add_sender();
        Self::new(Arc::clone(&self.hub))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.hub.drop_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({:?})", self.hub)
    }
}
