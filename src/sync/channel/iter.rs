//! A channel as an iterator.

use std::iter::FusedIterator;

use crate::error::{Error, Result};
use crate::sync::channel::receiver::Receiver;

/// The elements of a borrowed [`Receiver`], as they come; see [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
    has_ended: bool,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        Self {
            receiver,
            has_ended: false,
        }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    #[inline(always)]
    #[track_caller]
    fn next(&mut self) -> Option<Result<T>> {
        next(self.receiver, &mut self.has_ended)
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

/// The elements of a [`Receiver`], as they come; see [`Receiver::iter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
    has_ended: bool,
}

impl<T> IntoIter<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self {
            receiver,
            has_ended: false,
        }
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = Result<T>;

    #[inline(always)]
    #[track_caller]
    fn next(&mut self) -> Option<Result<T>> {
        next(&self.receiver, &mut self.has_ended)
    }
}

impl<T> FusedIterator for IntoIter<T> {}

/// After an `Err` comes nothing: a loop that only looks at the good ones must end.
#[inline(always)]
#[track_caller]
fn next<T>(receiver: &Receiver<T>, has_ended: &mut bool) -> Option<Result<T>> {
    if *has_ended {
        return None;
    }
    let item = match receiver.recv_catching() {
        Ok(Ok(element)) => return Some(Ok(element)),
        Ok(Err(closed)) if closed.cause().is_none() => None,
        Ok(Err(closed)) => Some(Err(Error::from(closed))),
        Err(error) => Some(Err(error)),
    };
    *has_ended = true;
    item
}
