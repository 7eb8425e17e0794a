//! Coroutines with a channel.
//!
//! The channel and the job know each other. The job's end closes the channel, by a completion handler that has a sender;
//! the channel's cancel cancels the job, which the hub keeps. Neither keeps the other for ever: the handler goes when the
//! job completes, as every job does.
//!
//! The handler borrows what the elements borrow, which no handler of a user's may. It may, because a job leaves its parent
//! only after its handlers have run (`task/finish.rs`, step 2), so its scope stands until then (R2).

use std::panic::Location;

use crate::context::CoroutineContext;
use crate::error::Error;
use crate::job::state::FAILED;
use crate::scope::body::Outcome;
use crate::scope::builder::{Builder, OwnedBuilder};
use crate::scope::deferred::success_of;
use crate::scope::job::Job;
use crate::scope::launch::{self, Order};
use crate::scope::owned::CoroutineScope;
use crate::scope::scope::Scope;
use crate::sync::channel::{Capacity, Receiver, Sender, channel};
use crate::task::{Handler, Task, finish, report};

impl<'scope> Scope<'scope, '_> {
    /// Launches a coroutine with a channel: its body is given the sender, the caller gets the receiver.
    ///
    /// The channel is closed when the coroutine has completed, with its children, which may have clones of the sender. If
    /// it failed, the failure is the cause; if it was cancelled, an ordinary error that says so. A failure fails the scope
    /// too, as that of any coroutine; under a supervisor it is for the receiver alone, and is reported only if the channel
    /// had ended before.
    ///
    /// Who cancels the channel, or drops its last receiver, cancels the coroutine.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let words = ["one", "two", "three"];
    /// let lengths = coroutine_scope(|s| {
    ///     let words = s.produce(Capacity::rendezvous(), |_, tx| {
    ///         for word in words {
    ///             tx.send(word)?;
    ///         }
    ///         Ok(())
    ///     });
    ///     words.iter().map(|word| Ok(word?.len())).collect::<Result<Vec<_>>>()
    /// })?;
    /// assert_eq!(lengths, [3, 3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn produce<T, F, O>(&'scope self, capacity: Capacity, body: F) -> Receiver<T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>, Sender<T>) -> O + Send + 'scope,
        O: Outcome,
        T: Send + 'scope,
    {
        let order = Order::new(Location::caller());
        // SAFETY: this scope waits for its children, and what the body and the elements borrow outlives it.
        unsafe { start(self.task(), order, capacity, body) }
    }
}

impl<'scope> Builder<'scope, '_> {
    /// Launches a coroutine with a channel, as [`Scope::produce`](crate::Scope::produce) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn produce<T, F, O>(self, capacity: Capacity, body: F) -> Receiver<T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>, Sender<T>) -> O + Send + 'scope,
        O: Outcome,
        T: Send + 'scope,
    {
        let order = self.order(Location::caller());
        // SAFETY: the scope waits for its children, and what the body and the elements borrow outlives it.
        unsafe { start(self.scope().task(), order, capacity, body) }
    }
}

impl CoroutineScope {
    /// Launches a coroutine with a channel, as [`Scope::produce`](crate::Scope::produce) does; what it captures it owns.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn produce<T, F, O>(&self, capacity: Capacity, body: F) -> Receiver<T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>, Sender<T>) -> O + Send + 'static,
        O: Outcome,
        T: Send + 'static,
    {
        self.builder().produce(capacity, body)
    }
}

impl OwnedBuilder {
    /// Launches a coroutine with a channel, as [`CoroutineScope::produce`](crate::CoroutineScope::produce) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn produce<T, F, O>(self, capacity: Capacity, body: F) -> Receiver<T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>, Sender<T>) -> O + Send + 'static,
        O: Outcome,
        T: Send + 'static,
    {
        let order = self.order(Location::caller());
        // SAFETY: nothing is borrowed.
        unsafe { start(self.parent().task(), order, capacity, body) }
    }
}

/// Makes the channel and the coroutine.
///
/// # Safety
///
/// - As for [`launch::launch`].
/// - The parent waits for the coroutine before `'env` ends.
unsafe fn start<'env, T, F, O>(
    parent: &Task,
    order: Order,
    capacity: Capacity,
    body: F,
) -> Receiver<T>
where
    F: for<'c> FnOnce(&'c Scope<'c, 'env>, Sender<T>) -> O + Send + 'env,
    O: Outcome,
    T: Send + 'env,
{
    let (tx, rx) = channel(capacity);
    // Looked at now: a job that has completed has neither a context nor a parent.
    let unheard = (!finish::answers_for_children(parent)).then(|| {
        let own = order.context.clone().unwrap_or_default();
        parent.context().merged(&own)
    });
    let given = tx.clone();
    // Of the kind whose failures somebody is there to receive.
    let order = order.deferred();
    // SAFETY: passed on to the caller.
    let job = Job::new(unsafe {
        launch::launch(parent, order, move |scope: &Scope<'_, 'env>| {
            body(scope, given).into_result()
        })
    });
    tx.belongs_to(job.clone());
    let ended = job.clone();
    let close: Closing<'env> = Box::new(move |_| close(&ended, unheard.as_ref(), &tx));
    // SAFETY: a change of lifetime alone. The handler is called, and so gone, before the job leaves its parent (see the
    // header), and the caller vouches that `'env` lasts until then; if the job has completed, in this call.
    let close: Handler = unsafe { std::mem::transmute(close) };
    let _ = job.register(false, close);
    rx
}

/// A completion handler that borrows.
type Closing<'env> = Box<dyn FnOnce(Option<&Error>) + Send + 'env>;

/// The coroutine has completed. A failure that neither the receiver nor the parent hears of is reported, to the handler in
/// `unheard`.
fn close<T>(job: &Job, unheard: Option<&CoroutineContext>, tx: &Sender<T>) {
    let task = job.task();
    let Err(cause) = success_of(task) else {
        tx.close();
        return;
    };
    let is_heard = tx.close_with(cause.clone());
    if let Some(context) = unheard
        && !is_heard
        && task.state().has(FAILED)
    {
        report::uncaught(task, context, &cause);
    }
}
