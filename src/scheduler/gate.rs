//! The way into an event loop from other threads, which closes when the loop ends.
//!
//! The word counts the coroutines that other threads have sent and that have not arrived; bit 63 is CLOSED. A sender
//! counts itself in before it sends, and finds out by the same exchange whether the loop is closed. The loop closes the
//! gate by one exchange from zero, when it hosts nothing and its queue is empty. So nothing is sent to a loop that has
//! ended, and a loop does not end while something is on its way.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::context::{Refused, Unstarted};
use crate::scheduler::worker::GATED;
use crate::task::Task;
use crate::task::current;
use crate::task::home::Home;

const CLOSED: u64 = 1 << 63;

/// One run of an event loop.
#[derive(Debug)]
pub(crate) struct LoopGate {
    home: &'static Home,
    word: AtomicU64,
}

impl LoopGate {
    pub(crate) fn new(home: &'static Home) -> Self {
        Self {
            home,
            word: AtomicU64::new(0),
        }
    }

    /// Whether the calling thread is the one on which this loop runs.
    pub(crate) fn is_here(&self) -> bool {
        current::home().is_some_and(|home| std::ptr::eq(home, self.home)) && !self.is_closed()
    }

    fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Sends a coroutine to the loop.
    pub(crate) fn dispatch(&self, unstarted: Unstarted) -> Result<(), Refused> {
        if self.is_here() {
            let task: *const Task = unstarted.into_inner().cast().as_ptr();
            // SAFETY: this thread owns the home, and has the only right to the task.
            unsafe { self.home.push_ready(task) };
            return Ok(());
        }
        // ORDERING: the exchange orders this sender against `close`.
        if self.word.fetch_add(1, Ordering::AcqRel) & CLOSED != 0 {
            self.word.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused(unstarted));
        }
        let task = unstarted.into_inner().cast::<Task>();
        // SAFETY: this thread has the only right to the task until it is sent.
        let flags = unsafe { &task.as_ref().flags };
        flags.set(flags.get() | GATED);
        // SAFETY: as above.
        unsafe { self.home.send_chain(task.as_ptr(), task.as_ptr()) };
        Ok(())
    }

    /// The loop: a coroutine that was sent has arrived.
    pub(crate) fn arrived(&self) {
        self.word.fetch_sub(1, Ordering::AcqRel);
    }

    /// The loop: closes the gate if nothing is on its way.
    pub(crate) fn close(&self) -> bool {
        self.word
            .compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}
