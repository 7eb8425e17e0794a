//! Layer 5: threads that run coroutines.
//!
//! - [`thread`] gives a thread its home when it first suspends, and takes it away when it ends.
//! - [`worker`] is what every thread that hosts coroutines does: the loop, and its sleep.
//! - [`starts`] is what it starts next.
//! - [`pace`] plans how often the loop looks at what comes from outside.
//! - [`budget`] has those give way who never have to wait.
//! - [`running`] is how it starts and resumes them on stacks; [`resting`] is a stack that waits for the next one.
//! - [`hooks`] is what few coroutines need around a resumption; [`limit`] lets at most so many of a view run.
//! - [`guest`] has stacks for what runs inside a task and is none.
//! - [`nested`] runs coroutines in place, inside the call that starts or resumes them.
//! - [`single`] is a thread with an event loop of its own.
//! - [`pool`] is the pool of CPU workers, who steal from each other what has not started.
//! - [`member`] is a worker's own place in it.
//! - [`apart`] keeps one of them from waiting behind the one that has woken it.
//! - [`policy`] is what those workers decide, apart from what they are made of; [`search`] is what an idle one gives to it.
//! - [`rounds`] is how those who are not idle notice what another one does not get round to.
//! - [`io`] is the pool that grows with the threads that block.
//! - [`gate`] lets other threads send work to an event loop that may be about to end.

mod apart;
pub(crate) mod budget;
pub(crate) mod gate;
pub(crate) mod guest;
mod hooks;
pub(crate) mod io;
pub(crate) mod limit;
mod member;
pub(crate) mod nested;
mod own;
mod pace;
mod patience;
mod policy;
pub(crate) mod pool;
mod resting;
mod rounds;
mod running;
mod search;
pub(crate) mod single;
mod starts;
pub(crate) mod thread;
pub(crate) mod worker;

use std::ptr::NonNull;

use crate::context::Unstarted;
use crate::task::Task;

/// The right to start a coroutine, on its way between threads.
#[derive(Debug)]
pub(crate) struct Fresh(NonNull<Task>);

// SAFETY: a task block is `Sync`, its closure `Send` (checked where it was launched), and this is the only right to it.
unsafe impl Send for Fresh {}

impl Fresh {
    pub(crate) fn new(task: Unstarted) -> Self {
        Self(task.into_inner().cast())
    }

    pub(crate) fn into_unstarted(self) -> Unstarted {
        Unstarted::new(self.0.cast())
    }

    pub(crate) fn task(&self) -> *const Task {
        self.0.as_ptr()
    }
}
