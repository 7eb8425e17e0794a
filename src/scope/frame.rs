//! A scope whose body runs in the caller's frame.
//!
//! 1. A job is made under the caller's innermost job, and becomes the innermost one. From here on a guard in the frame
//!    aborts the process should the frame be left without having waited (R2). If it can be, the job is loose
//!    (`task/loose.rs`): nobody knows it yet.
//! 2. The body runs. Its panic is caught. If it has given a value, and the job is loose still, that is all.
//! 3. Its end is judged: an error or a panic fails the job, or cancels it, and so all that lives in it.
//! 4. The frame waits for the children, and no cancellation wakes it meanwhile: it leaves word in the job under its
//!    lock, and the last child claims it. Then the job is closed.
//! 5. The caller's job is the innermost again; the job completes; the panic goes on, or the outcome is returned.
//!
//! Where the frame could not wait, because the thread is panicking or because a frame of the runtime is below it, the job
//! is born closed: a launch on it gives a cancelled job, so that there is nothing to wait for (R5, R6). Below a frame of the
//! runtime the frame counts as one more: so the block of a sequence cannot yield out of it, and its task's innermost job is
//! always that of a frame which stands.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::context::Elements;
use crate::error::{Error, Result};
use crate::job::children::{self, Attached};
use crate::job::state::{ANSWERS, CANCELLING, CLOSED, SCOPE, SHIELD, STARTED};
use crate::scope::scope::Scope;
use crate::scope::verdict;
use crate::task::cell::{BARE, allocate_bare};
use crate::task::current::Standing;
use crate::task::label::Label;
use crate::task::loose::{self, Hook};
use crate::task::wait::Here;
use crate::task::word::Phase;
use crate::task::{Birth, Task, TaskRef, cancel, finish, installed, report};

static CHILDREN: Label = Label("waiting for children");

/// What a frame is opened with.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: u32,
    /// A context of its own, or that of the caller.
    pub(crate) context: Option<Arc<Elements>>,
    pub(crate) place: &'static Location<'static>,
}

/// An open frame.
#[derive(Debug)]
pub(crate) struct Frame {
    here: Here,
    /// Counted, unless it is loose and closed so.
    job: ManuallyDrop<TaskRef>,
    outer: *const Task,
    /// Whether the context has brought elements that are installed on the thread.
    installed: bool,
    /// A body in the block of a sequence does not yield.
    _standing: Standing,
}

impl Frame {
    /// Step 1: makes the job and enters it.
    pub(crate) fn open((here, closed): (Here, bool), plan: Plan) -> Self {
        // SAFETY: without a hook.
        unsafe { Self::open_with(here, closed, plan, None) }
    }

