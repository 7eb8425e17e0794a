//! The long form of a launch.

use std::panic::Location;

use crate::context::{CoroutineContext, CoroutineName, Dispatcher, StackBytes};
use crate::error::Result;
use crate::scope::body::Outcome;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::job_context::JobContext;
use crate::scope::launch::{self, Order};
use crate::scope::owned::CoroutineScope;
use crate::scope::scope::Scope;
use crate::task::Task;

/// What a coroutine is launched with, in the manner of `std::thread::Builder`. Made by
/// [`Scope::builder`](crate::Scope::builder).
#[derive(Debug)]
#[must_use = "a builder launches nothing before `launch` or `async_`"]
pub struct Builder<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    context: CoroutineContext,
    start: CoroutineStart,
}

/// When a coroutine is sent to its dispatcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoroutineStart {
    /// When it is launched.
    #[default]
    Default,
    /// When somebody starts, joins or awaits it. Until then its job is New, and its scope waits for it: one that is never
    /// started must be cancelled. Cancelled while it is New, it completes at once and never runs.
    Lazy,
    /// When it is launched, and it starts even if it is cancelled before: up to its first suspending call, which returns
    /// the cancellation. For what must not be skipped, as the release of something that was handed over. Only a scope that
    /// takes no more coroutines refuses it.
    Atomic,
    /// At once, in the call that launches it, up to its first suspension; from then on as any other. In place only on a
    /// thread of its own dispatcher, and not while that thread is panicking; elsewhere this is an ordinary start.
    Undispatched,
}

impl<'scope, 'env> Builder<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        Self {
            scope,
            context: CoroutineContext::empty(),
            start: CoroutineStart::Default,
        }
    }

    /// Adds elements to the context; they win over what was set before.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn context(mut self, context: impl Into<CoroutineContext>) -> Self {
        self.context = self.context + context.into();
        self
    }

    /// Names the coroutine, for logs and failure reports.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        self.context(CoroutineName::new(name))
    }

    /// Sends the coroutine to another dispatcher.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn dispatcher(self, dispatcher: Dispatcher) -> Self {
        self.context(dispatcher)
    }

    /// Gives the coroutine a stack of at least so many bytes (rounded up to a power of two, no less than 64 KiB).
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn stack_size(self, bytes: usize) -> Self {
        self.context(StackBytes(bytes))
    }

    /// Says when the coroutine is sent to its dispatcher.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn start(mut self, start: CoroutineStart) -> Self {
        self.start = start;
        self
    }

    pub(crate) fn scope(&self) -> &'scope Scope<'scope, 'env> {
        self.scope
    }

    pub(crate) fn parent(&self) -> &Task {
        self.scope.task()
    }

    pub(crate) fn order(&self, place: &'static Location<'static>) -> Order {
        let mut order = Order::new(place).starting(self.start);
        if !self.context.is_empty() {
            order.context = Some(self.context.clone());
        }
        order
    }

    /// Launches a coroutine, as [`Scope::launch`](crate::Scope::launch) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch<F, O>(self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>) -> O + Send + 'scope,
        O: Outcome,
    {
        let order = self.order(Location::caller());
        // SAFETY: the scope waits for its children, and the closure outlives it.
        Job::new(unsafe {
            launch::launch(
                self.scope.task(),
                order,
                move |scope: &Scope<'_, 'scope>| body(scope).into_result(),
            )
        })
    }

    /// Launches a coroutine that gives a value, as [`Scope::async_`](crate::Scope::async_) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_<F, T>(self, body: F) -> Deferred<'scope, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>) -> Result<T> + Send + 'scope,
        T: Send + 'scope,
    {
        let order = self.order(Location::caller()).deferred();
        // SAFETY: the scope waits for its children, and the closure outlives it.
        unsafe { Deferred::new(launch::launch(self.scope.task(), order, body)) }
    }
}

/// What a coroutine of an owned scope is launched with. Made by
/// [`CoroutineScope::builder`](crate::CoroutineScope::builder).
///
/// Its context may have a Job in it, made by hand or any other: the coroutine is then that job's child instead of the
/// scope's, which neither waits for it nor cancels it.
#[derive(Debug)]
#[must_use = "a builder launches nothing before `launch` or `async_`"]
pub struct OwnedBuilder {
    scope: CoroutineScope,
    context: JobContext,
    start: CoroutineStart,
}

impl OwnedBuilder {
    pub(crate) fn new(scope: CoroutineScope) -> Self {
        Self {
            scope,
            context: JobContext::default(),
            start: CoroutineStart::Default,
        }
    }

    /// Adds elements, or another parent, to the context; they win over what was set before.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn context(mut self, context: impl Into<JobContext>) -> Self {
        self.context = self.context + context.into();
        self
    }

    /// Names the coroutine, for logs and failure reports.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        self.context(CoroutineName::new(name))
    }

    /// Sends the coroutine to another dispatcher.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn dispatcher(self, dispatcher: Dispatcher) -> Self {
        self.context(dispatcher)
    }

    /// Gives the coroutine a stack of at least so many bytes (rounded up to a power of two, no less than 64 KiB).
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn stack_size(self, bytes: usize) -> Self {
        self.context(StackBytes(bytes))
    }

    /// Says when the coroutine is sent to its dispatcher.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn start(mut self, start: CoroutineStart) -> Self {
        self.start = start;
        self
    }

    pub(crate) fn order(&self, place: &'static Location<'static>) -> Order {
        let mut order = Order::new(place).owned().starting(self.start);
        order.context = Some(self.scope.context().merged(self.context.context()));
        order
    }

    pub(crate) fn parent(&self) -> Job {
        match self.context.job() {
            Some(job) => job.clone(),
            None => self.scope.job(),
        }
    }

    /// Launches a coroutine, as [`CoroutineScope::launch`](crate::CoroutineScope::launch) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch<F, O>(self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + Send + 'static,
        O: Outcome,
    {
        let order = self.order(Location::caller());
        // SAFETY: the closure borrows nothing.
        Job::new(unsafe {
            launch::launch(
                self.parent().task(),
                order,
                move |scope: &Scope<'_, 'static>| body(scope).into_result(),
            )
        })
    }

    /// Launches a coroutine that gives a value, as [`CoroutineScope::async_`](crate::CoroutineScope::async_) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_<F, T>(self, body: F) -> Deferred<'static, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let order = self.order(Location::caller()).deferred();
        // SAFETY: the closure borrows nothing.
        unsafe { Deferred::new(launch::launch(self.parent().task(), order, body)) }
    }
}
