//! What a machine is given while it runs.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;

use crate::error::{Error, Result};
use crate::machine::StateMachine;
use crate::machine::at::At;
use crate::machine::frame::{self, Frame};
use crate::scope::body::Outcome;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::launch::{self, Order};
use crate::scope::scope::Scope;
use crate::task::{Task, TaskRef};

/// How one resumption of a machine has ended.
#[derive(Debug)]
#[must_use = "it is what `resume` returns"]
pub enum Step<T> {
    /// The machine has ended with this.
    Return(T),
    /// It waits. Made by the operations of [`At`].
    Suspend(Suspension),
}

/// Says that something was asked for to be waited for. Kotlin's `COROUTINE_SUSPENDED`.
#[derive(Debug)]
pub struct Suspension(pub(super) ());

/// Where the answer of what a machine has waited for, or called, comes in: one of its saved locals.
///
/// # Examples
///
/// ```
/// let mut slot = switchback::machine::Slot::<u32>::new();
/// assert!(slot.take().is_err());
/// ```
pub struct Slot<T>(Option<Result<T>>);

impl<T> Slot<T> {
    /// An empty one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Takes the answer out.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The failure of what was waited for, or the cancellation of the wait; or that nothing has come in since.
    pub fn take(&mut self) -> Result<T> {
        match self.0.take() {
            Some(answer) => answer,
            None => Err(Error::msg("nothing has come into this slot")),
        }
    }

    pub(super) fn put(&mut self, answer: Result<T>) {
        self.0 = Some(answer);
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            None => "empty",
            Some(Ok(_)) => "answered",
            Some(Err(_)) => "failed",
        };
        write!(f, "Slot({state})")
    }
}

/// Finds the slot of a machine into which an answer goes.
pub(super) type IntoSlot<M, T> = fn(&mut M) -> &mut Slot<T>;

/// What was asked for in this resumption.
pub(super) struct Pending {
    pub(super) label: u32,
    pub(super) frame: NonNull<Frame>,
}

/// One resumption of a machine: its coroutine, and what it asks for.
///
/// `'t` is the time for which the coroutine lives, as far as the machine knows: longer than anything of this resumption, and
/// not longer than what the machine itself borrows. What is to be waited for must last so long.
pub struct Turn<'t, M>
where
    M: 't,
{
    pub(super) task: &'t Task,
    woken: Result<()>,
    pub(super) pending: Option<Pending>,
    machine: PhantomData<fn(&mut M)>,
    /// Invariant: it is the time for which the coroutine lives, and must not be shortened.
    time: PhantomData<&'t mut &'t ()>,
}

impl<'t, M: StateMachine> Turn<'t, M> {
    pub(super) fn new(task: &'t Task, woken: Result<()>) -> Self {
        Self {
            task,
            woken,
            pending: None,
            machine: PhantomData,
            time: PhantomData,
        }
    }

    /// Says at which label the machine goes on; what it waits for until then is said by the operation that follows.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn at(&mut self, label: u32) -> At<'_, 't, M> {
        At::new(self, label)
    }

    /// How the wait has ended after which the machine was resumed, if that was one without a value.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The cancellation of the wait. Asked a second time, nothing.
    pub fn woken(&mut self) -> Result<()> {
        std::mem::replace(&mut self.woken, Ok(()))
    }

    /// The job of the coroutine.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn job(&self) -> Job {
        Job::new(TaskRef::new(self.task))
    }

    /// Launches a coroutine under this one, as [`Scope::launch`](crate::Scope::launch) does. What it captures it owns.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch<F, O>(&self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + Send + 'static,
        O: Outcome,
    {
        let order = Order::new(Location::caller()).owned();
        // SAFETY: the closure borrows nothing.
        Job::new(unsafe {
            launch::launch(self.task, order, move |scope: &Scope<'_, 'static>| {
                body(scope).into_result()
            })
        })
    }

    /// Launches a coroutine under this one that gives a value, as [`Scope::async_`](crate::Scope::async_) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_<F, T>(&self, body: F) -> Deferred<'static, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let order = Order::new(Location::caller()).owned().deferred();
        // SAFETY: the closure borrows nothing.
        unsafe { Deferred::new(launch::launch(self.task, order, body)) }
    }

    /// Launches a machine under this one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_machine<N>(&self, machine: N) -> Job
    where
        N: StateMachine<Output = ()> + Send + 'static,
    {
        let order = Order::new(Location::caller()).owned();
        // SAFETY: the machine borrows nothing.
        Job::new(unsafe { super::launch::launch(self.task, order, machine) })
    }

    /// Launches a machine under this one that gives a value.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_machine<N>(&self, machine: N) -> Deferred<'static, N::Output>
    where
        N: StateMachine + Send + 'static,
        N::Output: Send + 'static,
    {
        let order = Order::new(Location::caller()).owned().deferred();
        // SAFETY: the machine borrows nothing.
        unsafe { Deferred::new(super::launch::launch(self.task, order, machine)) }
    }
}

impl<M> Drop for Turn<'_, M> {
    fn drop(&mut self) {
        // Asked for and not waited for: the machine has ended instead, or has failed.
        if let Some(pending) = self.pending.take() {
            // SAFETY: made in this turn, and on no chain.
            unsafe { frame::free(pending.frame) };
        }
    }
}

impl<M> fmt::Debug for Turn<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("coroutine", &self.task)
            .field("woken", &self.woken)
            .finish_non_exhaustive()
    }
}
