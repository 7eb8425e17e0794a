//! Clauses that others write.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::resume_unwind;

use crate::error::Result;
use crate::sync::select::clause::{Clause, Watched};
use crate::task::wait::Here;
use crate::task::word::Generation;
use crate::task::{Task, TaskRef, current, waiter};

/// Something that a [`select`](crate::sync::select) can wait for, besides what this crate knows by itself: a tick, a
/// signal, readiness. It is given to [`Select::on`](crate::sync::Select::on).
///
/// The select asks [`try_take`](SelectClause::try_take) of its clauses one after the other. If none has anything, it calls
/// [`watch`](SelectClause::watch) on each and waits; when a waker was woken, it calls
/// [`unwatch`](SelectClause::unwatch) on each that was watching and asks again. All three are called by the coroutine or
/// thread that selects, and with them the clause keeps three promises:
///
/// - What is there when `watch` is called, or comes later, wakes. So `watch` first makes the waker known, and then looks
///   once more. A clause that has something and does not wake is found only when something else wakes.
/// - Nothing is taken but by `try_take`. Whoever wants to hand something to one clause among others who wait may do so
///   while it watches; the clause then keeps it for the next `try_take`, which need not come: another clause may win, or the
///   select may be cancelled. The clause is dropped then (with `on(&mut clause, ..)`, the reference to it): its destructor
///   gives on what it still holds.
/// - `unwatch` makes the waker forgotten. One that is kept longer does nothing.
///
/// A clause that wakes without having anything costs the select a turn, and its places in the lines of channels and locks.
/// A clause that breaks a promise may miss what it waits for; it can do no other harm.
///
/// # Suspension
///
/// None of the three must suspend: a suspending call in them that must wait fails. If one of them panics, so does the select,
/// once it has withdrawn its clauses.
///
/// # Examples
///
/// A flag that any thread may raise:
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use switchback::prelude::*;
/// use switchback::sync::{SelectClause, SelectWaker, select};
///
/// #[derive(Default)]
/// struct Flag {
///     is_up: AtomicBool,
///     waker: std::sync::Mutex<Option<SelectWaker>>,
/// }
///
/// impl Flag {
///     fn raise(&self) {
///         self.is_up.store(true, Ordering::SeqCst);
///         if let Some(waker) = &*self.waker.lock().unwrap() {
///             waker.wake();
///         }
///     }
/// }
///
/// impl SelectClause for &Flag {
///     type Output = ();
///
///     fn try_take(&mut self) -> Option<()> {
///         self.is_up.swap(false, Ordering::SeqCst).then_some(())
///     }
///
///     fn watch(&mut self, waker: SelectWaker) {
///         let waker = self.waker.lock().unwrap().insert(waker).clone();
///         // It may have been raised before the waker stood there.
///         if self.is_up.load(Ordering::SeqCst) {
///             waker.wake();
///         }
///     }
///
///     fn unwatch(&mut self) {
///         *self.waker.lock().unwrap() = None;
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let flag = Flag::default();
/// let told = std::thread::scope(|threads| {
///     threads.spawn(|| flag.raise());
///     select(|s| {
///         s.on(&flag, |()| Ok("up"));
///         s.on_timeout(std::time::Duration::from_secs(60), || Ok("never"));
///     })
/// })?;
/// assert_eq!(told, "up");
/// # Ok(())
/// # }
/// ```
pub trait SelectClause {
    /// What the handler is given.
    type Output;

    /// Takes what there is, if there is something. If so, this clause has won.
    fn try_take(&mut self) -> Option<Self::Output>;

    /// Keeps the waker, and wakes it when there may be something to take: also at once, if that has happened since
    /// `try_take` was asked.
    fn watch(&mut self, waker: SelectWaker);

    /// Forgets the waker. It may also have been woken, or never given.
    fn unwatch(&mut self);
}

impl<C: SelectClause + ?Sized> SelectClause for &mut C {
    type Output = C::Output;

    fn try_take(&mut self) -> Option<C::Output> {
        (**self).try_take()
    }

    fn watch(&mut self, waker: SelectWaker) {
        (**self).watch(waker);
    }

    fn unwatch(&mut self) {
        (**self).unwatch();
    }
}

/// Makes a [`select`](crate::sync::select) look again: what a [`SelectClause`] is given.
///
/// It belongs to one wait. Woken when that is over, it does nothing.
#[derive(Clone)]
pub struct SelectWaker {
    task: TaskRef,
    generation: Generation,
}

impl SelectWaker {
    /// Makes the select look at its clauses again, if it still waits.
    ///
    /// # Suspension
    ///
    /// Never suspends, and runs nothing of the clause: it may be called on any thread and under any lock.
    pub fn wake(&self) {
        let task: &Task = &self.task;
        if current::home().is_some_and(|home| std::ptr::eq(home.local.current.get(), task)) {
            // In `watch`: it has not been switched out yet.
            let _ = task.word.claim_local(self.generation);
        } else if task.word.claim_value(self.generation) {
            // In its place the clause would be withdrawn while the caller holds whatever locks it holds.
            // SAFETY: claimed just now.
            unsafe { waiter::queue(task) };
        }
    }

    /// Whether the select still waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.task.word.is_waiting(self.generation)
    }
}

impl fmt::Debug for SelectWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectWaker")
            .field("is_waiting", &self.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Calls a clause of the user's, which must not suspend.
fn in_closed_frame<T>(call: impl FnOnce() -> T) -> T {
    current::closed(call).unwrap_or_else(|panic| resume_unwind(panic))
}

/// `on`.
pub(super) struct Open<C: SelectClause, F> {
    clause: RefCell<C>,
    is_watching: Cell<bool>,
    taken: Cell<Option<C::Output>>,
    handler: F,
}

impl<C: SelectClause, F> Open<C, F> {
    pub(super) fn new(clause: C, handler: F) -> Self {
        Self {
            clause: RefCell::new(clause),
            is_watching: Cell::new(false),
            taken: Cell::new(None),
            handler,
        }
    }
}

impl<R, C: SelectClause, F: FnOnce(C::Output) -> Result<R>> Clause<R> for Open<C, F> {
    fn has_happened(&self, _here: &Here) -> Result<bool> {
        let taken = in_closed_frame(|| self.clause.borrow_mut().try_take());
        let has_happened = taken.is_some();
        self.taken.set(taken);
        Ok(has_happened)
    }

    fn watch(&self, here: &Here, generation: Generation) -> Watched {
        let task = TaskRef::new(here.task());
        self.is_watching.set(true);
        let watch = || {
            self.clause
                .borrow_mut()
                .watch(SelectWaker { task, generation })
        };
        match current::closed(watch) {
            Ok(()) => Watched::Waits,
            Err(panic) => Watched::Panicked(panic),
        }
    }

    fn unwatch(&self, _here: &Here) {
        if self.is_watching.take() {
            in_closed_frame(|| self.clause.borrow_mut().unwatch());
        }
    }

    fn is_open(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) -> Result<R> {
        let taken = self.taken.take().expect("it has won");
        (self.handler)(taken)
    }
}
