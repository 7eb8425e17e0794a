//! A `Waker` of the standard library for a suspended task. When a wake-up claims it is decided in `signal.rs`.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::task::queue::Queue;
use crate::task::signal::Signal;
use crate::task::word::Generation;
use crate::task::{Task, TaskRef, current, waiter};

/// What the wakers of one future share.
#[derive(Debug)]
pub(crate) struct Waking {
    task: TaskRef,
    signal: Signal,
}

impl Waking {
    pub(crate) fn new(task: &Task) -> Arc<Self> {
        Arc::new(Self {
            task: TaskRef::new(task),
            signal: Signal::new(),
        })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Owner: the future is about to be polled.
    pub(crate) fn begin(&self) {
        self.signal.begin();
    }

    /// Owner, after a poll and with the word published: true if the wait begins, false if the future was woken meanwhile.
    #[must_use]
    pub(crate) fn park(&self, generation: Generation) -> bool {
        self.signal.park(generation)
    }
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(generation) = self.signal.wake() else {
            return;
        };
        let task: &Task = &self.task;
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
