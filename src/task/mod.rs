//! Layer 3: a task, which is a job with something that runs: a coroutine, the frame of a scope, or a plain thread.
//!
//! - [`word`] decides who may resume a suspended task; [`inbox`] and [`sleep`] bring it back to its thread.
//! - [`home`] is a thread as its tasks know it; [`current`] tells which one we are on.
//! - [`wait`] is the one way to suspend; [`waiter`] is what a suspended frame leaves in the list of what it waits for.
//! - [`waking`] makes a `Waker` of the standard library for it; [`signal`] decides which wake-up claims.
//! - [`cancel`] and [`finish`] are the two ways in which news travels through the tree.
//! - [`loose`] keeps the job of a scope out of the tree until somebody needs it there.
//! - [`start`] sends a coroutine to its dispatcher; [`departure`] decides who sends one without a stack again.
//! - [`installed`] keeps a thread's variables in step with the coroutine that runs.
//! - [`blocks`] is the memory of task blocks; [`cell`] gives them their forms.
//! - [`vtable`] is what is known of a block whose types are not; [`counted`] frees it with the last count.
//! - [`report`] is where failures go that nobody awaits.
//!
//! A task block is one allocation: this header, then the result, then the closure; while the body runs, and needs no room for
//! either, what it waits for a job with. It is counted by the coroutine with
//! its link in the parent's child list (one count), by each handle, and by each continuation that user code holds. What
//! waits inside the runtime (a channel, a timer, the reactor) holds no count: its node is in the suspended frame, or in the block.

pub(crate) mod blocks;
pub(crate) mod cancel;
pub(crate) mod cell;
mod counted;
pub(crate) mod current;
pub(crate) mod departure;
pub(crate) mod finish;
pub(crate) mod home;
pub(crate) mod inbox;
pub(crate) mod installed;
pub(crate) mod label;
pub(crate) mod leaving;
pub(crate) mod loose;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod signal;
pub(crate) mod sleep;
pub(crate) mod start;
pub(crate) mod vtable;
pub(crate) mod wait;
pub(crate) mod waiter;
pub(crate) mod waking;
pub(crate) mod word;

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::context::{CoroutineContext, Elements};
use crate::coroutine::Header;
use crate::error::Error;
use crate::job::node::JobNode;
use crate::job::state::{COMPLETED, COROUTINE, DEFERRED, SCOPE, SUPERVISOR, State};
use crate::task::home::Home;
use crate::task::inbox::Linked;
use crate::task::label::Label;
use crate::task::vtable::TaskVTable;
use crate::task::word::Word;
use crate::util::sync::Shared;

pub(crate) use counted::{TaskRef, free, release};

/// Bits of `Task::value`.
/// The handle was dropped before the job had completed; set under the job's lock.
pub(crate) const HANDLE_GONE: u32 = 2;
/// The handle has moved the value out.
pub(crate) const VALUE_TAKEN: u32 = 16;
/// A cancellation handler is stored with the current suspension.
pub(crate) const CANCEL_HANDLER: u32 = 4;

/// Bit of `Task::flags`, which only the owner thread touches: a cancellation was reported through `Read` or `Write`.
pub(crate) const IO_CANCELLED: u32 = 2;
/// Bit of `Task::flags`: the coroutine is started even if it is cancelled before.
pub(crate) const ATOMIC: u32 = 4;
/// Bit of `Task::flags`: the task has not started, may start on its thread alone, and is counted there as if it had.
pub(crate) const LOCAL: u32 = 8;
/// Bit of `Task::flags`: the body has returned a value, which stands in the block. After the body it belongs to whoever
/// completes the job.
pub(crate) const VALUE_STORED: u32 = 1 << 14;
/// Bit of `Task::flags`: a task without a stack has had its first turn.
pub(crate) const TURNED: u32 = 1 << 13;

