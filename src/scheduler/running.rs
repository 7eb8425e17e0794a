//! How a worker starts and resumes tasks on stacks.
//!
//! A coroutine that ends gives its stack to the next one that has not started, if nothing that has started is ready:
//! so a hundred thousand short coroutines run on a few stacks without a switch between them.

use std::ptr::{self, NonNull};

use crate::context::{Dispatcher, Elements};
use crate::coroutine::{self, Header};
use crate::error::Error;
use crate::job::node::JobNode;
use crate::job::state::CANCELLING;
use crate::scheduler::guest;
use crate::scheduler::hooks::{self, HOOK_GUEST, HOOK_LIMITED};
use crate::scheduler::policy::LONGEST_CHAIN;
use crate::scheduler::worker::{ON_THE_WAY, Worker};
use crate::stack::overflow::Message;
use crate::stack::{Stack, StackCache, StackSize};
use crate::task::home::Home;
use crate::task::leaving;
use crate::task::vtable::{Stackless, Turned};
use crate::task::{ATOMIC, LOCAL, TURNED, Task, cancel, finish, report, start};

impl Worker {
    /// Resumes or starts one task.
    #[inline(always)]
    pub(super) fn step(&self, task: &Task) {
        match task.stack.get() {
            Some(header) => self.resume_on(self.home, task, header),
            None => self.start(task),
        }
    }

    /// Resumes a task that has a stack, for who has the worker's home at hand.
    #[inline(always)]
    pub(super) fn resume_on(&self, home: &'static Home, task: &Task, header: NonNull<Header>) {
        // SAFETY: the stack is in use, by this thread.
        if unsafe { coroutine::hooks(header) } == 0 {
            self.switch_to(home, task, header);
        } else {
            self.resume_hooked(task, header);
        }
    }

    #[cold]
    #[inline(never)]
    fn resume_hooked(&self, task: &Task, header: NonNull<Header>) {
        self.home.be_loop();
        let limited = hooks::limited(task);
        if let Some(dispatcher) = &limited
            && !hooks::admit(task, dispatcher)
        {
            return;
        }
        hooks::before(task, header);
        let ended = self.switch_to(self.home, task, header);
        if let Some(dispatcher) = &limited {
            hooks::leave(dispatcher, ended);
        }
    }

    /// Runs a started task until it suspends (false) or ends (true). One that has suspended may still be the current one
    /// afterwards: mostly another is resumed next, and who does anything else before that says first that it is the loop.
    #[inline(always)]
    fn switch_to(&self, home: &'static Home, task: &Task, header: NonNull<Header>) -> bool {
        home.local.current.set(task);
        // SAFETY: the coroutine lives on this thread (R1), has not ended, and we are outside it.
        let ended = unsafe { coroutine::resume(header) };
        // SAFETY: not reclaimed yet.
        if unsafe { coroutine::hooks(header) } != 0 {
            self.home.be_loop();
            if !ended {
                hooks::after(header);
            } else if !self.resting.is(header) {
                self.reclaim(header);
            }
        }
        ended
    }

    #[inline]
    fn reclaim(&self, header: NonNull<Header>) {
        // SAFETY: its body has returned; the header is not used after.
        let stack = unsafe { coroutine::reclaim(header) };
        self.with_stacks(|stacks| stacks.put(stack));
    }

    #[inline(always)]
    pub(super) fn with_stacks<R>(&self, work: impl FnOnce(&mut StackCache) -> R) -> R {
        // SAFETY: only this thread comes here, and `work` (a take, a put, a trim, a hint) runs no foreign code.
        work(unsafe { &mut *self.stacks.get() })
    }

