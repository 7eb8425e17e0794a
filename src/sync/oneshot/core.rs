//! One value, once: the protocol.
//!
//! S is the sender, R the receiver; each acts on its own, and may go at any time.
//!
//! ```text
//! open      -S> sent | handed to R     send: R waited, and its word was claimed, or it did not
//! open      -S> closed                 the sender goes without having sent; R is woken
//! open      -R> closed                 the receiver goes; a send gives its value back
//! sent      -R> received | closed      taken, or dropped by the receiver as it goes
//! ```
//!
//! A receiver that is cancelled as the value arrives finds the value in the state, and has received it: what was sent is
//! not lost as long as somebody is there.

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::Waits;

/// What is between the two.
#[derive(Debug)]
pub(crate) struct Between<T> {
    value: Option<T>,
    has_sender: bool,
    has_receiver: bool,
}

/// The one place that they share.
pub(crate) type Core<K, T> = Line<K, Between<T>, Option<T>>;

/// Both are there.
pub(crate) fn open<K: Waits, T>() -> Core<K, T> {
    Line::new(Between {
        value: None,
        has_sender: true,
        has_receiver: true,
    })
}

/// What a receiver finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    Value(T),
    Empty,
    Closed,
}

impl<K: Waits, T> Held<'_, K, Between<T>, Option<T>> {
    /// S: sends, and goes. Whoever is returned must be handed back after the lock was released; the value, if nobody will
    /// receive it.
    pub(crate) fn send(&self, value: T) -> Result<Option<*const K>, T> {
        let is_wanted = self.state(|between| {
            between.has_sender = false;
            between.has_receiver || cfg!(mutation = "oneshot_send_to_nobody")
        });
        if !is_wanted {
            return Err(value);
        }
        let mut value = Some(value);
        let claimed = self.claim_first(|_, slot| *slot = value.take());
        if value.is_some() {
            self.state(|between| between.value = value);
        }
        Ok(claimed.map(|((), task)| task))
    }

    /// S: goes without having sent.
    #[must_use]
    pub(crate) fn drop_sender(&self) -> Option<*const K> {
        self.state(|between| between.has_sender = false);
        if cfg!(mutation = "oneshot_close_wakes_nobody") {
            return None;
        }
        self.claim_first(|_, _| ()).map(|((), task)| task)
    }

    /// R: goes. What was sent is dropped by the caller, after the lock was released.
    #[must_use]
    pub(crate) fn drop_receiver(&self) -> Option<T> {
        self.state(|between| {
            between.has_receiver = false;
            between.value.take()
        })
    }

    /// R: takes what was sent.
    pub(crate) fn take(&self) -> Found<T> {
        self.state(|between| match between.value.take() {
            Some(value) => Found::Value(value),
            None if between.has_sender => Found::Empty,
            None => Found::Closed,
        })
    }

    /// Whether the receiver has gone.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.state(|between| !between.has_receiver)
    }

    /// Whether the sender has not sent, and is still there.
    pub(crate) fn is_awaited(&self) -> bool {
        self.state(|between| between.has_sender)
    }
}
