//! What every thread that hosts coroutines does.
//!
//! The loop takes the first of the ready tasks and resumes it on its stack, or starts it on one. Every 61 turns, and more
//! often if they are long, it looks at the inbox, the timers and the reactor even if it never runs dry, and takes in what
//! has not started. When there is nothing to do, it sleeps in one place, with the next timer as the deadline: the reactor,
//! or the sleep word if no descriptor is registered there.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::context::Dispatcher;
use crate::coroutine;
use crate::driver::Driver;
use crate::driver::clock::{self, deadline_after};
use crate::scheduler::gate::LoopGate;
use crate::scheduler::io::IoPool;
use crate::scheduler::member::Member;
use crate::scheduler::pace::Pace;
use crate::scheduler::patience::Patience;
use crate::scheduler::policy::LOOK_EVERY;
use crate::scheduler::resting::Resting;
use crate::scheduler::running;
use crate::stack::StackCache;
use crate::stack::overflow;
use crate::task::Task;
use crate::task::blocks;
use crate::task::home::Home;
use crate::task::queue::Queue;
use crate::task::sleep::Bed;

/// The shortest sleep between two batches of memory that is given back.
const LEAST_NAP: Duration = Duration::from_millis(1);

/// Bit of `Task::flags`: the task was sent to an event loop from another thread and is counted by its gate.
pub(crate) const GATED: u32 = 1 << 8;
/// Bit of `Task::flags`: the task was handed to this worker by another one, which counted it.
pub(super) const HANDED: u32 = 1 << 9;
/// Bit of `Task::flags`: a worker has given the task to another one; nobody does so again.
pub(super) const GIVEN: u32 = 1 << 7;
/// Those that say by which way a task has come here.
pub(super) const ON_THE_WAY: u32 = GATED | HANDED | GIVEN;
/// Bit of `Task::flags`: the task has been admitted by the view that it belongs to.
pub(crate) const SLOT: u32 = 1 << 12;

/// The part of a thread that schedules.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) home: &'static Home,
    pub(super) stacks: UnsafeCell<StackCache>,
    pub(super) resting: Resting,
    pub(super) pace: Pace,
    patience: Patience,
    /// The turn before which it last took in what it was given.
    pub(super) given_at: Cell<u32>,
    /// The turn in which the budget was renewed the last time, and the number of the task that did it.
    pub(super) renewed: Cell<Option<(u32, u64)>>,
    pub(super) chain: Cell<u32>,
    /// The seat in the pool of CPU workers, if this thread is one: null, or in a frame under all that runs here.
    member: Cell<*const Member>,
    /// The event loop that runs on this thread, if one does.
    pub(crate) open: RefCell<Option<OpenLoop>>,
    /// The IO pool that this thread works for, if it does.
    pub(crate) io: Cell<Option<&'static IoPool>>,
    /// Unconfined coroutines that wait for the one which runs in place now.
    pub(super) in_place: Queue,
    /// Whether one of them runs in place.
    pub(super) runs_in_place: Cell<bool>,
}

/// An event loop that runs on a thread.
#[derive(Clone, Debug)]
pub(crate) struct OpenLoop {
    pub(crate) gate: Arc<LoopGate>,
    pub(crate) dispatcher: Dispatcher,
}

impl Worker {
    pub(crate) fn new(home: &'static Home) -> Self {
        overflow::install(running::describe);
        Self {
            home,
            stacks: UnsafeCell::new(StackCache::new()),
            resting: Resting::none(),
            pace: Pace::new(),
            patience: Patience::new(),
            given_at: Cell::new(0),
            renewed: Cell::new(None),
            chain: Cell::new(0),
            member: Cell::new(ptr::null()),
            open: RefCell::new(None),
            io: Cell::new(None),
            in_place: Queue::new(),
            runs_in_place: Cell::new(false),
        }
    }

    /// The worker of a home that the calling thread owns.
    #[inline(always)]
    pub(crate) fn of(home: &'static Home) -> &'static Worker {
        // SAFETY: stored when the thread was given its home, freed when the thread ends, used by that thread only.
        unsafe { &*home.local.worker.get().cast::<Worker>() }
    }

    pub(crate) fn home(&self) -> &'static Home {
        self.home
    }

    /// The seat in the pool of CPU workers, if this thread is one.
    #[inline(always)]
    pub(super) fn member(&self) -> Option<&Member> {
        // SAFETY: null, or lent to `seated`, above whose frame the caller runs, since the worker is the calling thread's own. Nobody
        // keeps it beyond the call that has asked for it.
        unsafe { self.member.get().as_ref() }
    }

    /// Does the work of a pool's worker that has this seat.
    pub(super) fn seated(&self, member: &Member, work: impl FnOnce()) {
        self.member.set(member);
        self.pace.set_seated(true);
        let _vacated = Vacated(self);
        work();
    }

