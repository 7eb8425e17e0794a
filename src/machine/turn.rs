//! What a machine is given while it runs.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::time::Duration;

use crate::continuation::Continuation;
use crate::error::{Error, Result};
use crate::machine::StateMachine;
use crate::machine::frame::{self, Frame};
use crate::machine::wait;
use crate::machine::waits::delay::Delay;
use crate::machine::waits::future::FutureWait;
use crate::machine::waits::join::{Await, Join};
use crate::machine::waits::suspend::Suspend;
use crate::machine::waits::yielding::Yield;
use crate::scheduler::thread;
use crate::scope::body::Outcome;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::launch::{self, Order};
use crate::scope::scope::Scope;
use crate::task::label::Label;
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
pub struct Suspension(());

/// Where the answer of what a machine has waited for, or called, comes in: one of its saved locals.
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
pub struct Turn<'t, M> {
    task: &'t Task,
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
        At { turn: self, label }
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

/// A machine that is about to wait, and the label at which it goes on. Made by [`Turn::at`].
///
/// Each operation returns what the machine's `resume` is to return. Cancellation is met by all of them: at once, with an
/// `Err`, if the coroutine is cancelled; as the `Err` of the slot, or of [`Turn::woken`], if that happens while it waits.
#[must_use = "it waits for nothing without an operation"]
pub struct At<'a, 't, M> {
    turn: &'a mut Turn<'t, M>,
    label: u32,
}

impl<M> fmt::Debug for At<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("At").field("label", &self.label).finish()
    }
}

static CALL: Label = Label("call");
static DELAY: Label = Label("delay");
static YIELD: Label = Label("yield");
static JOIN: Label = Label("join");
static AWAIT: Label = Label("await");
static SUSPEND: Label = Label("suspend_cancellable_coroutine");
static FUTURE: Label = Label("future");

type Answer<M> = Result<Step<<M as StateMachine>::Output>>;

impl<M: StateMachine> At<'_, '_, M> {
    /// Calls another machine: the wait is over when that one has ended, and what it has ended with is in the slot.
    ///
    /// # Suspension
    ///
    /// As the machine does. A call by itself neither suspends nor goes through the dispatcher.
    ///
    /// # Cancellation
    ///
    /// Is met by the machine that was called, in what it waits for.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; the failure of the machine comes into the slot.
    #[track_caller]
    pub fn call<N>(self, machine: N, into: fn(&mut M) -> &mut Slot<N::Output>) -> Answer<M>
    where
        N: StateMachine + Send + 'static,
    {
        self.ask(&CALL, || frame::callee::<M, N>(machine, into))
    }

    /// Waits for a time, as [`delay`](crate::delay) does.
    ///
    /// # Suspension
    ///
    /// Until the time is over; with a time of zero, never.
    ///
    /// # Errors
    ///
    /// Only a cancellation, here or from [`Turn::woken`].
    #[track_caller]
    pub fn delay(self, time: Duration) -> Answer<M> {
        let task = self.task();
        self.ask(&DELAY, || wait::leaf(Delay::new(task, time)))
    }

    /// Lets others run, and goes on behind them, as [`yield_`](crate::yield_) does.
    ///
    /// # Suspension
    ///
    /// Always.
    ///
    /// # Errors
    ///
    /// Only a cancellation, here or from [`Turn::woken`].
    #[track_caller]
    pub fn yield_(self) -> Answer<M> {
        self.ask(&YIELD, || wait::leaf(Yield::default()))
    }

    /// Waits until a job has completed, as [`Job::join`](crate::Job::join) does.
    ///
    /// # Suspension
    ///
    /// While the job has not completed.
    ///
    /// # Errors
    ///
    /// Only a cancellation, here or from [`Turn::woken`].
    #[track_caller]
    pub fn join(self, job: &Job) -> Answer<M> {
        let (task, job) = (self.task(), job.clone());
        self.ask(&JOIN, || wait::leaf(Join::new(task, job)))
    }

    /// Waits for the value of a coroutine, as [`Deferred::await_`](crate::Deferred::await_) does.
    ///
    /// # Suspension
    ///
    /// While the coroutine has not completed.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; all else comes into the slot.
    #[track_caller]
    pub fn await_<T: Send>(
        self,
        deferred: Deferred<'_, T>,
        into: fn(&mut M) -> &mut Slot<T>,
    ) -> Answer<M> {
        let task = self.task();
        // SAFETY: a `T` goes into a slot of the machine, so its type outlives the machine, and the scope of the handle
        // only says for how long a `T` may be borrowed.
        let deferred = unsafe { deferred.detached() };
        self.ask(&AWAIT, || {
            wait::leaf(Await::<M, T>::new(task, deferred, into))
        })
    }

    /// Hands out a continuation, as [`suspend_cancellable_coroutine`](crate::suspend_cancellable_coroutine) does: the wait
    /// is over when it is resumed, and the value is in the slot. `block` runs after the machine has returned.
    ///
    /// # Suspension
    ///
    /// Until the continuation is resumed.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; all else comes into the slot.
    #[track_caller]
    pub fn suspend<T, F>(self, block: F, into: fn(&mut M) -> &mut Slot<T>) -> Answer<M>
    where
        T: Send,
        F: FnOnce(Continuation<T>) -> Result<()> + Send + 'static,
    {
        self.ask(&SUSPEND, || {
            wait::leaf(Suspend::<M, T, F>::new(block, into))
        })
    }

    /// Waits for a future, as [`block_on`](crate::future::block_on) does.
    ///
    /// # Suspension
    ///
    /// While the future is pending.
    ///
    /// # Cancellation
    ///
    /// The future is dropped when the machine meets it.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; else it comes into the slot.
    #[track_caller]
    pub fn future<F>(self, future: F, into: fn(&mut M) -> &mut Slot<F::Output>) -> Answer<M>
    where
        F: Future + Send + 'static,
    {
        self.future_of(future, into)
    }

    #[track_caller]
    pub(crate) fn future_of<F>(
        self,
        future: F,
        into: fn(&mut M) -> &mut Slot<F::Output>,
    ) -> Answer<M>
    where
        F: Future + Send,
    {
        let task = self.task();
        self.ask(&FUTURE, || {
            wait::leaf(FutureWait::<M, F>::new(task, future, into))
        })
    }

    fn task(&self) -> *const Task {
        self.turn.task
    }

    #[track_caller]
    fn ask(self, what: &'static Label, make: impl FnOnce() -> NonNull<Frame>) -> Answer<M> {
        if self.turn.pending.is_some() {
            return Err(Error::msg(
                "a state machine asks for one thing in each resumption",
            ));
        }
        let here = thread::here();
        here.check()?;
        here.mark(what, Location::caller());
        self.turn.pending = Some(Pending {
            label: self.label,
            frame: make(),
        });
        Ok(Step::Suspend(Suspension(())))
    }
}
