//! Scopes whose job nobody knows yet.
//!
//! The job of a scope function is for its children, for those who cancel it, and for those who look at the tree while its
//! coroutine waits. Most scopes end without any of them: the body launches nothing, does not wait, and gives its value. The
//! job of such a scope is *loose*: a block of the thread's own, which no list holds. It takes no lock and no count. Whatever
//! makes it visible *ties* it first, and from then on it is a job as any other.
//!
//! O is the owner (the coroutine whose frame runs the body), H whoever has the `&Scope`, O or another thread to which the
//! body has lent it, X a canceller of an ancestor.
//!
//! ```text
//! free  -O> LOOSE    opened: the block has its parent, its number and its context, and is O's innermost job
//! LOOSE -O> free     closed: the body has given a value, nobody has tied the job, nothing above it is cancelled
//! LOOSE -H> tied     H launches, cancels, asks for the job or its state
//! LOOSE -O> tied     O is about to wait, launches, looks at the tree, opens a scope that is not loose, has others run in
//!                    place or by its event loop, changes the clock; the body has failed
//! ```
//!
//! - **Order.** A job is tied after its loose ancestors, which all stand on the same stack: so a tied job is found
//!   from the root. Who ties holds the parent's lock (`job/children.rs`), so it happens once.
//! - **Cancellation.** X cannot find a loose job. O sees the LOOSE flag where it looks for CANCELLING anyway, and then asks
//!   the ancestors, up to the first that is tied; it has not suspended, so nobody need wake it. A job that is tied takes over
//!   the flag of its parent in the same store.
//! - **Waiting.** The word of a coroutine with a loose job is LOOSE instead of RUNNING (`word.rs`), so the question that each
//!   suspension asks anyway leads to [`Here::tie`], before the word is published: a suspended coroutine has no loose job.
//!   There a timeout sets its timer, too ([`Hook`]); O does it, even if H has tied the job before.
//! - **Children.** A child is launched in a tied job, so R2 is the ordinary wait.
//! - **H is gone** when the body has ended: it borrows the scope for no longer than the body, or it is a child.
//!
//! Not loose are the jobs of scopes that cancellation does not enter, that have a context of their own, or whose frame
//! cannot wait; and those on a plain thread outside any scope, which have no parent.

use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::job::children;
use crate::job::state::{ANSWERS, CANCELLING, CLOSED, COMPLETED, LOOSE, SCOPE, STARTED, SWEEPS};
use crate::task::cell::{BARE, place_bare};
use crate::task::home::Home;
use crate::task::wait::Here;
use crate::task::word::Phase;
use crate::task::{Birth, Task, blocks, cancel, current};

/// Bit of `Task::flags` of a scope's job: its owner has not tied it, whoever else has.
const UNTIED: u32 = 1 << 15;

