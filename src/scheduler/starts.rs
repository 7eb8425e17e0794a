//! What a worker starts next: which of those that have not started it takes, when, and whether they start here.

use std::ptr::{self, NonNull};

use crate::context::Unstarted;
use crate::driver::Driver;
use crate::scheduler::Fresh;
use crate::scheduler::member::Member;
use crate::scheduler::policy::{self, FRESH_EVERY};
use crate::scheduler::worker::{GIVEN, HANDED, Worker};
use crate::stack::StackSize;
use crate::task::Task;
use crate::task::queue::BLOCK_LINES;
use crate::util::prefetch;

impl Worker {
    /// Pool workers: moves one coroutine that has not started to the ready queue.
    pub(super) fn take_fresh(&self) {
        let fresh = self.member().and_then(Member::next);
        if let Some(fresh) = fresh {
            self.place(fresh);
        }
    }

    /// Pool workers: puts back what was [taken](Worker::take_fresh), into a ready queue that was empty, so that others reach it.
    #[cold]
    pub(super) fn put_back(&self) {
        let task = NonNull::new(self.home.local.ready.pop().cast_mut());
        if let (Some(task), Some(member)) = (task, self.member()) {
            // SAFETY: a queued task is alive.
            let has_started = unsafe { task.as_ref() }.stack.get().is_some();
            debug_assert!(!has_started, "nothing else is ready");
            member.put_back(Fresh::new(Unstarted::new(task.cast())));
        }
    }

    /// Pool workers: moves some of what others have given to this one to the ready queue, where nobody else reaches it.
    pub(super) fn take_given(&self) {
        let Some(member) = self.member() else {
            return;
        };
        let (now, turns) = (self.pace.turn(), self.pace.until_look());
        let last = self.given_at.replace(now);
        for _ in 0..policy::given_at_once(last, now, turns, self.home.has_ready()) {
            let Some(given) = member.given() else { break };
            // SAFETY: the task has not started, and this is the only right to it.
            unsafe { self.home.push_ready(given.task()) };
        }
    }

    /// Pool workers: takes one coroutine that has not started, to be started at once. Null if there is none, if it was
    /// given to another worker, or if the next in the queue is such a one.
    #[inline(always)]
    pub(super) fn fresh_here(&self) -> *const Task {
        // SAFETY: a queued task is alive.
        let next = unsafe { self.home.local.ready.first().as_ref() };
        if next.is_some_and(|next| next.stack.get().is_none()) {
            return ptr::null();
        }
        if self.pace.is_starting() {
            return self.fresh_in_turn();
        }
        let fresh = self.member().and_then(Member::next);
        fresh.map_or(ptr::null(), |fresh| self.placed(fresh))
    }

    /// Pool workers: takes one coroutine, once in a while, that another worker does not get round to. Null if there is none.
    pub(super) fn overdue(&self) -> *const Task {
        let (member, now) = (self.member(), self.pace.looked_at());
        let overdue = member
            .zip(now)
            .and_then(|(member, now)| member.overdue(now));
        overdue.map_or(ptr::null(), |fresh| self.placed(fresh))
    }

    /// The next to start in a while that is for that, and ends if there is none. (The turn of one that is ready would count as a
    /// start.)
    #[cold]
    fn fresh_in_turn(&self) -> *const Task {
        for _ in 0..FRESH_EVERY {
            let Some(fresh) = self.member().and_then(Member::next_in_turn) else {
                break;
            };
            let task = self.placed(fresh);
            if !task.is_null() {
                return task;
            }
        }
        self.while_idle(|| ());
        ptr::null()
    }

    /// As [`fresh_here`](Worker::fresh_here), when nothing is ready: null too if there is anything that could make something so.
    #[inline(never)]
    pub(super) fn fresh_instead(&self) -> *const Task {
        let Some(member) = self.member() else {
            return ptr::null();
        };
        let waits = !self.home.inbox_looks_empty()
            || Driver::of(self.home).has_timers()
            || member.has_given();
        if waits {
            ptr::null()
        } else {
            self.fresh_here()
        }
    }

    /// Queues a coroutine that is about to start here, or gives it to a worker that hosts far fewer.
    pub(crate) fn place(&self, fresh: Fresh) {
        let task = self.placed(fresh);
        if !task.is_null() {
            // SAFETY: the task has not started, and this is the only right to it.
            unsafe { self.home.push_ready(task) };
        }
    }

    /// The coroutine, if it is to start here; null if it was given to a worker that hosts far fewer.
    #[inline]
    fn placed(&self, fresh: Fresh) -> *const Task {
        let task = fresh.task();
        // Who launched it has perhaps written it on another processor, and it will take one of many stacks, as those after it
        // will: what is waited for at once is waited for but once.
        prefetch::lines_to_write(task, BLOCK_LINES);
        self.with_stacks(|stacks| stacks.prefetch(StackSize::DEFAULT));
        match self.member() {
            Some(member) if member.may_give() => give(member, fresh),
            _ => task,
        }
    }
}

/// Gives a coroutine to a worker that hosts far fewer, once. The coroutine, if it is to start here after all; else null.
#[inline(never)]
fn give(member: &Member, fresh: Fresh) -> *const Task {
    let task = fresh.task();
    // SAFETY: it has not started, and this is the only right to it.
    let flags = unsafe { &(*task).flags };
    let before = flags.get();
    if before & GIVEN != 0 {
        return task;
    }
    // Whoever it is given to has the right to it at once.
    flags.set(before | GIVEN | HANDED);
    match member.give(fresh) {
        Some(_) => {
            flags.set(before);
            task
        }
        None => ptr::null(),
    }
}