/// The header of a task block.
#[repr(C)]
pub(crate) struct Task {
    pub(crate) job: JobNode,
    pub(crate) word: Word,
    pub(crate) stack: Cell<Option<NonNull<Header>>>,
    /// The innermost job whose body this task runs now: itself, or that of a scope function.
    current: AtomicPtr<Task>,
    link: AtomicPtr<Task>,
    /// Tagged with `UNCONFINED`.
    home: AtomicPtr<Home>,
    label: AtomicPtr<Label>,
    place: AtomicPtr<Location<'static>>,
    /// For a scope's job the task whose frame runs the body, for a job without a body null; for a coroutine, which is its own
    /// owner, the place of its launch.
    origin: *const (),
    /// The suspension in which the frame waits for its children; guarded by the job's lock.
    pub(crate) drain: Cell<word::Generation>,
    /// The first cause, written once before CANCELLING is visible.
    cause: Shared<Option<Error>>,
    /// What few tasks have; guarded by the job's lock.
    extras: Shared<Option<Box<Extras>>>,
    pub(crate) vtable: &'static TaskVTable,
    /// The context, inherited from the parent or (low bit) counted.
    context: Cell<*const Elements>,
    pub(crate) id: u64,
    pub(crate) value: AtomicU32,
    pub(crate) flags: Cell<u32>,
}

const _: () = assert!(
    size_of::<Task>() <= 192,
    "a task block has outgrown its budget"
);

// SAFETY: the atomics are shared; every plain field states who touches it and when (the owner thread, or the holder of the
// job's lock).
unsafe impl Sync for Task {}
// SAFETY: as above.
unsafe impl Send for Task {}

/// A completion handler.
pub(crate) type Handler = Box<dyn FnOnce(Option<&Error>) + Send>;
/// A handler that a canceller calls.
pub(crate) type CancelHandler = Box<dyn FnOnce(&Error) + Send>;

/// A completion handler and what it is registered for.
pub(crate) struct Registered {
    pub(crate) number: u64,
    /// It is called already when the job begins to be cancelled.
    pub(crate) on_cancelling: bool,
    pub(crate) handler: Handler,
}

/// What few tasks have.
#[derive(Default)]
pub(crate) struct Extras {
    /// A failure that came after the cancellation, and so is not in `cause`.
    pub(crate) failure: Option<Error>,
    pub(crate) handlers: Vec<Registered>,
    pub(crate) next_handler: u64,
    pub(crate) cancel_handler: Option<(word::Generation, CancelHandler)>,
    /// Touched by the owner thread only.
    pub(crate) installed: Vec<installed::Level>,
}

/// What a new task is made from.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) kind: u32,
    pub(crate) refs: u32,
    pub(crate) owner: *const Task,
    pub(crate) vtable: &'static TaskVTable,
    pub(crate) id: u64,
    pub(crate) place: &'static Location<'static>,
}

/// Tag of a task's home: a resumption on its own thread runs it in place.
const UNCONFINED: usize = 1;

#[inline(always)]
fn untagged(home: *mut Home) -> *const Home {
    home.map_addr(|address| address & !UNCONFINED)
}

impl Linked for Task {
    #[inline(always)]
    fn link(&self) -> &AtomicPtr<Task> {
        &self.link
    }
}

impl Task {
    /// Where most of what a suspension and its return touch begins.
    pub(crate) const SWITCHED: usize = std::mem::offset_of!(Task, word);

    #[inline(always)]
    pub(crate) fn new(birth: Birth) -> Self {
        Self {
            job: JobNode::new(birth.kind, birth.refs),
            word: Word::new(),
            stack: Cell::new(None),
            current: AtomicPtr::new(ptr::null_mut()),
            link: AtomicPtr::new(ptr::null_mut()),
            home: AtomicPtr::new(ptr::null_mut()),
            label: AtomicPtr::new(ptr::null_mut()),
            place: AtomicPtr::new(ptr::from_ref(birth.place).cast_mut()),
            origin: if birth.kind & COROUTINE != 0 {
                ptr::from_ref(birth.place).cast()
            } else {
                birth.owner.cast()
            },
            drain: Cell::new(word::Generation::NONE),
            cause: Shared::new(None),
            extras: Shared::new(None),
            vtable: birth.vtable,
            context: Cell::new(ptr::null()),
            id: birth.id,
            value: AtomicU32::new(0),
            flags: Cell::new(0),
        }
    }

