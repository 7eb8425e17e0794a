//! Clauses that receive and send.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::sync::channel::hub::Hub;
use crate::sync::select::clause::Clause;
use crate::sync::select::ends::{ReceiveEnd, SendEnd};
use crate::sync::select::exchange::Exchange;
use crate::sync::{Closed, Receiver, Sender};
use crate::task::Task;

/// `on_recv_catching`; `on_recv` is this with a handler that does not take the end for an answer.
pub(super) struct Receive<'a, T, F> {
    hub: &'a Hub<T>,
    end: ReceiveEnd<'a, Task, T, Error>,
    handler: F,
}

impl<'a, T, F> Receive<'a, T, F> {
    pub(super) fn new(receiver: &'a Receiver<T>, task: *const Task, handler: F) -> Self {
        let hub = &*receiver.hub;
        Self {
            hub,
            end: ReceiveEnd::new(&hub.core, task),
            handler,
        }
    }
}

impl<R, T, F: FnOnce(Result<T, Closed>) -> Result<R>> Clause<R> for Receive<'_, T, F> {
    fn exchange(&self) -> Option<&dyn Exchange<Task>> {
        Some(&self.end)
    }

    fn has_element(&self) -> bool {
        // SAFETY: it has won, so it is in no list.
        unsafe { self.end.has_element() }
    }

    fn finish(self: Box<Self>) -> Result<R> {
        // SAFETY: it has won, so it is in no list.
        let element = unsafe { self.end.element() };
        (self.handler)(element.ok_or_else(|| closed(self.hub)))
    }

    fn discard(self: Box<Self>) {
        // SAFETY: it has won, so it is in no list.
        if let Some(element) = unsafe { self.end.element() } {
            self.hub.lose(element);
        }
    }
}

fn closed<T>(hub: &Hub<T>) -> Closed {
    let end = hub.core.lock().end();
    let cause = end.flatten();
    Closed { cause }
}

/// What was not sent goes back to where it came from, or is dropped with the clause.
struct Offered<'a, T> {
    end: SendEnd<'a, Task, T, Error>,
    back: Cell<Option<&'a mut Option<T>>>,
}

impl<T> Drop for Offered<'_, T> {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // SAFETY: a clause leaves its list before it is dropped.
            *back = unsafe { self.end.unsent() };
        }
    }
}

/// `on_send` and `on_send_from`.
pub(super) struct Send<'a, T, F> {
    hub: &'a Hub<T>,
    offered: Offered<'a, T>,
    handler: F,
}

impl<'a, T, F> Send<'a, T, F> {
    pub(super) fn new(
        sender: &'a Sender<T>,
        task: *const Task,
        element: T,
        back: Option<&'a mut Option<T>>,
        handler: F,
    ) -> Self {
        let hub = &*sender.hub;
        let end = SendEnd::new(&hub.core, task, element);
        let back = Cell::new(back);
        Self {
            hub,
            offered: Offered { end, back },
            handler,
        }
    }
}

impl<R, T, F: FnOnce() -> Result<R>> Clause<R> for Send<'_, T, F> {
    fn exchange(&self) -> Option<&dyn Exchange<Task>> {
        Some(&self.offered.end)
    }

    fn finish(self: Box<Self>) -> Result<R> {
        let Self {
            hub,
            offered,
            handler,
        } = *self;
        // SAFETY: it has won, so it is in no list.
        if let Some(lost) = unsafe { offered.end.lost() } {
            hub.lose(lost);
        }
        // SAFETY: as above.
        let unsent = unsafe { offered.end.unsent() };
        if unsent.is_none() {
            drop(offered);
            return handler();
        }
        match offered.back.take() {
            Some(back) => *back = unsent,
            None => drop(unsent),
        }
        Err(Closed::for_send(closed(hub).cause))
    }

    fn discard(self: Box<Self>) {
        // SAFETY: it has won, so it is in no list.
        if let Some(lost) = unsafe { self.offered.end.lost() } {
            self.hub.lose(lost);
        }
    }
}
