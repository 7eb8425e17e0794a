//! A `Waker` of the standard library for a suspended task.
//!
//! A future is polled, and may be woken at any time from any thread, often and for nothing. One word per future decides
//! what a wake-up finds:
//!
//! ```text
//! POLLED -waker> NOTIFIED         it came while the future was polled: the owner polls again
//! POLLED -owner> the suspension   the owner has published its word, and parks
//! the suspension -waker> NOTIFIED the waker claims the task, and sends it to its thread
//! NOTIFIED -owner> POLLED         before the next poll
//! ```
//!
//! The suspension is named by its generation (`word.rs`), so a waker that is late claims nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

use crate::task::queue::Queue;
use crate::task::word::Generation;
use crate::task::{Task, TaskRef, current, waiter};

const POLLED: u64 = 0;
const NOTIFIED: u64 = 1;

/// What the wakers of one future share.
#[derive(Debug)]
pub(crate) struct Waking {
    task: TaskRef,
    state: AtomicU64,
}

impl Waking {
    pub(crate) fn new(task: &Task) -> Arc<Self> {
        Arc::new(Self {
            task: TaskRef::new(task),
            state: AtomicU64::new(POLLED),
        })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Owner: the future is about to be polled.
    pub(crate) fn begin(&self) {
        // ORDERING: acquire, so that the poll sees what the waker has done before it woke.
        self.state.swap(POLLED, Ordering::AcqRel);
    }

    /// Owner, after a poll and with the word published: true if the wait begins, false if the future was woken meanwhile.
    pub(crate) fn park(&self, generation: Generation) -> bool {
        self.state
            .compare_exchange(
                POLLED,
                generation.raw(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let old = self.state.swap(NOTIFIED, Ordering::AcqRel);
        if old == POLLED || old == NOTIFIED {
            return;
        }
        let task: &Task = &self.task;
        let generation = Generation::from_raw(old);
        if current::home().is_some_and(|home| std::ptr::eq(home.local.current.get(), task)) {
            let _ = task.word.claim_local(generation);
        } else if task.word.claim_value(generation) {
            let chain = Queue::new();
            // SAFETY: claimed just now, so in no queue.
            unsafe { chain.push(task) };
            waiter::hand_back(&chain);
        }
    }
}
