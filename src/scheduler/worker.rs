//! What every thread that hosts coroutines does.
//!
//! The loop takes the first of the ready tasks and resumes it on its stack, or starts it on one. Every 61 turns it looks
//! at the inbox, the timers and the reactor even if it never runs dry, and takes in what has not started. When there is
//! nothing to do, it sleeps in one place: the reactor, with the next timer as the deadline.
//!
//! A coroutine that ends gives its stack to the next one that has not started, if nothing that has started is ready:
//! so a hundred thousand short coroutines run on a few stacks without a switch between them.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::coroutine::{self, Header};
use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::error::Error;
use crate::job::state::CANCELLING;
use crate::scheduler::Fresh;
use crate::scheduler::gate::LoopGate;
use crate::scheduler::hooks;
use crate::scheduler::pool::Member;
use crate::stack::overflow::{self, Message};
use crate::stack::{Stack, StackCache, StackSize};
use crate::task::home::Home;
use crate::task::{Task, cancel, report, start};

/// How many turns pass between two looks at the outside.
const LOOK_EVERY: u32 = 61;
/// How many coroutines may run on one stack one after another before the loop has its turn.
const LONGEST_CHAIN: u32 = 64;
/// How often a pool worker prefers what has not started to what is ready.
const FRESH_EVERY: u32 = 8;

/// The shortest sleep between two batches of memory that is given back.
const LEAST_NAP: Duration = Duration::from_millis(1);

/// Bit of `Task::flags`: the task was sent to an event loop from another thread and is counted by its gate.
pub(crate) const GATED: u32 = 1 << 8;
/// Bit of `Task::flags`: the task was handed to this worker by another one, which counted it.
const HANDED: u32 = 1 << 9;

/// The part of a thread that schedules.
#[derive(Debug)]
pub(crate) struct Worker {
    home: &'static Home,
    stacks: UnsafeCell<StackCache>,
    turn: Cell<u32>,
    chain: Cell<u32>,
    /// The seat in the pool of CPU workers, if this thread is one.
    pub(crate) member: RefCell<Option<Member>>,
    /// The gate of the event loop that runs on this thread, if one does.
    pub(crate) gate: RefCell<Option<std::sync::Arc<LoopGate>>>,
}

