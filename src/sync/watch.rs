//! The latest value, and word of every change.
//!
//! A sender sets it, any number of receivers look at it and wait for the next one. What came in between is not seen: for
//! that there is [`broadcast`](crate::sync::broadcast).
//!
//! # Examples
//!
//! ```
//! use switchback::prelude::*;
//! use switchback::sync::watch;
//!
//! # fn main() -> Result<()> {
//! let (tx, mut rx) = watch::channel("starting");
//! run_blocking(|s| {
//!     let watcher = s.launch(move |_| {
//!         rx.wait_for(|state| *state == "running")?;
//!         Ok(())
//!     });
//!     tx.send("running")?;
//!     watcher.join()
//! })
//! # }
//! ```

// A value is in an `Arc`, and a look at it is a count: no lock is held while somebody looks, so he may be suspended then.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::result::Result as StdResult;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::scheduler::budget::{self, MESSAGE};
use crate::scheduler::thread;
use crate::sync::channel::{ClosedForReceive, SendError};
use crate::sync::line::Line;
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static CHANGED: Label = Label("changed");

#[derive(Debug)]
struct State<T> {
    value: Arc<T>,
    /// How often it was set.
    version: u64,
    has_sender: bool,
    receivers: usize,
}

type Hub<T> = Line<Task, State<T>, ()>;

/// Makes a channel with a first value, which counts as seen.
///
/// # Suspension
///
/// Never suspends; [`Receiver::changed`] does.
///
/// # Examples
///
/// ```
/// let (tx, mut rx) = switchback::sync::watch::channel(1);
/// assert!(!rx.has_changed().unwrap());
/// tx.send(2).unwrap();
/// assert_eq!(*rx.borrow_and_update(), 2);
/// ```
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let hub = Arc::new(Line::new(State {
        value: Arc::new(value),
        version: 0,
        has_sender: true,
        receivers: 1,
    }));
    let receiver = Receiver {
        hub: Arc::clone(&hub),
        seen: 0,
    };
    (Sender { hub }, receiver)
}

/// A look at the value as it was at that moment. It holds no lock; a later value does not show in it.
pub struct Ref<T>(Arc<T>);

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// The end that sets the value. When it is dropped the channel is closed.
pub struct Sender<T> {
    hub: Arc<Hub<T>>,
}

impl<T> Sender<T> {
    /// Sets the value, and wakes all who wait for a change.
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
    /// Gives the value back if there is no receiver; it is not set then. [`send_replace`](Sender::send_replace) sets it in
    /// any case.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert_eq!(*rx.borrow(), 2);
    /// drop(rx);
    /// assert_eq!(tx.send(3).unwrap_err().into_value(), Some(3));
    /// ```
    pub fn send(&self, value: T) -> StdResult<(), SendError<T>> {
        match self.set(Arc::new(value), false) {
            Ok(_old) => Ok(()),
            Err(value) => {
                let value = Arc::into_inner(value).expect("nobody else has seen it");
                Err(SendError::closed(value, None))
            }
        }
    }

    /// Sets the value even if there is no receiver; gives the one before.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = switchback::sync::watch::channel(1);
    /// assert_eq!(*tx.send_replace(2), 1);
    /// assert_eq!(*tx.borrow(), 2);
    /// ```
    pub fn send_replace(&self, value: T) -> Ref<T> {
        match self.set(Arc::new(value), true) {
            Ok(value) | Err(value) => Ref(value),
        }
    }

    /// The value that was there before; or the new one, if nobody would see it.
    fn set(&self, mut value: Arc<T>, in_any_case: bool) -> StdResult<Arc<T>, Arc<T>> {
        let claimed = Claimed::new();
        let held = self.hub.lock();
        let is_set = held.state(|state| {
            let is_wanted = in_any_case || state.receivers > 0;
            if is_wanted {
                std::mem::swap(&mut state.value, &mut value);
                state.version += 1;
            }
            is_wanted
        });
        if is_set {
            held.claim_all(|()| (), claimed.adder());
        }
        drop(held);
        claimed.hand_back();
        if is_set { Ok(value) } else { Err(value) }
    }

    /// Sets a changed copy of the value.
    ///
    /// # Suspension
    ///
    /// Never suspends; `change` may.
    ///
    /// # Panics
    ///
    /// If `change` does, or `clone`: the value stays as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut tx, rx) = switchback::sync::watch::channel(vec![1]);
    /// tx.send_modify(|list| list.push(2));
    /// assert_eq!(*rx.borrow(), [1, 2]);
    /// ```
    pub fn send_modify(&mut self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        let mut value = T::clone(&self.borrow());
        change(&mut value);
        drop(self.send_replace(value));
    }

    /// A look at the value.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = switchback::sync::watch::channel(1);
    /// assert_eq!(*tx.borrow(), 1);
    /// ```
    #[must_use]
    pub fn borrow(&self) -> Ref<T> {
        Ref(self.hub.lock().state(|state| Arc::clone(&state.value)))
    }

