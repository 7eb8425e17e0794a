//! The end of a job.
//!
//! 1. The body's end sets BODY_DONE. If children live, that is all: the last of them goes on here. If none does, and nothing
//!    has cancelled the job, its success is decided and published under the same lock.
//! 2. Whoever closes the job finalises it, once: a failure that nobody above answers for is reported; under the lock
//!    the outcome is decided and published, and the first waiters are claimed; the value is dropped if nobody will have it,
//!    and the completion handlers run; the waiters are handed back, and the others claimed; the job leaves its parent.
//! 3. If it was the parent's last child, the parent's frame is woken, or the parent is finalised in the next turn of the
//!    same loop. No recursion: a chain of a million parents completes in one loop.
//!
//! COMPLETED is the last thing published, so whoever sees it sees the cause and the value. A job leaves its parent only
//! after its closure and, if nobody holds its handle, its value have been dropped (R2); several may do so together
//! (`leaving.rs`).

use std::iter;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::Elements;
use crate::error::Error;
use crate::job::children::{self, Detached, Ended};
use crate::job::joiner;
use crate::job::state::{
    ANSWERS, BODY_DONE, CANCELLING, CLOSED, COROUTINE, DEFERRED, FAILED, SCOPE, STARTED, SUCCEEDED,
    SUPERVISOR, State,
};
use crate::task::leaving::chain;
use crate::task::queue::Queue;
use crate::task::waiter::{self, Foresight, Waiter};
use crate::task::word::Generation;
use crate::task::{
    HANDLE_GONE, Handler, Registered, Task, VALUE_STORED, cancel, current, release, report,
};
use crate::util::list::Links;

/// The body of a job that has no frame (a coroutine, a job made by hand) has ended.
pub(crate) fn end_body(task: &Task) {
    end_coroutine(task, false);
}

/// The same; one that has succeeded stays in the tree, if it `may_stay` and has nothing of the user's left: true if it does, and
/// the caller has to see that it leaves later (`leaving.rs`).
#[inline(never)]
pub(crate) fn end_coroutine(task: &Task, may_stay: bool) -> bool {
    if task.state().has(CANCELLING) {
        end_cancelled_body(task);
        false
    } else {
        end_plain_body(task, may_stay)
    }
}

/// Apart from the other one: many are cancelled together, each on a stack of its own whose memory is nowhere near, and with the
/// frame of that one this one would reach further down.
#[inline(never)]
fn end_cancelled_body(task: &Task) {
    let ended = children::end_body(
        &task.job,
        |_| unreachable!("what is cancelled stays so"),
        |_| unreachable!("what is cancelled stays so"),
    );
    if ended == Ended::Finalise {
        finalise(task);
    }
}

#[inline(always)]
fn end_plain_body(task: &Task, may_stay: bool) -> bool {
    let ready = Queue::new();
    let mut end = End::new();
    let ended = children::end_body(
        &task.job,
        |state| end.decide(task, state),
        |links| claim(task, links, &ready),
    );
    match ended {
        Ended::Completed { more } => {
            // The frame that waits for a scope must not find it among its children any more; and what a handler has left in the
            // block is the user's, who may wait for it to be dropped.
            let stays = may_stay && end.rest.handlers.is_none() && !task.state().has(SCOPE);
            end.carry_out(task);
            if stays {
                tell_host(task);
                hand_back(task, &ready, more);
                return true;
            }
            finalise_next(depart(task, &ready, more));
        }
        Ended::Finalise => finalise(task),
        Ended::Children if cfg!(mutation = "finish_leave_before_children") => {
            let _ = detach(task, iter::once(task));
        }
        Ended::Children => {}
    }
    false
}

