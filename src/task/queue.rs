//! Queues of tasks, linked through the tasks themselves. A task is in one queue at a time.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering;

use crate::task::Task;
use crate::task::inbox::Linked;
use crate::util::prefetch::{self, Need};

/// How many lines of memory the header of a task covers, which stands anywhere in its first one.
pub(crate) const BLOCK_LINES: usize = size_of::<Task>().div_ceil(64) + 1;

/// A first-in, first-out queue that one thread uses.
#[derive(Debug)]
pub(crate) struct Queue {
    first: Cell<*const Task>,
    last: Cell<*const Task>,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    #[inline(always)]
    pub(crate) fn first(&self) -> *const Task {
        self.first.get()
    }

    /// Appends a task.
    ///
    /// # Safety
    ///
    /// The task is in no queue, and stays alive until it was popped.
    #[inline(always)]
    pub(crate) unsafe fn push(&self, task: *const Task) {
        // SAFETY: the caller vouches for the task.
        unsafe { &*task }
            .link()
            .store(ptr::null_mut(), Ordering::Relaxed);
        let last = self.last.get();
        if last.is_null() {
            self.first.set(task);
        } else {
            // SAFETY: a queued task is alive.
            unsafe { &*last }
                .link()
                .store(task.cast_mut(), Ordering::Relaxed);
        }
        self.last.set(task);
    }

    /// Takes what another queue holds. This one is empty.
    pub(crate) fn take_over(&self, other: &Queue) {
        debug_assert!(self.is_empty());
        self.first.set(other.first.replace(ptr::null()));
        self.last.set(other.last.replace(ptr::null()));
    }

    /// Whether the next few tasks lie in the order in which they come, as far as one can tell by their blocks: each as far from the
    /// one before. Then the processor guesses itself what comes next, and sooner.
    pub(crate) fn lies_in_order(&self) -> bool {
        const FEW: usize = 8;
        let mut step = None;
        let mut at = self.first.get();
        for _ in 0..FEW {
            // SAFETY: a queued task is alive.
            let Some(task) = (unsafe { at.as_ref() }) else {
                return false;
            };
            let next: *const Task = task.link().load(Ordering::Relaxed);
            let this = next.addr().wrapping_sub(at.addr());
            if *step.get_or_insert(this) != this {
                return false;
            }
            at = next;
        }
        true
    }

    /// Asks for the memory of those that come next, if there are several: for the block of the second, and by `fetch_more`
    /// for what else the first needs, whose own block was asked for when it was the second.
    #[inline(always)]
    pub(crate) fn prefetch(&self, need: Need, fetch_more: impl FnOnce(&Task)) {
        // SAFETY: a queued task is alive.
        let Some(first) = (unsafe { self.first.get().as_ref() }) else {
            return;
        };
        let second: *const Task = first.link().load(Ordering::Relaxed);
        if !second.is_null() {
            match need {
                Need::Cold => prefetch::lines(second, BLOCK_LINES),
                Need::Warm => prefetch::lines(second.wrapping_byte_add(Task::SWITCHED), 1),
            }
            fetch_more(first);
        }
    }

    /// Takes the first task, or gives null.
    #[inline(always)]
    pub(crate) fn pop(&self) -> *const Task {
        let first = self.first.get();
        if !first.is_null() {
            // SAFETY: a queued task is alive.
            let next = unsafe { &*first }.link().load(Ordering::Relaxed);
            self.first.set(next);
            if next.is_null() {
                self.last.set(ptr::null());
            }
        }
        first
    }
}
