//! The way into a loop, or a pool, that may end, from other threads.
//!
//! The word counts the coroutines that were sent and have not arrived; bit 63 is CLOSED. A sender counts itself in before
//! it sends, and finds out by the same exchange whether the gate is closed: then it takes itself out again and keeps the
//! coroutine. So nothing is sent to a loop that has ended, and a loop does not end while something is on its way.
//!
//! - A loop that ends when it has nothing to do (that of `run_blocking`) closes its gate by one exchange from zero.
//! - One that is closed by its owner is shut first, whatever is on its way: what has come in by then still arrives, and
//!   the threads end when the gate is shut, nothing is on its way, and they host nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::context::{Refused, Unstarted};
use crate::scheduler::worker::GATED;
use crate::task::Task;
use crate::task::current;
use crate::task::home::Home;

const CLOSED: u64 = 1 << 63;

/// What counts those on their way.
#[derive(Debug)]
pub(crate) struct Gate(AtomicU64);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Counts a coroutine in that is about to be sent. It comes back if the gate is closed. For a moment it was counted all the same,
    /// and whoever looked then, or was the last to arrive, has seen it: so `drained` is called if nothing is left, as for that last
    /// one.
    pub(crate) fn enter(
        &self,
        unstarted: Unstarted,
        drained: impl FnOnce(),
    ) -> Result<Unstarted, Refused> {
        if self.count() & CLOSED != 0 {
            if self.arrived() {
                drained();
            }
            return Err(Refused(unstarted));
        }
        let task = unstarted.into_inner();
        // SAFETY: this thread has the only right to the task until it is sent.
        let flags = unsafe { &task.cast::<Task>().as_ref().flags };
        flags.set(flags.get() | GATED);
        Ok(Unstarted::new(task))
    }

    /// What the gate was before.
    fn count(&self) -> u64 {
        // ORDERING: the exchange orders this sender against those who close.
        self.0.fetch_add(1, Ordering::AcqRel)
    }

    /// A coroutine that was counted in has arrived. True if the gate is closed and it was the last.
    pub(crate) fn arrived(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1
    }

    /// Closes the gate if nothing is on its way.
    pub(crate) fn close(&self) -> bool {
        self.0
            .compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Closes the gate; what is on its way still arrives. True for the call that did it.
    pub(crate) fn shut(&self) -> bool {
        self.0.fetch_or(CLOSED, Ordering::SeqCst) & CLOSED == 0
    }

    /// Whether the gate is closed and nothing is on its way.
    pub(crate) fn is_drained(&self) -> bool {
        // ORDERING: seq-cst, after a thread has announced that it will sleep; `shut` comes before it is notified.
        self.0.load(Ordering::SeqCst) == CLOSED
    }
}

/// One event loop, as others see it.
#[derive(Debug)]
pub(crate) struct LoopGate {
    home: &'static Home,
    gate: Gate,
}

impl LoopGate {
    pub(crate) fn new(home: &'static Home) -> Self {
        Self {
            home,
            gate: Gate::new(),
        }
    }

    /// Whether the calling thread is the one on which this loop runs.
    pub(crate) fn is_here(&self) -> bool {
        current::home().is_some_and(|home| std::ptr::eq(home, self.home)) && !self.gate.is_closed()
    }

    /// Sends a coroutine to the loop.
    pub(crate) fn dispatch(&self, unstarted: Unstarted) -> Result<(), Refused> {
        if self.is_here() {
            let task: *const Task = unstarted.into_inner().cast().as_ptr();
            // SAFETY: this thread owns the home, and has the only right to the task.
            unsafe { self.home.push_ready(task) };
            self.home.call_host();
            return Ok(());
        }
        let counted = self.gate.enter(unstarted, || self.home.notify())?;
        let task = counted.into_inner().cast::<Task>();
        // SAFETY: this thread has the only right to the task until it is sent.
        unsafe { self.home.send_chain(task.as_ptr(), task.as_ptr()) };
        Ok(())
    }

    /// The loop: a coroutine that was sent has arrived.
    pub(crate) fn arrived(&self) {
        // The loop itself looks again before it sleeps.
        let _ = self.gate.arrived();
    }

    /// The loop: closes the gate if nothing is on its way.
    pub(crate) fn close(&self) -> bool {
        self.gate.close()
    }

    /// Takes no more coroutines; the loop ends when those that it has have ended.
    pub(crate) fn shut(&self) {
        self.gate.shut();
        self.home.notify();
    }

    /// The loop: whether it was shut, and nothing is on its way or lives here.
    pub(crate) fn is_over(&self) -> bool {
        self.gate.is_drained() && self.home.hosted.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::Gate;
    use crate::context::Unstarted;

    /// Whether one who is refused finds that nothing is on its way any more.
    fn is_drained_by_refusal(gate: &Gate) -> bool {
        let mut is_drained = false;
        // Nobody looks at what is refused.
        let refused = gate.enter(Unstarted::new(NonNull::dangling()), || is_drained = true);
        assert!(refused.is_err());
        is_drained
    }

    #[test]
    fn who_is_refused_stands_for_the_last_arrival_that_it_may_have_hidden() {
        let gate = Gate::new();
        gate.count();
        assert!(gate.shut());
        assert!(!is_drained_by_refusal(&gate));
        assert!(gate.arrived() && gate.is_drained());
        assert!(is_drained_by_refusal(&gate) && gate.is_drained());
    }
}