/// Completes a job that the caller has closed, and then each ancestor whose last child that was. Gives back the count
/// that a coroutine holds on itself.
pub(crate) fn finalise(task: &Task) {
    let mut at: *const Task = task;
    loop {
        // SAFETY: closed by us, and its own count is released by us, below.
        let task = unsafe { &*at };
        cancel::pass_on_late_failure(task);
        report_if_root(task);
        let ready = Queue::new();
        let more = conclude(task, End::new(), &ready);
        match depart(task, &ready, more) {
            Some(parent) => at = parent,
            None => return,
        }
    }
}

/// A job that has completed hands back those who waited for it, and leaves its parent: which is ours to finalise, if it is
/// given.
#[inline(always)]
fn depart(task: &Task, ready: &Queue, more: bool) -> Option<*const Task> {
    tell_host(task);
    // The frame that waits for a scope keeps the block, and must not find it among its children any more.
    let leaves_first = task.state().has(SCOPE);
    if !leaves_first {
        hand_back(task, ready, more);
    } else if more {
        while claim_more(task, ready) {}
    }
    let next = leave_parent(task);
    if leaves_first {
        waiter::hand_back(ready);
    }
    next
}

/// Hands back those who wait for a job that has completed: the first, who are claimed, and if there may be `more`, these.
#[inline(always)]
fn hand_back(task: &Task, ready: &Queue, more: bool) {
    waiter::hand_back(ready);
    if more {
        hand_back_others(task);
    }
}

/// Claims the others who wait for a job, and hands them back, a few at a time.
#[cold]
#[inline(never)]
fn hand_back_others(task: &Task) {
    loop {
        let ready = Queue::new();
        let more = claim_more(task, &ready);
        waiter::hand_back(&ready);
        if !more {
            return;
        }
    }
}

/// Claims a few of the others. They are suspended, perhaps for long: their memory is nowhere near. True if there may be more.
#[cold]
fn claim_more(task: &Task, ready: &Queue) -> bool {
    let mut foresight = Foresight::new();
    joiner::complete_more(
        &task.job,
        // SAFETY: the completion has just taken it out, under the lock.
        |links| unsafe { foresight.ask(Waiter::of(links)) },
        |links| claim(task, links, ready),
    )
}

/// A host may wait in its loop for the end of a job that lived there, and ends elsewhere, with its last child.
#[inline(always)]
fn tell_host(task: &Task) {
    if let Some(home) = task.home()
        && home.has_host()
        && !current::home().is_some_and(|here| std::ptr::eq(here, home))
    {
        home.notify();
    }
}

/// Publishes the outcome and calls the handlers. The first who wait for it are claimed, and have yet to be handed back: true if
/// there may be more.
#[must_use]
fn conclude(task: &Task, mut end: End, ready: &Queue) -> bool {
    if task.state().has(SCOPE) && task.state().has(DEFERRED) {
        // The frame that waits for the block of a `with_context` may see COMPLETED and go at once. What the block has
        // borrowed goes with it, so a value that it will not get must be gone before.
        let succeeded = seal(task);
        if !succeeded {
            drop_stored(task);
        }
    }
    let more = joiner::complete(
        &task.job,
        |state| end.decide(task, state),
        |links| claim(task, links, ready),
    );
    end.carry_out(task);
    more
}

/// Under the lock of a job, one of whose joiners this was.
#[inline(always)]
fn claim(task: &Task, links: *const Links, ready: &Queue) {
    let succeeded = !task.state().has(CANCELLING);
    // SAFETY: the completion holds the lock and has just taken the links out of the list.
    unsafe { waiter::claim_joiner(Waiter::of(links), succeeded, ready) };
}

/// Decides the outcome: what comes later cancels nothing any more.
fn seal(task: &Task) -> bool {
    let guard = task.job.lock();
    let succeeded = !task.state().has(CANCELLING);
    if succeeded {
        task.job.set_relaxed_order(&guard, SUCCEEDED);
    }
    succeeded
}

/// Completes a coroutine that was cancelled while it was New. It stays in the tree until [`leave`].
pub(crate) fn complete_early(task: &Task) {
    {
        let guard = task.job.lock();
        task.job
            .set_relaxed_order(&guard, STARTED | BODY_DONE | CLOSED);
    }
    let ready = Queue::new();
    let more = conclude(task, End::early(), &ready);
    hand_back(task, &ready, more);
}

