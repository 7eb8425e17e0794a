//! A view of a dispatcher that lets at most so many of its coroutines run at a time.
//!
//! A coroutine has a slot from its admission to its next suspension or its end; waiting coroutines have none. One that
//! has not started is admitted before it is sent to the threads, so that at most so many of a view are queued there, as in
//! Kotlin; one that has started is admitted when its own worker comes to resume it (R1). Both wait in one queue, first
//! in, first out. A slot that is given back passes to the first of the queue, which is sent to its thread as its holder.
//!
//! A view of a view has a slot in both: its own first, then the outer one's.
//!
//! The coroutines of a view of 1 never run at the same time, so they all start on one thread, where they wake each other
//! without a system call. That thread is chosen anew when none of them is left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::context::{Admission, Dispatcher, Refused, Unstarted};
use crate::scheduler::Fresh;
use crate::scheduler::worker::SLOT;
use crate::task::{Task, start};

/// The view.
#[derive(Debug)]
pub(crate) struct Limit {
    base: Dispatcher,
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: VecDeque<Fresh>,
    /// Coroutines that were sent to the threads and have not ended.
    alive: usize,
    lane: usize,
}

impl Limit {
    pub(crate) fn new(base: Dispatcher, limit: usize) -> Self {
        Self {
            base,
            limit,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a coroutine that has not started on its way: to the threads if there is a slot, else into the queue.
    pub(crate) fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        let Some(task) = self.admit(task) else {
            return Ok(());
        };
        let sent = self.send(task);
        if sent.is_err() {
            self.leave(true);
        }
        sent
    }

    /// The holder of a slot here goes on to the view around this one.
    fn pass(&self, task: Unstarted) -> Option<Unstarted> {
        match self.base.admission() {
            Some(outer) => outer.admit(task),
            None => Some(task),
        }
    }

    /// Sends the holder of all its slots to its thread.
    fn send(&self, task: Unstarted) -> Result<(), Refused> {
        let task = task.into_inner().cast::<Task>();
        // SAFETY: nobody else has a right to the task: it has not started, or it was claimed and then kept here.
        let header = unsafe { task.as_ref() };
        header.flags.set(header.flags.get() | SLOT);
        match header.home() {
            // SAFETY: claimed, in no queue, and it lives there.
            Some(home) => unsafe { home.send_chain(task.as_ptr(), task.as_ptr()) },
            None => return self.send_to_start(Unstarted::new(task.cast())),
        }
        Ok(())
    }

    fn send_to_start(&self, task: Unstarted) -> Result<(), Refused> {
        let threads = self.threads();
        let mut state = self.state();
        state.alive += 1;
        if self.limit > 1 {
            drop(state);
            return threads.dispatch(task);
        }
        if state.alive == 1 {
            state.lane = threads.choose_lane();
        }
        let lane = state.lane;
        drop(state);
        threads.dispatch_to(lane, task)
    }
}

impl Admission for Limit {
    fn admit(&self, task: Unstarted) -> Option<Unstarted> {
        let mut state = self.state();
        if state.running == self.limit {
            state.waiting.push_back(Fresh::new(task));
            return None;
        }
        state.running += 1;
        drop(state);
        self.pass(task)
    }

    fn leave(&self, ended: bool) {
        if let Some(outer) = self.base.admission() {
            outer.leave(ended);
        }
        let mut ended = ended;
        loop {
            let mut state = self.state();
            // One that was never sent, as a local one, was not counted.
            state.alive = state.alive.saturating_sub(usize::from(ended));
            let Some(next) = state.waiting.pop_front() else {
                state.running -= 1;
                return;
            };
            drop(state);
            let Some(next) = self.pass(next.into_unstarted()) else {
                return;
            };
            let Err(refused) = self.send(next) else {
                return;
            };
            start::refuse(refused, self.threads());
            ended = true;
            if let Some(outer) = self.base.admission() {
                outer.leave(true);
            }
        }
    }

    fn parallelism(&self) -> usize {
        self.limit
    }

    fn threads(&self) -> &Dispatcher {
        match self.base.admission() {
            Some(outer) => outer.threads(),
            None => &self.base,
        }
    }
}