/// What the frame of a scope wants to be told when its coroutine is about to wait for the first time: the first field of what
/// stands in that frame.
#[derive(Debug)]
pub(crate) struct Hook(unsafe fn(NonNull<Hook>, &Task, &'static Home));

impl Hook {
    /// A hook that calls `told` with itself, the scope's job and the thread. It is called at most once, on the frame's own
    /// thread, while the frame stands.
    pub(crate) const fn new(told: unsafe fn(NonNull<Hook>, &Task, &'static Home)) -> Self {
        Self(told)
    }

    /// # Safety
    ///
    /// The frame in which it stands is below the caller on this stack, its job is `job`, and it was not told before.
    pub(crate) unsafe fn tell(hook: NonNull<Hook>, job: &Task, home: &'static Home) {
        // SAFETY: it stands.
        let told = unsafe { hook.as_ref() }.0;
        // SAFETY: passed on to the caller.
        unsafe { told(hook, job, home) };
    }
}

/// Opens a scope whose job is loose, and makes it the innermost one; `closed` says whether a frame that must not suspend is on this
/// thread's stack. `None` if it cannot be.
///
/// # Safety
///
/// `outer` is the innermost job of the task that runs here, if there is one.
#[cfg_attr(debug_assertions, inline)]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) unsafe fn open(
    here: &Here,
    outer: *const Task,
    kind: u32,
    place: &'static Location<'static>,
    hook: Option<NonNull<Hook>>,
    closed: bool,
) -> Option<NonNull<Task>> {
    // SAFETY: a job outlives the frame that runs its body.
    let outer = unsafe { outer.as_ref() }?;
    let state = outer.state();
    if state.has(CLOSED | COMPLETED)
        || !here.task().word.is_running()
        || closed
        || std::thread::panicking()
    {
        return None;
    }
    let home = here.home();
    let birth = Birth {
        kind: kind | SCOPE | ANSWERS | STARTED | LOOSE | state.0 & SWEEPS,
        refs: 2,
        owner: here.task(),
        vtable: &BARE,
        id: home.next_id(),
        place,
    };
    let block = match NonNull::new(home.local.kept.replace(ptr::null_mut())) {
        Some(mut kept) => {
            // SAFETY: nobody else has met it.
            unsafe { kept.as_mut() }.begin_again(birth);
            kept
        }
        // SAFETY: this thread's home, and memory for a task, which is ours.
        None => unsafe { place_bare(blocks::take_bare(home), birth) },
    };
    // SAFETY: just written.
    let job = unsafe { block.as_ref() };
    job.inherit_context(outer);
    job.job.set_parent(&outer.job);
    job.flags.set(UNTIED);
    if let Some(hook) = hook {
        job.link.store(hook.as_ptr().cast(), Ordering::Relaxed);
    }
    here.task().word.loosen();
    here.task().set_current(job);
    Some(block)
}

/// Owner, when the body of a scope that was opened loose has given its value: closes it, if its job still is. False if the
/// scope has to be left in the ordinary way.
///
/// # Safety
///
/// `job` came from [`open`] in the same frame, and is the innermost one; if this is true, it is not used any more.
#[cfg_attr(debug_assertions, inline)]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) unsafe fn close(here: &Here, job: NonNull<Task>) -> bool {
    // SAFETY: open, so alive.
    let task = unsafe { job.as_ref() };
    let state = task.state();
    if !state.has(LOOSE) {
        return false;
    }
    // SAFETY: the body of a loose job's parent is below us on this stack.
    let outer = unsafe { &*Task::parent_of(task) };
    let above = outer.state();
    // Mostly the parent is tied, and the one question answers them all.
    if (state.has(CANCELLING) || above.has(CANCELLING | LOOSE) || state.was_swept(above))
        && is_cancelled(task)
    {
        return false;
    }
    here.task().set_current(outer);
    if outer.flags.get() & UNTIED == 0 {
        here.task().word.tighten();
    }
    // Nobody else has met the job, in which nothing is left that needs a drop.
    let kept = &here.home().local.kept;
    if kept.get().is_null() {
        kept.set(job.as_ptr());
    } else {
        // SAFETY: this thread's home, and its block.
        unsafe { blocks::give_bare(here.home(), job) };
    }
    true
}

/// Whether a job counts as cancelled, loose or not. Asked by its owner.
#[inline(always)]
pub(crate) fn counts_as_cancelled(job: &Task) -> bool {
    let state = job.state();
    state.has(CANCELLING | LOOSE) && (state.has(CANCELLING) || is_cancelled(job))
}

/// Whether a loose job counts as cancelled. Asked by its owner.
pub(crate) fn is_cancelled(job: &Task) -> bool {
    let mut at = job;
    loop {
        let state = at.state();
        if state.has(CANCELLING) || !state.has(LOOSE) {
            return state.has(CANCELLING);
        }
        // SAFETY: the body of a loose job's parent is below its own on the owner's stack.
        let parent = unsafe { &*Task::parent_of(at) };
        if state.was_swept(parent.state()) {
            return true;
        }
        at = parent;
    }
}

impl Here {
    /// Ties what is loose among the scopes of the running coroutine, and tells their hooks: before it waits, and before
    /// anything of it is shown to others.
    #[inline]
    pub(crate) fn tie(&self) {
        if self.task().word.phase() == Phase::Loose {
            self.tie_all();
        }
    }

    #[cold]
    #[inline(never)]
    fn tie_all(&self) {
        // SAFETY: the jobs of frames that stand on this stack.
        let untied =
            |job: *const Task| unsafe { job.as_ref() }.filter(|job| job.flags.get() & UNTIED != 0);
        if let Some(job) = untied(self.task().current()) {
            // Mostly it is the only one.
            let mut outer = Vec::new();
            let mut at = job;
            while let Some(job) = untied(Task::parent_of(at)) {
                outer.push(job);
                at = job;
            }
            outer.into_iter().rev().for_each(|job| self.tie_one(job));
            self.tie_one(job);
        }
        self.task().word.tighten();
    }

    fn tie_one(&self, job: &Task) {
        tie_one(job);
        job.flags.set(job.flags.get() & !UNTIED);
        let hook = job.link.load(Ordering::Relaxed);
        if let Some(hook) = NonNull::new(hook) {
            job.link.store(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: it stands in the frame of that job's scope, and was taken out just now.
            unsafe { Hook::tell(hook.cast(), job, self.home()) };
        }
    }
}

impl Task {
    /// The job itself, which is loose no more.
    #[inline(always)]
    pub(crate) fn tied(&self) -> &Self {
        if self.state().has(LOOSE) {
            tie(self);
        }
        self
    }

    fn parent_of(job: &Task) -> *const Task {
        // SAFETY: the parent of a job that has not left it is alive.
        match unsafe { job.job.parent().as_ref() } {
            Some(parent) => Task::of(parent),
            None => ptr::null(),
        }
    }
}

/// Ties what is loose among the scopes of the running coroutine, which is about to give one of the jobs around them a child:
/// the children of a job are in the order in which they came.
#[inline]
pub(crate) fn tie_running() {
    // SAFETY: this thread's home.
    unsafe { tie_at(current::home()) };
}

/// The same, for who knows the home of the calling thread.
///
/// # Safety
///
/// It is that, or there is none.
#[inline(always)]
pub(crate) unsafe fn tie_at(here: Option<&'static Home>) {
    if let Some(home) = here {
        // SAFETY: this thread's home, which has had a current task since it was settled.
        unsafe { Here::of(home) }.tie();
    }
}

/// Any thread that may use the scope: ties its job, after its loose ancestors.
#[cold]
#[inline(never)]
fn tie(job: &Task) {
    let mut loose = Vec::new();
    let mut at: *const Task = job;
    // SAFETY: the frames of a loose job's loose ancestors stand while its own does, which lends us the scope.
    while let Some(job) = unsafe { at.as_ref() }
        && job.state().has(LOOSE)
    {
        loose.push(job);
        at = Task::parent_of(job);
    }
    loose.into_iter().rev().for_each(tie_one);
}

/// Ties a job, unless somebody has.
fn tie_one(job: &Task) {
    if !job.state().has(LOOSE) {
        return;
    }
    // SAFETY: a loose job has a parent, which stands as long as it.
    let parent = unsafe { &*job.job.parent() };
    let swept = || job.set_cause(Error::cancelled_by(cancel::owner_id(job)));
    // SAFETY: a loose job is opened under a parent that is not closed before its frame is left; detached by `finalise`.
    unsafe { children::tie(parent, &job.job, swept) };
}