    /// The same. The hook is told before the frame waits, or now.
    ///
    /// Always inlined, as is what opens a loose job: of an empty scope the call, and what goes through memory for it, would be a
    /// fifth. Not where nothing is optimised: there it would only make each frame larger.
    ///
    /// # Safety
    ///
    /// The hook stands until the frame is left.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) unsafe fn open_with(
        here: Here,
        closed: bool,
        plan: Plan,
        hook: Option<NonNull<Hook>>,
    ) -> Self {
        let outer = here.task().current();
        if plan.kind & SHIELD == 0
            && plan.context.is_none()
            // SAFETY: asked just now.
            && let Some(job) = unsafe { loose::open(&here, outer, plan.kind, plan.place, hook, closed) }
        {
            return Self {
                here,
                // SAFETY: made with two counts, as below, if it is one that is counted.
                job: ManuallyDrop::new(unsafe { TaskRef::from_counted(job) }),
                outer,
                installed: false,
                _standing: Standing::nowhere(),
            };
        }
        let home = here.home();
        let frame = Self::open_tied(here, closed, plan);
        if let Some(hook) = hook {
            // SAFETY: passed on to the caller.
            unsafe { Hook::tell(hook, frame.job(), home) };
        }
        frame
    }

    #[inline(never)]
    fn open_tied(here: Here, closed: bool, plan: Plan) -> Self {
        here.tie();
        let outer = here.task().current();
        let cannot_wait =
            std::thread::panicking() || closed || here.task().word.phase() != Phase::Running;
        let born = if cannot_wait { CLOSED } else { 0 };
        let job = allocate_bare(Birth {
            kind: plan.kind | SCOPE | ANSWERS | STARTED | born,
            refs: 2,
            owner: here.task(),
            vtable: &BARE,
            id: here.home().next_id(),
            place: plan.place,
        });
        // SAFETY: just made with two counts; the other one is given back by `finalise`.
        let job = unsafe { TaskRef::from_counted(job) };
        // SAFETY: the outer job's body is below us on this stack.
        let parent = unsafe { outer.as_ref() };
        let own_context = plan.context.is_some();
        match (plan.context, parent) {
            (Some(elements), _) => job.own_context(elements),
            (None, Some(parent)) => job.inherit_context(parent),
            (None, None) => job.own_context(crate::dispatchers::default_elements()),
        }
        if let Some(parent) = parent {
            // SAFETY: new, not linked; detached by `finalise`.
            let attached = unsafe { children::attach(&parent.job, &job.job) };
            if attached == Attached::Cancelled && plan.kind & SHIELD == 0 {
                children::mark_cancelled(&job.job, 0, || (), |_| ());
            }
        }
        here.task().set_current(&*job);
        let installed = own_context && installed::enter(here.task(), &job);
        Self {
            here,
            job: ManuallyDrop::new(job),
            outer,
            installed,
            _standing: Standing::here(),
        }
    }

    pub(crate) fn job(&self) -> &Task {
        &self.job
    }

    /// Steps 2 to 5. `before_leaving` runs when the children have ended, before the job completes; not if the job was loose
    /// to the end.
    #[inline]
    pub(crate) fn run<'env, T>(
        self,
        body: impl for<'s> FnOnce(&'s Scope<'s, 'env>) -> Result<T>,
        before_leaving: impl FnOnce(),
    ) -> Result<T> {
        let guard = AbortUnlessWaited;
        // SAFETY: this function does not return before the children have ended.
        let ended = catch_unwind(AssertUnwindSafe(|| body(unsafe { Scope::of(self.job()) })));
        // SAFETY: the job is the innermost one again; if it is closed so, the frame is forgotten.
        if matches!(ended, Ok(Ok(_))) && unsafe { loose::close(&self.here, self.job.as_ptr()) } {
            std::mem::forget(guard);
            // It holds no count, and a frame that was opened loose stands nowhere.
            std::mem::forget(self);
            return ended.unwrap_or_else(|_| unreachable!("asked above"));
        }
        // Moved here, so that it is in memory on this way only.
        let mut frame = self;
        frame.leave(guard, ended, before_leaving)
    }

    /// Steps 3 to 5.
    #[inline(never)]
    fn leave<T>(
        &mut self,
        guard: AbortUnlessWaited,
        ended: std::thread::Result<Result<T>>,
        before_leaving: impl FnOnce(),
    ) -> Result<T> {
        self.here.tie();
        let (value, panic) = match verdict::thrown(ended) {
            Ok(Ok(value)) => (Some(value), None),
            Ok(Err(error)) => {
                verdict::end_with_error(self.job(), error);
                (None, None)
            }
            Err(payload) => {
                // The payload itself goes on up this stack; the tree is told its message.
                let told = Error::panicked(Box::new(message_of(&*payload)));
                cancel::fail(self.job(), &told);
                (None, Some(payload))
            }
        };
        self.wait();
        before_leaving();
        if self.installed {
            installed::exit(self.here.task());
        }
        self.here.task().set_current(self.outer);
        std::mem::forget(guard);
        let outcome = if self.job().state().has(CANCELLING) {
            cancel::outcome(self.job())
        } else {
            None
        };
        finish::finalise(self.job());
        // SAFETY: not used after this.
        drop(unsafe { ManuallyDrop::take(&mut self.job) });
        if let Some(payload) = panic {
            // If the value of the body was dropped by now, so was everything that it borrowed from the children.
            resume_unwind(payload);
        }
        match (outcome, value) {
            (None, Some(value)) => Ok(value),
            (Some(error), _) => Err(error),
            (None, None) => {
                unreachable!("a body that ended with an error has cancelled or failed its job")
            }
        }
    }

    /// Step 4.
    fn wait(&self) {
        let job = self.job();
        let task = self.here.task();
        loop {
            let mut armed = None;
            let closed = children::close_or(&job.job, || {
                let generation = self.here.prepare();
                let generation = generation.expect("a scope that cannot wait takes no children");
                job.drain.set(generation);
                self.here.mark(&CHILDREN, Location::caller());
                self.here.publish(generation, false);
                armed = Some(generation);
            });
            if closed {
                return;
            }
            if let Some(generation) = armed {
                let _ = self.here.park(generation, false, || ());
            }
            debug_assert_eq!(task.word.phase(), Phase::Running);
        }
    }
}

/// The text of a panic.
pub(crate) fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// R2: a frame that is left without having waited would leave its children with dangling borrows.
struct AbortUnlessWaited;

impl Drop for AbortUnlessWaited {
    fn drop(&mut self) {
        report::tell(format_args!(
            "a scope was left before its children had ended"
        ));
        std::process::abort();
    }
}
