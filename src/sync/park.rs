//! From the wait lists down to the suspension: the acts of this module that need the task and its thread.

use crate::error::Result;
use crate::sync::wait_list::Waits;
use crate::task::Task;
use crate::task::queue::Queue;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::hand_back;
use crate::task::word::{Generation, Word};

impl Waits for Task {
    #[inline(always)]
    fn word(&self) -> &Word {
        &self.word
    }
}

/// Names the coming suspension, or tells why this frame must not suspend. Only for a call that must wait.
#[inline(always)]
pub(crate) fn prepare(here: &Here) -> Result<Generation> {
    refuse_in_closed_frames()?;
    here.prepare()
}

/// Those who were claimed under a lock, until it is released.
#[derive(Debug)]
pub(crate) struct Claimed(Queue);

impl Claimed {
    pub(crate) fn new() -> Self {
        Self(Queue::new())
    }

    /// Hands back the one who was claimed, if any. The lock has been released.
    #[inline(always)]
    pub(crate) fn hand_back_one(task: Option<*const Task>) {
        if let Some(task) = task {
            let claimed = Self::new();
            // SAFETY: the caller has just claimed it.
            unsafe { claimed.add(task) };
            claimed.hand_back();
        }
    }

    /// Adds one.
    ///
    /// # Safety
    ///
    /// The task was just claimed, and goes nowhere else.
    #[inline(always)]
    pub(crate) unsafe fn add(&self, task: *const Task) {
        // SAFETY: a claimed task is in no queue, and alive until it is handed back.
        unsafe { self.0.push(task) };
    }

    /// Hands all of them back to their threads, in order. The lock has been released.
    #[inline(always)]
    pub(crate) fn hand_back(&self) {
        if !self.0.is_empty() {
            hand_back(&self.0);
        }
    }
}