/// Takes a job out of the tree that has completed early, and gives back its own count.
pub(crate) fn leave(task: &Task) {
    let context = {
        let _guard = task.job.lock();
        task.take_context()
    };
    if context.is_some() {
        // Perhaps the last owner of a user's elements.
        let _ = current::closed(|| drop(context));
    }
    finalise_next(leave_parent(task));
}

/// Takes some out of the tree that have completed and have one parent, linked from the oldest on, and gives back their own
/// counts. The parent, if it is the caller's to finalise.
pub(super) fn leave_together(oldest: *const Task) -> Option<*const Task> {
    // SAFETY: its own count keeps each of them until it is released, below.
    let first = unsafe { oldest.as_ref() }?;
    // SAFETY: as above.
    let next = detach(first, chain(oldest).map(|child| unsafe { child.as_ref() }));
    chain(oldest).for_each(release);
    next
}

/// Completes the parent of one that has left, if it was closed by that.
#[inline]
pub(crate) fn finalise_next(parent: Option<*const Task>) {
    if let Some(parent) = parent {
        // SAFETY: closed by its last child's departure, and alive until it is finalised.
        finalise(unsafe { &*parent });
    }
}

/// How a job ends.
struct End {
    succeeded: bool,
    /// Nobody will ask for the value.
    is_unwanted: bool,
    /// Its dispatcher still has to be found.
    keeps_context: bool,
    /// What most have not, and what therefore is not dropped where it was not looked at.
    rest: ManuallyDrop<Rest>,
}

#[derive(Default)]
struct Rest {
    context: Option<Arc<Elements>>,
    handlers: Option<Vec<Registered>>,
}

impl End {
    #[inline(always)]
    fn new() -> Self {
        Self {
            succeeded: false,
            is_unwanted: false,
            keeps_context: false,
            rest: ManuallyDrop::new(Rest::default()),
        }
    }

    /// For a coroutine that will not run, but has yet to be sent to its dispatcher.
    fn early() -> Self {
        Self {
            keeps_context: true,
            ..Self::new()
        }
    }

    /// Under the job's lock, when its body and its children have ended: the flag of the outcome.
    #[inline(always)]
    fn decide(&mut self, task: &Task, state: State) -> u32 {
        self.succeeded = !state.has(CANCELLING);
        if !self.succeeded && task.own_cause().is_none() {
            // Nobody reads the cause of a job without one before it has completed: its body and its children have
            // ended, and handles look only at completed jobs.
            task.set_cause(cancel::cancellation_of(task));
        }
        // ORDERING: relaxed, since the handle sets it under the lock.
        self.is_unwanted = task.value.load(Ordering::Relaxed) & HANDLE_GONE != 0;
        if task.has_extras_locked() {
            self.rest.handlers =
                Some(task.extras_locked(|extras| std::mem::take(&mut extras.handlers)));
        }
        if !self.keeps_context {
            self.rest.context = task.take_context();
        }
        if self.succeeded { SUCCEEDED } else { 0 }
    }

    /// Once the outcome is published: drops what nobody will have, and calls the handlers.
    #[inline(always)]
    fn carry_out(&mut self, task: &Task) {
        let is_left = (!self.succeeded || self.is_unwanted) && task.state().has(DEFERRED);
        if self.rest.context.is_some() || self.rest.handlers.is_some() || is_left {
            std::mem::take(&mut *self.rest).carry_out(task, is_left);
        }
    }
}

impl Rest {
    /// `is_left` says whether the value, if there is one, is nobody's.
    #[inline(never)]
    fn carry_out(self, task: &Task, is_left: bool) {
        if self.context.is_some() {
            // Perhaps the last owner of a user's elements.
            let _ = current::closed(|| drop(self.context));
        }
        if is_left {
            drop_stored(task);
        }
        // Before anybody who waits goes on, perhaps on another thread: as in Kotlin, what was registered first comes first.
        if let Some(handlers) = self.handlers {
            run_handlers(task, handlers);
        }
    }
}