    /// Starts a coroutine that has not run, unless it was cancelled before.
    #[inline]
    pub(super) fn start(&self, task: &Task) {
        self.home.be_loop();
        self.leave_gate(task);
        let demands = Demands::of(task);
        if demands.is_limited {
            self.start_limited(task);
        } else {
            self.start_with(task, demands, 0);
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn start_limited(&self, task: &Task) {
        self.home.be_loop();
        let Some(dispatcher) = hooks::limited(task) else {
            return;
        };
        if hooks::admit(task, &dispatcher) {
            // Nobody else runs on its stack after it: the slot is its own.
            let ended = self.start_admitted(task, LONGEST_CHAIN);
            hooks::leave(&dispatcher, ended);
        }
    }

    /// Takes a task that starts here out of what was counted before.
    #[inline(always)]
    fn arrive(&self, task: &Task) {
        if task.flags.get() & (ON_THE_WAY | LOCAL) != 0 {
            self.leave_gate(task);
            self.uncount_local(task);
        }
    }

    /// A coroutine that could start here alone was counted before; from now on it is as any other.
    #[inline]
    fn uncount_local(&self, task: &Task) {
        let flags = task.flags.get();
        if flags & LOCAL != 0 {
            task.flags.set(flags & !LOCAL);
            self.home.count_hosted(-1);
        }
    }

    /// Starts a coroutine on a stack. `chain` says how many have run on that stack before. True if it has ended.
    pub(super) fn start_admitted(&self, task: &Task, chain: u32) -> bool {
        self.home.be_loop();
        self.start_with(task, Demands::of(task), chain)
    }

    #[inline(always)]
    fn start_with(&self, task: &Task, demands: Demands, chain: u32) -> bool {
        self.uncount_local(task);
        if let Some(stackless) = &task.vtable.stackless {
            return self.turn(task, stackless);
        }
        if !may_start(task) {
            start::discard(task);
            return true;
        }
        let header = match self.resting.take(demands.size) {
            Some(header) => {
                // SAFETY: it rests, on this thread.
                unsafe { header.as_ref() }.set_task(ptr::from_ref(task).cast());
                header
            }
            None => match self.with_stacks(|stacks| stacks.take(demands.size)) {
                Ok(stack) => new_coroutine(task, stack),
                Err(error) => {
                    cancel::fail(task, &Error::new(error));
                    start::discard(task);
                    return true;
                }
            },
        };
        if demands.is_limited {
            // SAFETY: the stack is the task's, on this thread.
            unsafe { coroutine::set_hook(header, HOOK_LIMITED, true) };
        }
        adopt(self.home, task, demands.is_unconfined, header);
        self.chain.set(chain);
        self.switch_to(self.home, task, header)
    }

    /// Gives a task without a stack a turn on the stack of the loop. True if it does not come back by this thread's queue.
    #[cold]
    #[inline(never)]
    fn turn(&self, task: &Task, stackless: &Stackless) -> bool {
        let flags = task.flags.get();
        if flags & TURNED == 0 {
            if !may_start(task) {
                start::discard(task);
                return true;
            }
            task.flags.set(flags | TURNED);
        }
        self.home.local.current.set(task);
        // SAFETY: the table is this task's, and this thread has the only right to it.
        let turned = unsafe { (stackless.turn)(task) };
        self.home.be_loop();
        turned == Turned::Gone
    }

    /// The next coroutine, the first of those that are ready, if it has not started, and may have the stack of one that has just
    /// ended.
    #[inline(always)]
    fn next_on(&self, home: &'static Home, header: NonNull<Header>) -> Option<Next> {
        if self.chain.get() + 1 >= LONGEST_CHAIN || self.pace.is_look_next() {
            return None;
        }
        if home.local.ready.is_empty() && self.has_seat() {
            self.take_fresh();
        }
        let first = home.local.ready.first();
        // SAFETY: a queued task is alive.
        let next = unsafe { first.as_ref() }?;
        if next.stack.get().is_some()
            || next.vtable.stackless.is_some()
            || ptr::eq(next, home.local.thread_task.get())
            || !may_start(next)
        {
            return None;
        }
        let demands = Demands::of(next);
        // SAFETY: the coroutine on this header is the caller.
        let fits = demands.size == unsafe { coroutine::stack_size(header) };
        (fits && !demands.is_limited).then_some(Next {
            task: first,
            is_unconfined: demands.is_unconfined,
        })
    }

    /// Gives the stack of a coroutine that has just ended to the [next one](Worker::next_on).
    #[inline(always)]
    fn go_on(&self, home: &'static Home, header: NonNull<Header>, next: Next) -> bool {
        // SAFETY: a queued task is alive.
        let task = unsafe { &*next.task };
        self.chain.set(self.chain.get() + 1);
        home.local.ready.pop();
        self.arrive(task);
        // It is a turn as others are.
        if self.pace.take_turn() {
            self.pace.plan();
        }
        // SAFETY: the header stands as long as the stack runs.
        unsafe { header.as_ref() }.set_task(next.task.cast());
        adopt(home, task, next.is_unconfined, header);
        home.local.current.set(next.task);
        true
    }

    /// The same where siblings end one after another: `stays` is the one that has just ended, if it may be that it stays with its
    /// parent for a while; else null.
    #[inline(never)]
    fn goes_on_with(
        &self,
        home: &'static Home,
        header: NonNull<Header>,
        parent: *const JobNode,
        stays: *const Task,
    ) -> bool {
        let was_empty = home.local.ready.is_empty();
        let next = self.next_on(home, header);
        let is_followed = is_followed(home, parent, next.is_some());
        let closed = leaving::part(home, stays, is_followed);
        home.local.leaving.expect(is_followed && self.has_seat());
        if closed.is_some() {
            // The handlers of the parent may do anything, and wait for what was taken just now.
            if was_empty {
                self.put_back();
            }
            finish::finalise_next(closed);
            return false;
        }
        next.is_some_and(|next| self.go_on(home, header, next))
    }
}

/// Whether the first of those that are ready is a child of this parent, and surely resumed here, or started.
#[inline(always)]
fn is_followed(home: &'static Home, parent: *const JobNode, starts: bool) -> bool {
    // SAFETY: a queued task is alive.
    let first = unsafe { home.local.ready.first().as_ref() };
    first.is_some_and(|next| {
        ptr::eq(next.job.parent(), parent)
            && (starts || next.stack.get().is_some())
            && !parent.is_null()
    })
}

/// A coroutine that may have the stack of one that has just ended.
struct Next {
    task: *const Task,
    is_unconfined: bool,
}

/// Ties a task to this thread, for life.
#[inline(always)]
fn adopt(home: &'static Home, task: &Task, is_unconfined: bool, header: NonNull<Header>) {
    task.set_home(home, is_unconfined);
    task.stack.set(Some(header));
    home.count_hosted(1);
}

#[inline(always)]
fn new_coroutine(task: &Task, stack: Stack) -> NonNull<Header> {
    // SAFETY: `body` does not unwind, and returns when the last task on the stack has ended.
    unsafe { coroutine::create(stack, ptr::from_ref(task).cast(), |header| body(header)) }
}

/// What a coroutine asks of the thread that starts it.
#[derive(Clone, Copy)]
struct Demands {
    size: StackSize,
    is_limited: bool,
    is_unconfined: bool,
}

impl Demands {
    #[inline(always)]
    fn of(task: &Task) -> Self {
        let elements = task.elements();
        let dispatcher = elements.and_then(Elements::dispatcher);
        let size = match elements.and_then(Elements::stack) {
            Some(bytes) => StackSize::new(bytes.0),
            None => dispatcher.map_or(StackSize::DEFAULT, Dispatcher::stack_size),
        };
        Self {
            size,
            is_limited: dispatcher.is_some_and(Dispatcher::is_limited),
            is_unconfined: dispatcher.is_some_and(Dispatcher::is_unconfined),
        }
    }
}

pub(super) fn is_limited(task: &Task) -> bool {
    Demands::of(task).is_limited
}

/// Whether a coroutine that has not run is to run: it was not cancelled, or is started all the same.
#[inline]
fn may_start(task: &Task) -> bool {
    !task.state().has(CANCELLING) || task.flags.get() & ATOMIC != 0
}

/// Tells who overflowed. Runs in the signal handler: it reads memory and nothing else.
pub(super) fn describe(top: *mut u8, message: &mut Message) {
    // SAFETY: a guard is hit by the coroutine that runs on the slot, and its header stands at the top.
    let header = unsafe { &*coroutine::header_of(top) };
    // SAFETY: it runs, so it has not been reclaimed.
    if unsafe { coroutine::hooks(NonNull::from(header)) } & HOOK_GUEST != 0 {
        // SAFETY: the bit says that a guest, which is alive while it runs, stands in place of the task.
        guest::describe(unsafe { &*header.task().cast() }, message);
        return;
    }
    let task = header.task().cast::<Task>();
    message.push("coroutine ");
    // SAFETY: that coroutine is a live task.
    let Some(task) = (unsafe { task.as_ref() }) else {
        return;
    };
    message.push("'");
    if let Some(name) = task.elements().and_then(Elements::name) {
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
#[inline(always)]
unsafe fn body(header: NonNull<Header>) {
    let guard = AbortOnUnwind;
    loop {
        // SAFETY: the header stands as long as the stack runs.
        let task: *const Task = unsafe { header.as_ref() }.task().cast();
        // SAFETY: started once, by the worker that has the right to it.
        let running = unsafe { &*task };
        let home = running.home().expect("a started task has a home");
        let parent = running.job.parent();
        // SAFETY: as above. The block may be gone when it returns, unless it stays.
        let stays = unsafe { (running.vtable.run)(running) };
        home.count_hosted(-1);
        let worker = Worker::of(home);
        // What its end has called may have changed what is expected.
        let goes_on = if stays || home.local.leaving.is_expected() {
            let stays = if stays { task } else { ptr::null() };
            worker.goes_on_with(home, header, parent, stays)
        } else {
            let next = worker.next_on(home, header);
            if worker.has_seat() {
                home.local
                    .leaving
                    .expect(is_followed(home, parent, next.is_some()));
            }
            next.is_some_and(|next| worker.go_on(home, header, next))
        };
        if goes_on {
            continue;
        }
        // SAFETY: this is the base of that stack.
        if !unsafe { worker.resting.keep(header) } {
            break;
        }
        // SAFETY: this runs there.
        unsafe { coroutine::rest(header) };
    }
    std::mem::forget(guard);
}

/// R2, R3: nothing may unwind through the base of a coroutine.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        report::tell(format_args!("a panic reached the base of a coroutine"));
        std::process::abort();
    }
}
