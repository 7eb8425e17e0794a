//! Futures as coroutines.

use std::future::Future;

use crate::error::Result;
use crate::machine::{Slot, StateMachine, Step, Turn};
use crate::scope::body::Outcome;
use crate::scope::builder::{Builder, OwnedBuilder};
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::owned::CoroutineScope;
use crate::scope::scope::Scope;

/// A machine around the one that the compiler has made.
struct FutureMachine<T, F> {
    future: Option<F>,
    output: Slot<Result<T>>,
}

impl<T, F: Future<Output = Result<T>>> FutureMachine<T, F> {
    fn new(future: F) -> Self {
        Self {
            future: Some(future),
            output: Slot::new(),
        }
    }
}

impl<T, F: Future<Output = Result<T>> + Send> StateMachine for FutureMachine<T, F> {
    type Output = T;

    fn resume(&mut self, _label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<T>> {
        match self.future.take() {
            Some(future) => turn.at(1).future_of(future, |me| &mut me.output),
            None => Ok(Step::Return(self.output.take()??)),
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Launches a coroutine that is a future, as [`launch`](Scope::launch) does with a closure: a state machine written by
    /// the compiler, which has no stack and may be resumed by any worker. Its output is nothing, or `Result<()>`.
    ///
    /// A cancelled one is dropped at its next wake-up, or at once while it waits.
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
    /// let (sender, receiver) = channel(Capacity::unlimited());
    /// run_blocking(|s| {
    ///     let green = s.async_(|_| { delay(ms(1))?; Ok(7) });
    ///     s.launch_future(async { sender.try_send(green.await?).map_err(Error::from) });
    ///     assert_eq!(receiver.recv()?, 7);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn launch_future<F>(&'scope self, future: F) -> Job
    where
        F: Future<Output: Outcome> + Send + 'scope,
    {
        self.launch_machine(FutureMachine::new(
            async move { future.await.into_result() },
        ))
    }

    /// Launches a coroutine that is a future and gives a value, as [`async_`](Scope::async_) does with a closure.
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
    /// let sum = run_blocking(|s| {
    ///     let parts = [1, 2, 3].map(|n| s.async_(move |_| { delay(ms(1))?; Ok(n) }));
    ///     s.async_future(async {
    ///         let mut sum = 0;
    ///         for part in parts {
    ///             sum += part.await?;
    ///         }
    ///         Ok(sum)
    ///     })
    ///     .await_()
    /// })?;
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn async_future<F, T>(&'scope self, future: F) -> Deferred<'scope, T>
    where
        F: Future<Output = Result<T>> + Send + 'scope,
        T: Send + 'scope,
    {
        self.async_machine(FutureMachine::new(future))
    }
}

impl<'scope> Builder<'scope, '_> {
    /// Launches a coroutine that is a future, as [`launch`](Builder::launch) does with a closure: a state machine written by
    /// the compiler, which has no stack and may be resumed by any worker. Its output is nothing, or `Result<()>`.
    ///
    /// A cancelled one is dropped at its next wake-up, or at once while it waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_future<F>(self, future: F) -> Job
    where
        F: Future<Output: Outcome> + Send + 'scope,
    {
        self.launch_machine(FutureMachine::new(
            async move { future.await.into_result() },
        ))
    }

    /// Launches a coroutine that is a future and gives a value, as [`async_`](Builder::async_) does with a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_future<F, T>(self, future: F) -> Deferred<'scope, T>
    where
        F: Future<Output = Result<T>> + Send + 'scope,
        T: Send + 'scope,
    {
        self.async_machine(FutureMachine::new(future))
    }
}

impl CoroutineScope {
    /// Launches a coroutine that is a future, as [`launch`](CoroutineScope::launch) does with a closure: a state machine written by
    /// the compiler, which has no stack and may be resumed by any worker. Its output is nothing, or `Result<()>`.
    ///
    /// A cancelled one is dropped at its next wake-up, or at once while it waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_future<F>(&self, future: F) -> Job
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.launch_machine(FutureMachine::new(
            async move { future.await.into_result() },
        ))
    }

    /// Launches a coroutine that is a future and gives a value, as [`async_`](CoroutineScope::async_) does with a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_future<F, T>(&self, future: F) -> Deferred<'static, T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.async_machine(FutureMachine::new(future))
    }
}

impl OwnedBuilder {
    /// Launches a coroutine that is a future, as [`launch`](OwnedBuilder::launch) does with a closure: a state machine written by
    /// the compiler, which has no stack and may be resumed by any worker. Its output is nothing, or `Result<()>`.
    ///
    /// A cancelled one is dropped at its next wake-up, or at once while it waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch_future<F>(self, future: F) -> Job
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.launch_machine(FutureMachine::new(
            async move { future.await.into_result() },
        ))
    }

    /// Launches a coroutine that is a future and gives a value, as [`async_`](OwnedBuilder::async_) does with a closure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_future<F, T>(self, future: F) -> Deferred<'static, T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.async_machine(FutureMachine::new(future))
    }
}