impl Worker {
    pub(crate) fn new(home: &'static Home) -> Self {
        overflow::install(describe);
        Self {
            home,
            stacks: UnsafeCell::new(StackCache::new()),
            turn: Cell::new(0),
            chain: Cell::new(0),
            member: RefCell::new(None),
            gate: RefCell::new(None),
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

    /// Runs until `done` says so, given each ready task before it is run (null when there was none).
    #[inline(always)]
    pub(crate) fn run(&self, mut done: impl FnMut(*const Task) -> bool) {
        let resumed = self
            .home
            .local
            .current
            .replace(self.home.local.loop_task.get());
        loop {
            let turn = self.turn.get().wrapping_add(1);
            self.turn.set(turn);
            if turn.is_multiple_of(LOOK_EVERY) {
                self.look_outside();
            }
            if turn.is_multiple_of(FRESH_EVERY) && self.has_seat() {
                self.take_fresh();
            }
            let task = self.home.local.ready.pop();
            if done(task) {
                self.home.local.current.set(resumed);
                return;
            }
            // SAFETY: a queued task is alive.
            match unsafe { task.as_ref() } {
                Some(task) => self.step(task),
                None => self.idle(),
            }
        }
    }

    /// Runs until nothing is ready.
    pub(crate) fn run_dry(&self) {
        self.home.take_inbox();
        Driver::of(self.home).fire_timers();
        self.run(|popped| popped.is_null());
    }

    /// Resumes or starts one task.
    #[inline(always)]
    fn step(&self, task: &Task) {
        match task.stack.get() {
            Some(header) => self.resume(task, header),
            None => self.start(task),
        }
    }

    #[inline(always)]
    fn resume(&self, task: *const Task, header: NonNull<Header>) {
        // SAFETY: the stack is in use, by this thread.
        if unsafe { coroutine::hooks(header) } != 0 {
            hooks::before(task);
        }
        self.home.local.current.set(task);
        // SAFETY: the coroutine lives on this thread (R1), has not ended, and we are outside it.
        let ended = unsafe { coroutine::resume(header) };
        self.home.local.current.set(self.home.local.loop_task.get());
        if ended {
            self.reclaim(header);
        // SAFETY: as above.
        } else if unsafe { coroutine::hooks(header) } != 0 {
            hooks::after(header);
        }
    }

    #[inline]
    fn reclaim(&self, header: NonNull<Header>) {
        // SAFETY: its body has returned; the header is not used after.
        let stack = unsafe { coroutine::reclaim(header) };
        self.with_stacks(|stacks| stacks.put(stack));
    }

    #[inline(always)]
    fn with_stacks<R>(&self, work: impl FnOnce(&mut StackCache) -> R) -> R {
        // SAFETY: only this thread comes here, and `work` (a take, a put, a trim) runs no foreign code.
        work(unsafe { &mut *self.stacks.get() })
    }

    /// Starts a coroutine that has not run, unless it was cancelled before.
    #[inline]
    fn start(&self, task: &Task) {
        self.leave_gate(task);
        if task.state().has(CANCELLING) {
            start::discard(task);
            return;
        }
        match self.stack_for(task) {
            Ok(stack) => self.start_on(task, stack),
            Err(error) => {
                cancel::fail(task, &error);
                start::discard(task);
            }
        }
    }

    #[inline]
    fn start_on(&self, task: &Task, stack: Stack) {
        // SAFETY: `body` does not unwind, and returns when the last task on the stack has ended.
        let header = unsafe { coroutine::create(stack, std::ptr::from_ref(task).cast(), body) };
        self.adopt(task, header);
        self.chain.set(0);
        self.resume(task, header);
    }

    /// Ties a task to this thread, for life.
    #[inline]
    fn adopt(&self, task: &Task, header: NonNull<Header>) {
        task.set_home(self.home);
        task.stack.set(Some(header));
        self.home.count_hosted(1);
    }

    #[inline]
    fn wanted_size(task: &Task) -> StackSize {
        let elements = task.elements();
        let bytes = match elements.and_then(crate::context::Elements::stack) {
            Some(bytes) => bytes.0,
            None => elements
                .and_then(crate::context::Elements::dispatcher)
                .map_or(
                    StackSize::DEFAULT.bytes(),
                    crate::context::Dispatcher::stack_bytes,
                ),
        };
        StackSize::new(bytes)
    }

    #[inline]
    fn stack_for(&self, task: &Task) -> Result<Stack, Error> {
        self.with_stacks(|stacks| stacks.take(Self::wanted_size(task)))
            .map_err(Error::new)
    }

    /// The next coroutine that may run on the stack of one that has just ended.
    #[inline]
    fn next_on(&self, header: NonNull<Header>) -> Option<&Task> {
        let chain = self.chain.get() + 1;
        if chain >= LONGEST_CHAIN {
            return None;
        }
        self.chain.set(chain);
        if self.home.local.ready.is_empty() && self.has_seat() {
            self.take_fresh();
        }
        // SAFETY: a queued task is alive.
        let next = unsafe { self.home.local.ready.first().as_ref() }?;
        let fits = next.stack.get().is_none()
            && !std::ptr::eq(next, self.home.local.thread_task.get())
            && !next.state().has(CANCELLING)
            // SAFETY: the coroutine on this header is the caller.
            && Self::wanted_size(next) == unsafe { coroutine::stack_size(header) };
        if !fits {
            return None;
        }
        self.home.local.ready.pop();
        self.leave_gate(next);
        Some(next)
    }

    /// Tells those who count what is on its way here that this task has arrived.
    #[inline]
    fn leave_gate(&self, task: &Task) {
        let flags = task.flags.get();
        if flags & (GATED | HANDED) == 0 {
            return;
        }
        task.flags.set(flags & !(GATED | HANDED));
        if flags & GATED != 0
            && let Some(gate) = &*self.gate.borrow()
        {
            gate.arrived();
        }
        if flags & HANDED != 0 {
            self.home.handed.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[inline]
    fn has_seat(&self) -> bool {
        self.member.borrow().is_some()
    }

    /// Pool workers: moves one coroutine that has not started to the ready queue.
    fn take_fresh(&self) {
        let fresh = self.member.borrow().as_ref().and_then(Member::next);
        if let Some(fresh) = fresh {
            self.place(fresh);
        }
    }

    /// Queues a coroutine that is about to start here, or hands it to a worker that hosts far fewer.
    pub(crate) fn place(&self, fresh: Fresh) {
        let task = fresh.task();
        let target = self
            .member
            .borrow()
            .as_ref()
            .and_then(|member| member.lighter(self.home));
        match target {
            Some(other) => {
                other.handed.fetch_add(1, Ordering::Relaxed);
                // SAFETY: the task has not started, and this is the only right to it.
                let flags = unsafe { &(*task).flags };
                flags.set(flags.get() | HANDED);
                // SAFETY: as above.
                unsafe { other.send_chain(task, task) };
            }
            // SAFETY: as above.
            None => unsafe { self.home.push_ready(task) },
        }
    }

    /// What has come from outside since the last look.
    #[cold]
    #[inline(never)]
    fn look_outside(&self) {
        self.home.take_inbox();
        let driver = Driver::of(self.home);
        driver.fire_timers();
        driver.poll_reactor(self.home);
    }

    /// Nothing is ready: looks everywhere, then sleeps.
    #[cold]
    #[inline(never)]
    fn idle(&self) {
        self.home.take_inbox();
        let driver = Driver::of(self.home);
        driver.fire_timers();
        if !self.home.local.ready.is_empty() {
            return;
        }
        if self.has_seat() {
            self.take_fresh();
            if !self.home.local.ready.is_empty() {
                return;
            }
            driver.poll_reactor(self.home);
            if !self.home.local.ready.is_empty() || self.search() {
                return;
            }
        }
        self.sleep(None);
    }

    /// Sleeps until something comes, or until `limit`.
    pub(crate) fn sleep(&self, limit: Option<u64>) {
        let limit = match self.with_stacks(StackCache::trim) {
            Some(again) => {
                let again = deadline_after(Driver::of(self.home).clock.now(), again.max(LEAST_NAP));
                Some(limit.map_or(again, |limit| limit.min(again)))
            }
            None => limit,
        };
        // Made before the announcement: whoever answers that must find it.
        self.home.event();
        self.home.sleep.announce();
        if self.home.inbox_is_empty() && !self.has_work_for_seat() {
            Driver::of(self.home).sleep(self.home, limit);
        }
        self.home.sleep.wake();
        self.home.take_inbox();
        Driver::of(self.home).fire_timers();
    }

    fn has_work_for_seat(&self) -> bool {
        self.member
            .borrow()
            .as_ref()
            .is_some_and(Member::has_injected)
    }
}

/// Tells who overflowed. Runs in the signal handler: it reads memory and nothing else.
fn describe(top: *mut u8, message: &mut Message) {
    // SAFETY: a guard is hit by the coroutine that runs on the slot, and its header stands at the top.
    let task = unsafe { &*coroutine::header_of(top) }.task().cast::<Task>();
    // SAFETY: that coroutine is a live task.
    let Some(task) = (unsafe { task.as_ref() }) else {
        return;
    };
    message.push("'");
    if let Some(name) = task.elements().and_then(crate::context::Elements::name) {
        message.push(name.as_str());
    }
    message.push("#");
    message.push_number(task.id);
    message.push("'");
}

/// What runs at the base of every coroutine's stack: one task after another.
///
/// # Safety
///
/// Called by the switch, with the header of the stack that it runs on.
unsafe fn body(header: NonNull<Header>) {
    let guard = AbortOnUnwind;
    loop {
        // SAFETY: the header stands as long as the stack runs.
        let task: *const Task = unsafe { header.as_ref() }.task().cast();
        // SAFETY: started once, by the worker that has the right to it.
        let task = unsafe { &*task };
        let home = task.home().expect("a started task has a home");
        // SAFETY: as above. The block may be gone when it returns.
        unsafe { (task.vtable.run)(task) };
        home.count_hosted(-1);
        let worker = Worker::of(home);
        let Some(next) = worker.next_on(header) else {
            break;
        };
        // SAFETY: the header stands as long as the stack runs.
        unsafe { header.as_ref() }.set_task(std::ptr::from_ref(next).cast());
        worker.adopt(next, header);
        home.local.current.set(next);
    }
    std::mem::forget(guard);
}

/// R2, R3: nothing may unwind through the base of a coroutine.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        report::tell("a panic reached the base of a coroutine");
        std::process::abort();
    }
}

/// Runs the calling thread's loop until `task`, the thread's own, has been taken from the queue.
///
/// # Safety
///
/// The calling thread owns `home`.
pub(crate) unsafe fn pump(home: &'static Home, task: *const Task) {
    Worker::of(home).run(|popped| std::ptr::eq(popped, task));
}