    /// Makes a new task of one that was a scope's and that nobody has met: it never had a child, and was never waited for. What such
    /// a one leaves as it was is not written again.
    #[inline(always)]
    fn begin_again(&mut self, birth: Birth) {
        debug_assert!(birth.kind & COROUTINE == 0 && ptr::eq(birth.vtable, self.vtable));
        self.job.begin_again(birth.kind, birth.refs);
        self.link.store(ptr::null_mut(), Ordering::Relaxed);
        let place = ptr::from_ref(birth.place).cast_mut();
        self.place.store(place, Ordering::Relaxed);
        self.origin = birth.owner.cast();
        self.id = birth.id;
        debug_assert!(self.is_as_new(), "the job of a scope that nobody has met");
    }

    /// Whether all is as [`new`](Task::new) leaves it, but for what [`begin_again`](Task::begin_again) writes and what whoever opens a
    /// scope does after both.
    fn is_as_new(&mut self) -> bool {
        let as_text = |value: &dyn fmt::Debug| format!("{value:?}");
        self.job.set_parent(ptr::null());
        let job = JobNode::new(self.state().0, 2);
        // SAFETY: nobody else has met it.
        let has_end = unsafe {
            self.cause.with(|cause| (*cause).is_some())
                || self.extras.with(|extras| (*extras).is_some())
        };
        as_text(&self.job) == as_text(&job)
            && as_text(&self.word) == as_text(&Word::new())
            && self.stack.get().is_none()
            && self.current.load(Ordering::Relaxed).is_null()
            && self.home.load(Ordering::Relaxed).is_null()
            && self.label.load(Ordering::Relaxed).is_null()
            && self.drain.get() == word::Generation::NONE
            && !has_end
            && self.value.load(Ordering::Relaxed) == 0
    }

    /// The task whose job this is.
    #[inline(always)]
    pub(crate) fn of(job: &JobNode) -> &Task {
        let task: *const Task = ptr::with_exposed_provenance(ptr::from_ref(job).addr());
        // SAFETY: every job stands at the start of a task (`repr(C)`), whose address was exposed when it was made.
        unsafe { &*task }
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        self.job.state()
    }