    /// A new receiver, which has seen the value that is set now.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = switchback::sync::watch::channel(1);
    /// assert!(!tx.subscribe().has_changed().unwrap());
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.hub.lock().state(|state| {
            state.receivers += 1;
            state.version
        });
        Receiver {
            hub: Arc::clone(&self.hub),
            seen,
        }
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
    /// let (tx, _rx) = switchback::sync::watch::channel(1);
    /// assert_eq!(tx.receiver_count(), 1);
    /// ```
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.hub.lock().state(|state| state.receivers)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let claimed = Claimed::new();
        let held = self.hub.lock();
        held.state(|state| state.has_sender = false);
        held.claim_all(|()| (), claimed.adder());
        drop(held);
        claimed.hand_back();
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Sender")
            .field("value", &*self.borrow())
            .finish()
    }
}

/// An end that looks. Each clone knows for itself what it has seen.
pub struct Receiver<T> {
    hub: Arc<Hub<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// A look at the value. It does not count as seen by that.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, rx) = switchback::sync::watch::channel(1);
    /// assert_eq!(*rx.borrow(), 1);
    /// ```
    #[must_use]
    pub fn borrow(&self) -> Ref<T> {
        Ref(self.hub.lock().state(|state| Arc::clone(&state.value)))
    }

    /// A look at the value, which counts as seen from now on.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = switchback::sync::watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert_eq!(*rx.borrow_and_update(), 2);
    /// assert!(!rx.has_changed().unwrap());
    /// ```
    #[must_use]
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let value;
        (value, self.seen) = self
            .hub
            .lock()
            .state(|state| (Arc::clone(&state.value), state.version));
        Ref(value)
    }

    /// Whether there is a value that it has not seen.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// [`ClosedForReceive`] if there is none and the sender was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = switchback::sync::watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert!(rx.has_changed().unwrap());
    /// ```
    pub fn has_changed(&self) -> Result<bool> {
        let seen = self.seen;
        let (is_new, has_sender) = self
            .hub
            .lock()
            .state(|state| (state.version != seen, state.has_sender));
        if is_new || has_sender {
            Ok(is_new)
        } else {
            Err(Error::new(ClosedForReceive))
        }
    }

    /// Waits for a value that it has not seen; it counts as seen then.
    ///
    /// # Suspension
    ///
    /// Until there is one. On a plain thread it parks the thread. Who always finds one [gives way](crate::sync#giving-way).
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. Nothing counts as seen then.
    ///
    /// # Errors
    ///
    /// A cancellation; [`ClosedForReceive`] if there is none and the sender was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let (tx, mut rx) = switchback::sync::watch::channel(1);
    /// run_blocking(|s| {
    ///     s.launch(move |_| Ok(tx.send(2)?));
    ///     rx.changed()?;
    ///     assert_eq!(*rx.borrow(), 2);
    ///     assert!(rx.changed().is_err(), "closed");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn changed(&mut self) -> Result<()> {
        let here = thread::here();
        here.check()?;
        budget::spend(&here, MESSAGE)?;
        let held = self.hub.lock();
        let seen = self.seen;
        let look = |state: &mut State<T>| {
            let is_new = state.version != seen;
            (is_new || !state.has_sender).then_some((state.version, is_new))
        };
        let found = match held.state(look) {
            Some(found) => {
                drop(held);
                found
            }
            None => {
                let point = Point {
                    label: &CHANGED,
                    place: Location::caller(),
                };
                let waited = wait_in_line(&here, held, point, ())?;
                if waited.woken == Woken::Cancelled {
                    return Err(here.cancelled());
                }
                here.check()?;
                let found = self.hub.lock().state(look);
                found.expect("nobody is woken in vain")
            }
        };
        let (version, is_new) = found;
        if !is_new {
            return Err(Error::new(ClosedForReceive));
        }
        self.seen = version;
        Ok(())
    }

    /// Waits until the value is as wanted, and gives it. It is asked first about the value that is set now, seen or not.
    ///
    /// # Suspension
    ///
    /// As for [`changed`](Receiver::changed); not at all if the value is as wanted.
    ///
    /// # Cancellation
    ///
    /// As for [`changed`](Receiver::changed); checked even if it need not wait.
    ///
    /// # Errors
    ///
    /// As for [`changed`](Receiver::changed).
    ///
    /// # Panics
    ///
    /// If `is_wanted` does.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, mut rx) = switchback::sync::watch::channel(1);
    /// assert_eq!(*rx.wait_for(|n| *n > 0).unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn wait_for(&mut self, mut is_wanted: impl FnMut(&T) -> bool) -> Result<Ref<T>> {
        thread::here().check()?;
        loop {
            let value = self.borrow_and_update();
            if is_wanted(&value) {
                return Ok(value);
            }
            self.changed()?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.hub.lock().state(|state| state.receivers += 1);
        Self {
            hub: Arc::clone(&self.hub),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.hub.lock().state(|state| state.receivers -= 1);
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Receiver")
            .field("value", &*self.borrow())
            .finish()
    }
}
