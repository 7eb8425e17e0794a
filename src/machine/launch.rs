//! How a machine becomes a coroutine.

use std::panic::Location;

use crate::machine::StateMachine;
use crate::machine::runner::{Machine, Root};
use crate::scope::builder::{Builder, OwnedBuilder};
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::launch::{Order, birth, launch_task};
use crate::scope::owned::CoroutineScope;
use crate::scope::scope::Scope;
use crate::task::cell::TaskCell;
use crate::task::{Task, TaskRef, current};

/// Makes a coroutine of a machine, under `parent`, and sends it to its dispatcher.
///
/// # Safety
///
/// The parent waits for the coroutine before anything that the machine borrows ends; or the parent takes no more children,
/// and then the machine is dropped before this function returns.
pub(super) unsafe fn launch<M: StateMachine>(parent: &Task, order: Order, machine: M) -> TaskRef {
    let here = current::home();
    let birth = birth(here, &order, &Machine::<M>::VTABLE);
    // SAFETY: this thread's home.
    let task = unsafe {
        TaskCell::<M::Output, Root<M>>::allocate_stackless(here, birth, Root::new(machine))
    };
    // SAFETY: passed on to the caller.
    unsafe { launch_task(here, Some(parent), order, task) }
}

impl<'scope> Scope<'scope, '_> {
    /// Launches a [`StateMachine`], as [`launch`](Scope::launch) launches a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use switchback::machine::{StateMachine, Step, Turn};
    /// use switchback::prelude::*;
    ///
    /// /// Counts, a little later.
    /// struct Counts<'a>(&'a AtomicU32);
    ///
    /// impl StateMachine for Counts<'_> {
    ///     type Output = ();
    ///
    ///     fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
    ///         if label == 0 {
    ///             return turn.at(1).delay(ms(1));
    ///         }
    ///         turn.woken()?;
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///         Ok(Step::Return(()))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let count = AtomicU32::new(0);
    /// run_blocking(|s| {
    ///     for _ in 0..1000 {
    ///         s.launch_machine(Counts(&count));
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(count.into_inner(), 1000);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn launch_machine<M>(&'scope self, machine: M) -> Job
    where
        M: StateMachine<Output = ()> + Send + 'scope,
    {
        // SAFETY: this scope waits for its children, and the machine outlives it.
        Job::new(unsafe { launch(self.task(), Order::new(Location::caller()), machine) })
    }

    /// Launches a [`StateMachine`] that gives a value, as [`async_`](Scope::async_) launches a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_machine<M>(&'scope self, machine: M) -> Deferred<'scope, M::Output>
    where
        M: StateMachine + Send + 'scope,
        M::Output: Send + 'scope,
    {
        let order = Order::new(Location::caller()).deferred();
        // SAFETY: this scope waits for its children, and the machine outlives it.
        unsafe { Deferred::new(launch(self.task(), order, machine)) }
    }
}

impl<'scope> Builder<'scope, '_> {
    /// Launches a [`StateMachine`], as [`Scope::launch_machine`](crate::Scope::launch_machine) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_machine<M>(self, machine: M) -> Job
    where
        M: StateMachine<Output = ()> + Send + 'scope,
    {
        let order = self.order(Location::caller());
        // SAFETY: the scope waits for its children, and the machine outlives it.
        Job::new(unsafe { launch(self.parent(), order, machine) })
    }

    /// Launches a [`StateMachine`] that gives a value, as [`Scope::async_machine`](crate::Scope::async_machine) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_machine<M>(self, machine: M) -> Deferred<'scope, M::Output>
    where
        M: StateMachine + Send + 'scope,
        M::Output: Send + 'scope,
    {
        let order = self.order(Location::caller()).deferred();
        // SAFETY: the scope waits for its children, and the machine outlives it.
        unsafe { Deferred::new(launch(self.parent(), order, machine)) }
    }
}

impl CoroutineScope {
    /// Launches a [`StateMachine`], as [`launch`](CoroutineScope::launch) launches a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_machine<M>(&self, machine: M) -> Job
    where
        M: StateMachine<Output = ()> + Send + 'static,
    {
        self.builder().launch_machine(machine)
    }

    /// Launches a [`StateMachine`] that gives a value, as [`async_`](CoroutineScope::async_) launches a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_machine<M>(&self, machine: M) -> Deferred<'static, M::Output>
    where
        M: StateMachine + Send + 'static,
        M::Output: Send + 'static,
    {
        self.builder().async_machine(machine)
    }
}

impl OwnedBuilder {
    /// Launches a [`StateMachine`], as [`CoroutineScope::launch_machine`](crate::CoroutineScope::launch_machine) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_machine<M>(self, machine: M) -> Job
    where
        M: StateMachine<Output = ()> + Send + 'static,
    {
        let order = self.order(Location::caller());
        // SAFETY: the machine borrows nothing.
        Job::new(unsafe { launch(self.parent().task(), order, machine) })
    }

    /// Launches a [`StateMachine`] that gives a value, as
    /// [`CoroutineScope::async_machine`](crate::CoroutineScope::async_machine) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_machine<M>(self, machine: M) -> Deferred<'static, M::Output>
    where
        M: StateMachine + Send + 'static,
        M::Output: Send + 'static,
    {
        let order = self.order(Location::caller()).deferred();
        // SAFETY: the machine borrows nothing.
        unsafe { Deferred::new(launch(self.parent().task(), order, machine)) }
    }
}
