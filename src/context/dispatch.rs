//! What a context knows of a dispatcher: where a coroutine that has not started is sent.
//!
//! The interface lives here, low, so that everything above can carry a dispatcher; the implementations live in
//! `dispatchers`.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Element;
use crate::stack::StackSize;

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

    pub(crate) fn as_ptr(&self) -> NonNull<()> {
        self.0
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

    /// The thread on which a family of coroutines had best start that never run at the same time, as a number for
    /// [`dispatch_to`](Dispatch::dispatch_to).
    fn choose_lane(&self) -> usize {
        0
    }

    /// Queues the coroutine for one thread of this dispatcher, if it knows its threads apart.
    fn dispatch_to(&self, _lane: usize, task: Unstarted) -> Result<(), Refused> {
        self.dispatch(task)
    }

    /// The size of stack that coroutines get here unless they ask for another.
    fn stack_size(&self) -> StackSize;

    /// Whether the calling thread is one of this dispatcher's.
    fn is_here(&self) -> bool;

    /// What limits how many of its coroutines run at a time, if anything does.
    fn admission(&self) -> Option<&dyn Admission> {
        None
    }

    /// Whether its coroutines run in the call that starts or resumes them, where that is possible.
    fn is_unconfined(&self) -> bool {
        false
    }
}

/// Lets so many coroutines run at a time.
///
/// A coroutine has a slot from its admission to its next suspension, or its end.
pub(crate) trait Admission: fmt::Debug + Send + Sync {
    /// Gives the coroutine a slot, and the coroutine back. `None` if there is none: the coroutine is kept, and sent to its
    /// thread with a slot when its turn has come.
    fn admit(&self, task: Unstarted) -> Option<Unstarted>;

    /// Gives a slot back: its holder has suspended, or ended.
    fn leave(&self, ended: bool);

    /// How many there are.
    fn parallelism(&self) -> usize;

    /// The dispatcher whose threads those are that run the admitted.
    fn threads(&self) -> &Dispatcher;
}

/// Decides which thread a coroutine starts on, and therefore stays on.
///
/// Made by [`Dispatchers`](crate::Dispatchers) and others of this crate. An element of a context: joined with others by `+`.
#[derive(Clone)]
pub struct Dispatcher {
    dispatch: Arc<dyn Dispatch>,
    /// What is asked at each start, kept here to be at hand.
    stack_size: StackSize,
    limited: bool,
    unconfined: bool,
}

impl Dispatcher {
    pub(crate) fn new(dispatch: Arc<dyn Dispatch>) -> Self {
        Self {
            stack_size: dispatch.stack_size(),
            limited: dispatch.admission().is_some(),
            unconfined: dispatch.is_unconfined(),
            dispatch,
        }
    }

    #[inline]
    pub(crate) fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.dispatch.dispatch(task)
    }

    pub(crate) fn choose_lane(&self) -> usize {
        self.dispatch.choose_lane()
    }

    pub(crate) fn dispatch_to(&self, lane: usize, task: Unstarted) -> Result<(), Refused> {
        self.dispatch.dispatch_to(lane, task)
    }

    #[inline]
    pub(crate) fn stack_size(&self) -> StackSize {
        self.stack_size
    }

    pub(crate) fn is_here(&self) -> bool {
        self.dispatch.is_here()
    }

    #[inline]
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }

    pub(crate) fn admission(&self) -> Option<&dyn Admission> {
        self.dispatch.admission()
    }

    #[inline]
    pub(crate) fn is_unconfined(&self) -> bool {
        self.unconfined
    }

    pub(crate) fn is_same(&self, other: &Dispatcher) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.dispatch), Arc::as_ptr(&other.dispatch))
    }

    /// Whether a coroutine of this dispatcher is sent to a thread to be started: false only for
    /// [`Dispatchers::unconfined`](crate::Dispatchers::unconfined), which starts it in place.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_dispatch_needed(&self) -> bool {
        !self.unconfined
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dispatch.fmt(f)
    }
}

impl PartialEq for Dispatcher {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for Dispatcher {}

impl Element for Dispatcher {}
