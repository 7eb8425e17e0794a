//! What a machine can wait for: the operations.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::ptr::NonNull;
use std::time::Duration;

use crate::continuation::Continuation;
use crate::error::{Error, Result};
use crate::machine::StateMachine;
use crate::machine::frame::{self, Frame};
use crate::machine::turn::{Pending, Slot, Step, Suspension, Turn};
use crate::machine::wait;
use crate::machine::waits::delay::Delay;
use crate::machine::waits::future::FutureWait;
use crate::machine::waits::join::{Await, Join};
use crate::machine::waits::select::{InSlot, InWoken, Selects, Target};
use crate::machine::waits::suspend::Suspend;
use crate::machine::waits::yielding::Yield;
use crate::scheduler::thread;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::sync::{Receiver, Select, Sender};
use crate::task::Task;
use crate::task::label::Label;

/// A machine that is about to wait, and the label at which it goes on. Made by [`Turn::at`].
///
/// Each operation returns what the machine's `resume` is to return. Cancellation is met by all of them: at once, with an
/// `Err`, if the coroutine is cancelled; as the `Err` of the slot, or of [`Turn::woken`], if that happens while it waits.
#[must_use = "it waits for nothing without an operation"]
pub struct At<'a, 't, M>
where
    M: 't,
{
    turn: &'a mut Turn<'t, M>,
    label: u32,
}

impl<'a, 't, M> At<'a, 't, M> {
    pub(super) fn new(turn: &'a mut Turn<'t, M>, label: u32) -> Self {
        Self { turn, label }
    }
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
static RECEIVE: Label = Label("receive");
static SEND: Label = Label("send");
static SELECT: Label = Label("select");
static FUTURE: Label = Label("future");

/// A wait for one thing, which is `Send`, and so are what it is made of and its handler: it may end on any thread.
fn one_clause<O, R, B, G>(
    owned: O,
    build: B,
    target: G,
    place: &'static Location<'static>,
) -> NonNull<Frame>
where
    O: Send,
    B: for<'a> FnOnce(&'a O, &mut Select<'a, R>) + Send,
    G: Target<R>,
{
    wait::leaf(Selects::<O, B, R, G, false>::new(
        owned, build, target, place,
    ))
}

type Answer<M> = Result<Step<<M as StateMachine>::Output>>;

impl<'t, M: StateMachine> At<'_, 't, M> {
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
        N: StateMachine + Send + 't,
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
    pub fn await_<T: Send + 't>(
        self,
        deferred: Deferred<'_, T>,
        into: fn(&mut M) -> &mut Slot<T>,
    ) -> Answer<M> {
        let task = self.task();
        // SAFETY: a `T` outlives the coroutine (`'t`), and the scope of the handle only says for how long a `T` may be
        // borrowed.
        let deferred = unsafe { deferred.detached() };
        self.ask(&AWAIT, || {
            wait::leaf(Await::<M, T>::new(task, deferred, into))
        })
    }

    /// Receives an element, as [`Receiver::recv`] does.
    ///
    /// # Suspension
    ///
    /// While the channel is empty.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; all else comes into the slot: also that the channel was
    /// closed, with the cause if there is one.
    #[track_caller]
    pub fn recv<T: Send + 't>(
        self,
        receiver: &Receiver<T>,
        into: fn(&mut M) -> &mut Slot<T>,
    ) -> Answer<M> {
        let (receiver, place) = (receiver.clone(), Location::caller());
        self.ask(&RECEIVE, || {
            one_clause(receiver, |rx, s| s.on_recv(rx, Ok), InSlot(into), place)
        })
    }

    /// Sends an element, as [`Sender::send`] does.
    ///
    /// # Suspension
    ///
    /// While the channel is full.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already. From [`Turn::woken`]: the cancellation, or that the channel
    /// was closed; the element is gone then.
    #[track_caller]
    pub fn send<T: Send + 't>(self, sender: &Sender<T>, value: T) -> Answer<M> {
        let (sender, place) = (sender.clone(), Location::caller());
        self.ask(&SEND, || {
            one_clause(
                sender,
                |tx, s| s.on_send(tx, value, || Ok(())),
                InWoken,
                place,
            )
        })
    }

    /// Waits for the first of several things, as [`select`](crate::sync::select) does. The clauses may borrow from `owned`,
    /// which is kept with them; they are written after the machine has returned, and what their handlers return comes into
    /// the slot. A handler must not suspend.
    ///
    /// # Suspension
    ///
    /// While no clause is ready.
    ///
    /// # Errors
    ///
    /// The cancellation, if the coroutine is cancelled already; all else comes into the slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::machine::{Slot, StateMachine, Step, Turn};
    /// use switchback::prelude::*;
    ///
    /// /// The next number, or 0 if none comes in time.
    /// struct Next(Receiver<u32>, Slot<u32>);
    ///
    /// impl StateMachine for Next {
    ///     type Output = u32;
    ///
    ///     fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u32>> {
    ///         match label {
    ///             0 => turn.at(1).select(
    ///                 self.0.clone(),
    ///                 |numbers, s| {
    ///                     s.on_recv(numbers, Ok);
    ///                     s.on_timeout(ms(5), || Ok(0));
    ///                 },
    ///                 |me| &mut me.1,
    ///             ),
    ///             _ => Ok(Step::Return(self.1.take()?)),
    ///         }
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::buffered(1));
    /// tx.send(7)?;
    /// run_blocking(|s| {
    ///     assert_eq!(s.async_machine(Next(rx.clone(), Slot::new())).await_()?, 7);
    ///     assert_eq!(s.async_machine(Next(rx.clone(), Slot::new())).await_()?, 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn select<O, R, B>(self, owned: O, build: B, into: fn(&mut M) -> &mut Slot<R>) -> Answer<M>
    where
        O: Send + 't,
        R: Send + 't,
        B: for<'a> FnOnce(&'a O, &mut Select<'a, R>) + Send + 't,
    {
        let place = Location::caller();
        self.ask(&SELECT, || {
            wait::leaf(Selects::<O, B, R, _, true>::new(
                owned,
                build,
                InSlot(into),
                place,
            ))
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
        T: Send + 't,
        F: FnOnce(Continuation<T>) -> Result<()> + Send + 't,
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
        F: Future + Send + 't,
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