    /// The thread that this task lives on, once it has started.
    #[inline(always)]
    pub(crate) fn home(&self) -> Option<&'static Home> {
        // SAFETY: homes are never freed.
        unsafe { untagged(self.home.load(Ordering::Acquire)).as_ref() }
    }

    /// Whether a resumption on its own thread runs it in place. Asked by that thread.
    #[inline(always)]
    pub(crate) fn is_unconfined(&self) -> bool {
        self.home.load(Ordering::Relaxed).addr() & UNCONFINED != 0
    }

    #[inline]
    pub(crate) fn set_home(&self, home: &'static Home, unconfined: bool) {
        let tag = if unconfined { UNCONFINED } else { 0 };
        self.home.store(
            ptr::from_ref(home)
                .cast_mut()
                .map_addr(|address| address | tag),
            Ordering::Release,
        );
    }

    /// From here on the task lives nowhere: it has no stack, and waits for nothing of this thread.
    pub(crate) fn clear_home(&self) {
        self.home.store(ptr::null_mut(), Ordering::Release);
    }

    /// Where a state machine goes on.
    pub(crate) fn machine_label(&self) -> Option<u32> {
        let stackless = self.vtable.stackless.as_ref()?;
        // SAFETY: the table is this block's.
        Some(unsafe { (stackless.label)(self) })
    }

    /// The innermost job whose body this task runs; `None` on a plain thread outside any scope.
    #[inline(always)]
    pub(crate) fn current(&self) -> *const Task {
        self.current.load(Ordering::Acquire)
    }

    /// Owner, while running.
    #[inline(always)]
    pub(crate) fn set_current(&self, job: *const Task) {
        self.current.store(job.cast_mut(), Ordering::Release);
    }

    #[inline]
    pub(crate) fn owner(&self) -> *const Task {
        if self.state().has(COROUTINE) {
            self
        } else {
            self.origin.cast()
        }
    }

    /// Where a coroutine was launched, or a scope opened.
    pub(crate) fn birthplace(&self) -> &'static Location<'static> {
        if self.state().has(COROUTINE) {
            // SAFETY: stored when the task was made, and a static.
            unsafe { &*self.origin.cast::<Location<'static>>() }
        } else {
            // The point of a job that is not a coroutine is never marked.
            self.point().1
        }
    }

    /// The cause that was stored with this very job, once CANCELLING was seen.
    pub(crate) fn own_cause(&self) -> Option<&Error> {
        // SAFETY: written once, before CANCELLING became visible, which the caller has seen; never written after.
        self.cause.with(|cause| unsafe { (*cause).as_ref() })
    }

    /// Under the job's lock, before CANCELLING is set.
    pub(crate) fn set_cause(&self, cause: Error) {
        // SAFETY: the lock is held, and nobody reads before the flag that is set after this.
        self.cause.with_mut(|slot| unsafe { *slot = Some(cause) });
    }

    /// Works on the extras, made if there are none.
    pub(crate) fn with_extras<R>(&self, work: impl FnOnce(&mut Extras) -> R) -> R {
        let _guard = self.job.lock();
        self.extras_locked(work)
    }

    /// The same, with the lock of the job held by the caller.
    pub(crate) fn extras_locked<R>(&self, work: impl FnOnce(&mut Extras) -> R) -> R {
        // SAFETY: the job's lock is held.
        self.extras
            .with_mut(|extras| work(unsafe { (*extras).get_or_insert_default() }))
    }

    /// Whether there are extras; the lock of the job is held by the caller.
    pub(crate) fn has_extras_locked(&self) -> bool {
        // SAFETY: the job's lock is held.
        self.extras.with(|extras| unsafe { (*extras).is_some() })
    }

    /// Inherits the context of `parent`, which outlives this task.
    #[inline]
    pub(crate) fn inherit_context(&self, parent: &Task) {
        self.context
            .set(parent.context.get().map_addr(|address| address & !1));
    }

    /// Gives the task a context of its own.
    pub(crate) fn own_context(&self, elements: Arc<Elements>) {
        self.context
            .set(Arc::into_raw(elements).map_addr(|address| address | 1));
    }

    /// The context. Null before it was set, and once the task has completed; one that has completed without having run has it until
    /// it leaves its parent.
    #[inline]
    pub(crate) fn elements(&self) -> Option<&Elements> {
        // SAFETY: what is set lives as long as it is not taken away: it is counted by this task, or by an ancestor that completes
        // when this one has left it.
        unsafe { self.context.get().map_addr(|address| address & !1).as_ref() }
    }

    /// A counted handle of the context.
    pub(crate) fn context(&self) -> CoroutineContext {
        match self.elements() {
            None => CoroutineContext::empty(),
            Some(elements) => {
                let raw: *const Elements = elements;
                // SAFETY: the address came from `Arc::into_raw`, here or in an ancestor, and is counted.
                unsafe { Arc::increment_strong_count(raw) };
                // SAFETY: the count that was just taken.
                CoroutineContext::from_elements(unsafe { Arc::from_raw(raw) })
            }
        }
    }

    /// Lets go of the context, with the job's lock held, before the task is unlinked from its parent.
    pub(crate) fn take_context(&self) -> Option<Arc<Elements>> {
        let raw = self.context.replace(ptr::null());
        let counted = raw.addr() & 1 == 1;
        // SAFETY: the low bit says that `own_context` counted it for this task.
        counted.then(|| unsafe { Arc::from_raw(raw.map_addr(|address| address & !1)) })
    }

    /// The name that the coroutine's context gives it. Empty once it has completed.
    pub(crate) fn name(&self) -> Option<String> {
        let _guard = self.job.lock();
        if self.state().has(COMPLETED) {
            return None;
        }
        self.elements()
            .and_then(Elements::name)
            .map(|name| name.as_str().to_owned())
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        let state = self.state();
        if state.has(DEFERRED) {
            "async"
        } else if state.has(COROUTINE) {
            "launch"
        } else if state.has(SCOPE) && state.has(SUPERVISOR) {
            "supervisor_scope"
        } else if state.has(SCOPE) {
            "scope"
        } else if state.has(SUPERVISOR) {
            "SupervisorJob"
        } else {
            "Job"
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}{{{:?}}}", self.kind_name(), self.id, self.state())
    }
}
