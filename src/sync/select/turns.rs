//! Clauses that want a lock or a permit.

use std::panic::Location;

use crate::error::Result;
use crate::sync::mutex::{Holder, held_by_oneself};
use crate::sync::select::clause::Clause;
use crate::sync::select::ends::TurnEnd;
use crate::sync::select::exchange::Exchange;
use crate::sync::{Mutex, MutexGuard, Permit, Semaphore};
use crate::task::Task;

/// `on_lock`.
pub(super) struct Lock<'a, T: ?Sized, F> {
    mutex: &'a Mutex<T>,
    me: Holder,
    end: TurnEnd<'a, Task, Holder>,
    handler: F,
}

impl<'a, T: ?Sized, F> Lock<'a, T, F> {
    pub(super) fn new(
        mutex: &'a Mutex<T>,
        task: *const Task,
        id: u64,
        place: &'static Location<'static>,
        handler: F,
    ) -> Self {
        let me = Holder { id, place };
        Self {
            mutex,
            me,
            end: TurnEnd::new(&mutex.turn, task, me),
            handler,
        }
    }
}

impl<'a, R, T, F> Clause<R> for Lock<'a, T, F>
where
    T: ?Sized,
    F: FnOnce(MutexGuard<'a, T>) -> Result<R>,
{
    fn exchange(&self) -> Option<&dyn Exchange<Task>> {
        Some(&self.end)
    }

    fn refuse(&self) -> Result<()> {
        let holder = self.mutex.turn.lock().holder();
        match holder.filter(|holder| holder.id == self.me.id) {
            Some(holder) => Err(held_by_oneself(holder, self.me)),
            None => Ok(()),
        }
    }

    fn finish(self: Box<Self>) -> Result<R> {
        (self.handler)(MutexGuard::new(self.mutex))
    }

    fn discard(self: Box<Self>) {
        drop(MutexGuard::new(self.mutex));
    }
}

/// `on_permit`.
pub(super) struct Acquire<'a, F> {
    semaphore: &'a Semaphore,
    end: TurnEnd<'a, Task, ()>,
    handler: F,
}

impl<'a, F> Acquire<'a, F> {
    pub(super) fn new(semaphore: &'a Semaphore, task: *const Task, handler: F) -> Self {
        Self {
            semaphore,
            end: TurnEnd::new(&semaphore.permits, task, ()),
            handler,
        }
    }
}

impl<'a, R, F: FnOnce(Permit<'a>) -> Result<R>> Clause<R> for Acquire<'a, F> {
    fn exchange(&self) -> Option<&dyn Exchange<Task>> {
        Some(&self.end)
    }

    fn finish(self: Box<Self>) -> Result<R> {
        let semaphore = self.semaphore;
        (self.handler)(Permit { semaphore })
    }

    fn discard(self: Box<Self>) {
        let semaphore = self.semaphore;
        drop(Permit { semaphore });
    }
}