    /// Runs until `done` says so, given null when there is nothing ready, and each ready task that has no stack before it is run: one
    /// that has not started, or a thread's own.
    #[inline(always)]
    pub(crate) fn run(&self, mut done: impl FnMut(*const Task) -> bool) {
        // Read once: what is stored between two uses might change it, for all that the compiler knows.
        let home = self.home;
        let local = &home.local;
        let resumed = local.current.replace(local.loop_task.get());
        let turning = local.turning.replace(true);
        while !(if home.is_cold() {
            self.turns::<true>(home, &mut done)
        } else {
            self.turns::<false>(home, &mut done)
        }) {}
        local.turning.set(turning);
        local.current.set(resumed);
    }

    /// Gives turns until `done` says so (true), or until those that come next are, or are no more, such that their memory is worth to
    /// be `FETCH`ed (false): looked at in marked turns alone, so that no other one asks.
    #[inline(always)]
    fn turns<const FETCH: bool>(
        &self,
        home: &'static Home,
        done: &mut impl FnMut(*const Task) -> bool,
    ) -> bool {
        loop {
            let mut task = ptr::null();
            if self.pace.take_turn() {
                task = self.marked_turn();
                if task.is_null() && home.is_cold() != FETCH {
                    return false;
                }
            }
            if task.is_null() {
                task = if !home.has_ready() {
                    self.fresh_instead()
                } else if FETCH {
                    home.pop_and_fetch(|next, need| {
                        if let Some(header) = next.stack.get() {
                            coroutine::prefetch(header, need);
                        }
                    })
                } else {
                    home.local.ready.pop()
                };
                if task.is_null() {
                    if done(task) {
                        return true;
                    }
                    self.idle();
                    if home.is_cold() != FETCH {
                        return false;
                    }
                    continue;
                }
            }
            // SAFETY: a queued task is alive.
            let task = unsafe { &*task };
            match task.stack.get() {
                Some(header) => self.resume_on(home, task, header),
                None if done(task) => return true,
                None => self.start(task),
            }
        }
    }

    /// Runs until nothing is ready.
    pub(crate) fn run_dry(&self) {
        self.home.take_inbox();
        Driver::of(self.home).fire_timers(self.home);
        self.run(|popped| popped.is_null());
    }

    /// Runs the first of the ready tasks. False if there is none.
    pub(crate) fn run_one(&self) -> bool {
        if self.pace.take_turn() {
            self.begin_marked_turn();
            self.pace.plan();
        }
        // SAFETY: a queued task is alive.
        let Some(task) = (unsafe { self.home.local.ready.pop().as_ref() }) else {
            return false;
        };
        let local = &self.home.local;
        let resumed = local.current.replace(local.loop_task.get());
        let turning = local.turning.replace(true);
        self.step(task);
        local.turning.set(turning);
        local.current.set(resumed);
        true
    }