/// Drops the value, if there is one, which is not the handle's.
#[cold]
fn drop_stored(task: &Task) {
    // The body has ended, and nobody else comes here.
    let flags = task.flags.get();
    if flags & VALUE_STORED == 0 {
        return;
    }
    task.flags.set(flags & !VALUE_STORED);
    // SAFETY: it was stored, and the handle has left it to us.
    let dropped = current::closed(|| unsafe { (task.vtable.drop_value)(task) });
    if let Err(panic) = dropped {
        report::handler_panicked("the destructor of an unclaimed result", panic);
    }
}

fn report_if_root(task: &Task) {
    let state = task.state();
    if !state.has(FAILED) || !state.has(COROUTINE) || state.has(DEFERRED) {
        return;
    }
    // SAFETY: the parent of a job that has not left it is alive.
    let parent = unsafe { task.job.parent().as_ref() };
    if parent.is_some_and(|parent| answers_for_children(Task::of(parent))) {
        return;
    }
    if let Some(failure) = cancel::outcome(task) {
        report::uncaught(task, &task.context(), &failure);
    }
}

/// Whether the failure of a child is a failure of this job, which somebody is told of.
pub(crate) fn answers_for_children(parent: &Task) -> bool {
    let state = parent.state();
    state.has(ANSWERS) && !state.has(SUPERVISOR)
}

#[cold]
fn run_handlers(task: &Task, handlers: Vec<Registered>) {
    let cause = cancel::outcome(task);
    for registered in handlers {
        run_handler(registered.handler, cause.as_ref());
    }
}

/// Runs one completion handler.
pub(crate) fn run_handler(handler: Handler, cause: Option<&Error>) {
    if let Err(panic) = current::closed(move || handler(cause)) {
        report::handler_panicked("a completion handler", panic);
    }
}

/// Takes the job out of the tree and gives back its own count. The parent, if it is ours to finalise.
#[inline(always)]
pub(super) fn leave_parent(task: &Task) -> Option<*const Task> {
    let next = detach(task, iter::once(task));
    release(NonNull::from(task));
    next
}

/// Takes children out of the tree, of which this is one. Their parent, if it is ours to finalise.
#[inline(always)]
fn detach<'a>(task: &Task, children: impl Iterator<Item = &'a Task>) -> Option<*const Task> {
    // SAFETY: the parent of a job that has not left it is alive.
    let parent = unsafe { task.job.parent().as_ref() };
    let mut next = None;
    if let Some(parent) = parent {
        let mut frame: *const Task = std::ptr::null();
        // SAFETY: linked until now.
        let detached = unsafe {
            children::detach(parent, children.map(|child| &child.job), |parent| {
                frame = claim_frame(Task::of(parent));
                !frame.is_null()
            })
        };
        match detached {
            Detached::Nothing => {}
            Detached::Finalise => next = Some(std::ptr::from_ref(Task::of(parent))),
            Detached::Wake if cfg!(mutation = "finish_frame_not_woken") => {}
            Detached::Wake => {
                let ready = Queue::new();
                // SAFETY: claimed just now, so in no queue.
                unsafe { ready.push(frame) };
                waiter::hand_back(&ready);
            }
        }
    }
    next
}

/// Under the parent's lock: claims the frame that waits for the parent's children.
fn claim_frame(parent: &Task) -> *const Task {
    let generation = parent.drain.replace(Generation::NONE);
    if generation == Generation::NONE {
        return std::ptr::null();
    }
    let owner = parent.owner();
    // SAFETY: a frame that waits for its children stands.
    if unsafe { &*owner }.word.claim_value(generation) {
        owner
    } else {
        std::ptr::null()
    }
}
