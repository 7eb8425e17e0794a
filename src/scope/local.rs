//! Coroutines that start on the calling thread, and so need not be `Send`.

use std::panic::Location;

use crate::scheduler::thread;
use crate::scope::body::Outcome;
use crate::scope::job::Job;
use crate::scope::launch::{self, Order};
use crate::scope::owned::CoroutineScope;
use crate::scope::scope::Scope;

/// Whether the calling thread runs coroutines that start on it.
pub(crate) fn hosts_coroutines() -> bool {
    thread::here_if_settled().is_some_and(|here| here.home().local.loops.get() > 0)
}

impl Order {
    /// An order for a coroutine that starts on the calling thread.
    #[track_caller]
    fn local(place: &'static Location<'static>) -> Self {
        assert!(
            hosts_coroutines(),
            "`launch_local` on a thread that hosts no coroutines: it needs a loop, as that of `run_blocking` or an \
             `EventLoop`, or a worker"
        );
        let mut order = Order::new(place);
        order.local = true;
        order
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// As [`launch`](Scope::launch), for a closure that is not `Send`: the coroutine starts on the calling thread,
    /// whatever the dispatcher of its context is, and stays there. Its own children start where that dispatcher sends
    /// them.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Panics
    ///
    /// If the calling thread hosts no coroutines: it needs a loop, as that of [`run_blocking`](crate::run_blocking) or an
    /// [`EventLoop`](crate::EventLoop), or a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let clicks = Rc::new(Cell::new(0));
    /// run_blocking(|s| {
    ///     for _ in 0..3 {
    ///         let clicks = clicks.clone();
    ///         s.launch_local(move |_| clicks.set(clicks.get() + 1));
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(clicks.get(), 3);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn launch_local<F, O>(&'scope self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>) -> O + 'scope,
        O: Outcome,
    {
        let order = Order::local(Location::caller());
        // SAFETY: the scope waits for its children, and the closure outlives it; it never leaves this thread, on which it
        // is queued, started or dropped (R1).
        Job::new(unsafe {
            launch::launch(self.task(), order, move |scope: &Scope<'_, 'scope>| {
                body(scope).into_result()
            })
        })
    }
}

impl CoroutineScope {
    /// As [`launch`](CoroutineScope::launch), for a closure that is not `Send`, as [`Scope::launch_local`] does it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Panics
    ///
    /// If the calling thread hosts no coroutines.
    #[track_caller]
    pub fn launch_local<F, O>(&self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + 'static,
        O: Outcome,
    {
        let mut order = Order::local(Location::caller()).owned();
        order.context = Some(self.context());
        // SAFETY: the closure borrows nothing, and never leaves this thread.
        Job::new(unsafe {
            launch::launch(
                self.job().task(),
                order,
                move |scope: &Scope<'_, 'static>| body(scope).into_result(),
            )
        })
    }
}