    /// Tells those who count what is on its way here that this task has arrived.
    #[inline]
    pub(super) fn leave_gate(&self, task: &Task) {
        let flags = task.flags.get();
        if flags & ON_THE_WAY == 0 {
            return;
        }
        task.flags.set(flags & !ON_THE_WAY);
        if flags & GATED != 0 {
            if let Some(open) = &*self.open.borrow() {
                open.gate.arrived();
            } else if let Some(member) = self.member() {
                member.arrived();
            }
        }
        if flags & HANDED != 0 {
            self.home.handed.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn has_seat(&self) -> bool {
        self.member().is_some()
    }

    /// Does what is due in a marked turn. What it starts with, or null.
    #[inline(never)]
    fn marked_turn(&self) -> *const Task {
        let has_looked = self.begin_marked_turn();
        let prefers_fresh = self.pace.prefers_fresh();
        // Started in this very turn: in the ready queue nobody could take it over if the one before it never suspends.
        let mut fresh = ptr::null();
        if has_looked && (prefers_fresh || !self.home.has_ready()) {
            fresh = self.overdue();
        }
        if fresh.is_null() && prefers_fresh {
            fresh = self.fresh_here();
        }
        self.pace.plan();
        fresh
    }

    /// True if it was one with a look outside.
    fn begin_marked_turn(&self) -> bool {
        let is_look = self.pace.is_look();
        if is_look {
            self.look();
        }
        is_look
    }

    /// Looks outside, and plans the next look.
    #[cold]
    #[inline(never)]
    fn look(&self) {
        let clock = &Driver::of(self.home).clock;
        if clock.is_virtual() {
            // How long anything takes is not to change the order.
            self.pace.look_untimed();
        } else {
            let now = clock.now();
            self.pace.look(now);
            if let Some(member) = self.member() {
                member.stay_apart(now);
            }
        }
        self.home.will_turn(LOOK_EVERY);
        self.look_outside();
    }

    /// Does what is no turn of anybody's, and takes time that says nothing about turns.
    pub(super) fn while_idle<R>(&self, work: impl FnOnce() -> R) -> R {
        self.pace.pause(clock::now());
        let result = work();
        self.pace.resume(clock::now());
        result
    }

    /// What has come from outside since the last look.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_outside(&self) {
        self.as_loop(|| {
            self.home.take_inbox();
            let driver = Driver::of(self.home);
            driver.fire_timers(self.home);
            driver.poll_reactor();
            self.take_given();
        });
    }

    /// Works as the loop itself, whoever has called: so nothing that is woken runs in place, inside the reactor, and no host is
    /// called there.
    fn as_loop<R>(&self, work: impl FnOnce() -> R) -> R {
        let local = &self.home.local;
        let resumed = local.current.replace(local.loop_task.get());
        let turning = local.turning.replace(true);
        let result = work();
        local.turning.set(turning);
        local.current.set(resumed);
        result
    }

    /// Nothing is ready: looks everywhere, then sleeps.
    #[cold]
    #[inline(never)]
    fn idle(&self) {
        self.home.be_loop();
        self.home.take_inbox();
        let driver = Driver::of(self.home);
        driver.fire_timers(self.home);
        self.take_given();
        if self.home.has_ready() {
            return;
        }
        if self.has_seat() {
            self.take_fresh();
            if self.home.has_ready() {
                return;
            }
            if driver.is_in_demand() {
                // More is about to come, and to sleep for each message takes longer than to serve it. Those who send may
                // need this processor to do so; what they have sent meanwhile is taken in together.
                self.while_idle(std::thread::yield_now);
                driver.poll_reactor();
                if self.home.has_ready() {
                    return;
                }
            }
            if self.search() {
                return;
            }
        }
        self.sleep(None);
    }

    /// Sleeps until something comes, or until `limit`.
    pub(crate) fn sleep(&self, limit: Option<u64>) {
        self.sleep_unless(limit, || false);
    }

    /// The same, but stays awake if `wanted` says so, which is asked after the sleep was announced: who comes later and looks for
    /// somebody to wake finds this thread.
    pub(crate) fn sleep_unless(&self, limit: Option<u64>, wanted: impl FnOnce() -> bool) {
        let bed = Driver::of(self.home).bed();
        // Where there are descriptors, a look at the inbox is not enough.
        if bed == Bed::Word && self.patience.look(|| !self.home.inbox_looks_empty()) {
            self.as_loop(|| self.home.take_inbox());
            return;
        }
        if let Some(stack) = self.resting.dismiss() {
            self.with_stacks(|stacks| stacks.put(stack));
        }
        let again = [self.with_stacks(StackCache::trim), blocks::trim()];
        let limit = match again.into_iter().flatten().min() {
            Some(again) => {
                let again = deadline_after(Driver::of(self.home).clock.now(), again.max(LEAST_NAP));
                Some(limit.map_or(again, |limit| limit.min(again)))
            }
            None => limit,
        };
        if bed == Bed::Descriptors {
            // Made before the announcement: whoever answers that must find it.
            self.home.event();
        }
        self.as_loop(|| {
            self.home.sleep.announce(bed);
            if self.home.inbox_is_empty() && !self.has_news() && !wanted() {
                let start = clock::now();
                self.pace.pause(start);
                Driver::of(self.home).sleep(self.home, bed, limit);
                let end = clock::now();
                self.pace.resume(end);
                if self.home.sleep.wake() && bed == Bed::Word {
                    self.patience.slept(start, end);
                }
            } else {
                self.home.sleep.wake();
            }
            if let Some(member) = self.member() {
                member.is_up();
            }
            self.home.take_inbox();
            Driver::of(self.home).fire_timers(self.home);
            self.take_given();
        });
    }

    /// Whether there is something to do that does not come by the inbox.
    fn has_news(&self) -> bool {
        let member = self.member();
        member.is_some_and(|member| member.has_news() || member.is_over()) || self.is_over()
    }

    /// Whether the loop of this thread was shut, and has nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        let open = self.open.borrow();
        open.as_ref().is_some_and(|open| open.gate.is_over())
    }
}

/// A seat is free again when its frame goes, however it goes.
struct Vacated<'a>(&'a Worker);

impl Drop for Vacated<'_> {
    fn drop(&mut self) {
        self.0.pace.set_seated(false);
        self.0.member.set(ptr::null());
    }
}

/// Runs the calling thread's loop until `task`, the thread's own, has been taken from the queue.
///
/// # Safety
///
/// The calling thread owns `home`.
pub(crate) unsafe fn pump(home: &'static Home, task: *const Task) {
    Worker::of(home).run(|popped| ptr::eq(popped, task));
}
