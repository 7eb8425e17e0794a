//! What a context knows of a dispatcher: where a coroutine that has not started is sent.
//!
//! The interface lives here, low, so that everything above can carry a dispatcher; the implementations live in
//! `dispatchers`.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Element;

/// A coroutine that has not started, as an address: what stands behind it is known from layer 3 on.
///
/// Whoever holds it owns the one right to start it, or to drop its closure unstarted.
#[derive(Debug)]
#[must_use]
pub(crate) struct Unstarted(NonNull<()>);

impl Unstarted {
    pub(crate) fn new(task: NonNull<()>) -> Self {
        Self(task)
    }

    pub(crate) fn into_inner(self) -> NonNull<()> {
        self.0
    }
}

/// A dispatcher that takes no more coroutines gives them back.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Unstarted);

/// Where coroutines go that have not started.
pub(crate) trait Dispatch: fmt::Debug + Send + Sync {
    /// Queues the coroutine for a thread of this dispatcher.
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused>;

    /// The size of stack that coroutines get here unless they ask for another.
    fn stack_bytes(&self) -> usize;
}

/// Decides which thread a coroutine starts on, and therefore stays on.
///
/// Made by [`Dispatchers`](crate::Dispatchers). An element of a context: joined with others by `+`.
#[derive(Clone)]
pub struct Dispatcher(Arc<dyn Dispatch>);

impl Dispatcher {
    pub(crate) fn new(dispatch: Arc<dyn Dispatch>) -> Self {
        Self(dispatch)
    }

    #[inline]
    pub(crate) fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.0.dispatch(task)
    }

    pub(crate) fn stack_bytes(&self) -> usize {
        self.0.stack_bytes()
    }

    pub(crate) fn is_same(&self, other: &Dispatcher) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Dispatcher {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for Dispatcher {}

impl Element for Dispatcher {}
