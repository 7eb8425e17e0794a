//! Clauses that want a lock or a permit.

use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::line::Held;
use crate::sync::mutex::{Holder, held_by_oneself, worker};
use crate::sync::select::clause::Clause;
use crate::sync::select::ends::TurnEnd;
use crate::sync::select::exchange::Exchange;
use crate::sync::turn::{Claimant, Ticket, Turn};
use crate::sync::{Mutex, MutexGuard, Permit, Semaphore};
use crate::task::Task;

type TakeLock = Box<dyn Fn(&Held<'_, Task, Turn<Holder>, Ticket<Holder>>) -> bool>;
type TakePermit = fn(&Held<'_, Task, usize, usize>) -> bool;

/// `on_lock`.
pub(super) struct Lock<'a, T: ?Sized, F> {
    mutex: &'a Mutex<T>,
    me: Holder,
    end: TurnEnd<'a, Task, Turn<Holder>, Ticket<Holder>, TakeLock>,
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
        let claimant = Claimant {
            holder: me,
            worker: worker(thread::here().home()),
        };
        let take: TakeLock = Box::new(move |held| {
            let is_taken = held.take(claimant);
            if !is_taken {
                held.note_unpassed();
            }
            is_taken
        });
        // Nobody goes ahead of one who selects: a summons would be no answer to it.
        let waits = Ticket::unpassed(claimant);
        Self {
            mutex,
            me,
            end: TurnEnd::new(&mutex.turns, task, waits, take),
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
        let holder = self.mutex.turns.lock().holder();
        match holder.filter(|holder| holder.id == self.me.id) {
            Some(holder) => Err(held_by_oneself(holder, self.me)),
            None => Ok(()),
        }
    }

    fn finish(self: Box<Self>) -> Result<R> {
        (self.handler)(MutexGuard::handed(self.mutex))
    }

    fn discard(self: Box<Self>) {
        drop(MutexGuard::handed(self.mutex));
    }
}

/// `on_permit`.
pub(super) struct Acquire<'a, F> {
    semaphore: &'a Semaphore,
    end: TurnEnd<'a, Task, usize, usize, TakePermit>,
    handler: F,
}

impl<'a, F> Acquire<'a, F> {
    pub(super) fn new(semaphore: &'a Semaphore, task: *const Task, handler: F) -> Self {
        Self {
            semaphore,
            end: TurnEnd::new(&semaphore.permits, task, 1, |held| held.take(1)),
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
        (self.handler)(Permit {
            semaphore,
            count: 1,
        })
    }

    fn discard(self: Box<Self>) {
        let semaphore = self.semaphore;
        drop(Permit {
            semaphore,
            count: 1,
        });
    }
}
