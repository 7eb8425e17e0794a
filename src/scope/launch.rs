//! How a coroutine is made, and how its body is run.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::context::CoroutineContext;
use crate::error::{Error, Result};
use crate::job::children::{self, Attached};
use crate::job::state::{ANSWERS, BARE, COROUTINE, DEFERRED, FAILED, STARTED};
use crate::scheduler::nested;
use crate::scope::builder::CoroutineStart;
use crate::scope::job::cancellation_for;
use crate::scope::scope::Scope;
use crate::scope::verdict;
use crate::task::cell::TaskCell;
use crate::task::finish;
use crate::task::home::{Home, stray_id};
use crate::task::start::{self, dispatch};
use crate::task::vtable::TaskVTable;
use crate::task::{
    ATOMIC, Birth, LOCAL, Task, TaskRef, VALUE_STORED, cancel, current, installed, loose, report,
};

/// Bit of `Task::flags`: the body ended by a panic.
pub(crate) const BODY_PANICKED: u32 = 1 << 10;

/// What is asked for when a coroutine is launched.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) place: &'static Location<'static>,
    pub(crate) kind: u32,
    pub(crate) context: Option<CoroutineContext>,
    pub(crate) start: CoroutineStart,
    /// The closure is not `Send`: the coroutine starts on the calling thread, which hosts coroutines.
    pub(crate) local: bool,
    /// Whether the closure borrows nothing, so that it may be dropped at any time.
    pub(crate) owned: bool,
}

impl Order {
    #[inline]
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        Self {
            place,
            kind: COROUTINE | ANSWERS | STARTED,
            context: None,
            start: CoroutineStart::Default,
            local: false,
            owned: false,
        }
    }

    /// What an owned scope launches.
    pub(crate) fn owned(mut self) -> Self {
        self.owned = true;
        self
    }

    /// When the coroutine is sent to its dispatcher.
    pub(crate) fn starting(mut self, start: CoroutineStart) -> Self {
        self.start = start;
        if start == CoroutineStart::Lazy {
            self.kind &= !STARTED;
        }
        self
    }

    #[inline]
    pub(crate) fn deferred(mut self) -> Self {
        self.kind |= DEFERRED;
        self
    }
}

struct Body<T, F>(std::marker::PhantomData<(T, F)>);

impl<'env, T, F> Body<T, F>
where
    F: for<'c> FnOnce(&'c Scope<'c, 'env>) -> Result<T>,
{
    const VTABLE: TaskVTable = TaskVTable {
        run: Self::run,
        drop_body: TaskCell::<T, F>::drop_body,
        drop_value: TaskCell::<T, F>::drop_value,
        free: TaskCell::<T, F>::free,
        stackless: None,
    };

    /// Runs the body on the current stack, and completes the task if it can. True if it is still to leave its parent then.
    ///
    /// # Safety
    ///
    /// The task's block is of these types, and the caller has the one right to start it.
    unsafe fn run(task: &Task) -> bool {
        task.set_current(task);
        // SAFETY: passed on to the caller.
        let body = unsafe { TaskCell::<T, F>::take_body(task) };
        // SAFETY: the job completes only after the body has returned and the children have ended.
        let scope = unsafe { Scope::of(task) };
        let installed = installed::enter(task, task);
        // The closure is consumed by the call, so it is gone before the body counts as ended (R2).
        let ended = catch_unwind(AssertUnwindSafe(|| body(scope)));
        if installed {
            installed::exit(task);
        }
        match verdict::thrown(ended) {
            Ok(Ok(value)) => {
                if task.state().has(DEFERRED) {
                    // SAFETY: the block's result is a `T`; stored once.
                    unsafe { TaskCell::<T, F>::put_value(task, value) };
                    task.flags.set(task.flags.get() | VALUE_STORED);
                }
            }
            Ok(Err(error)) => verdict::end_with_error(task, error),
            Err(panic) => {
                task.flags.set(task.flags.get() | BODY_PANICKED);
                cancel::fail(task, &Error::panicked(panic));
            }
        }
        // From here on the block may be freed, while handlers of its ancestors run on this thread.
        let may_stay = task.home().is_some_and(|home| {
            home.be_loop();
            home.local.leaving.is_expected()
        });
        finish::end_coroutine(task, may_stay)
    }
}

/// Makes a coroutine under `parent` and sends it to its dispatcher.
///
/// # Safety
///
/// The parent waits for the coroutine before anything that `body` borrows ends; or the parent takes no more children, and
/// then the body is dropped before this function returns.
#[inline]
pub(crate) unsafe fn launch<'env, T, F>(parent: &Task, order: Order, body: F) -> TaskRef
where
    F: for<'c> FnOnce(&'c Scope<'c, 'env>) -> Result<T>,
{
    // SAFETY: passed on to the caller.
    unsafe { launch_from(Some(parent), order, body) }
}

/// The same; without a parent the coroutine is a root, with a context that names its dispatcher.
///
/// # Safety
///
/// As for [`launch`]; without a parent the caller waits.
#[inline]
pub(crate) unsafe fn launch_from<'env, T, F>(
    parent: Option<&Task>,
    order: Order,
    body: F,
) -> TaskRef
where
    F: for<'c> FnOnce(&'c Scope<'c, 'env>) -> Result<T>,
{
    let here = current::home();
    let birth = birth(here, &order, &Body::<T, F>::VTABLE);
    // SAFETY: this thread's home.
    let task = unsafe { TaskCell::<T, F>::allocate(here, birth, body) };
    // SAFETY: passed on to the caller.
    unsafe { launch_task(here, parent, order, task) }
}

/// What a coroutine is made from, with two counts: its own, and that of the handle.
#[inline]
pub(crate) fn birth(
    here: Option<&'static Home>,
    order: &Order,
    vtable: &'static TaskVTable,
) -> Birth {
    Birth {
        kind: order.kind,
        refs: 2,
        owner: std::ptr::null(),
        vtable,
        id: here.map_or_else(stray_id, Home::next_id),
        place: order.place,
    }
}

/// Puts a new task under its parent, and sends it to its dispatcher.
///
/// # Safety
///
/// As for [`launch_from`], of what the task's block holds. The task is from [`birth`], in a block of its vtable's types. `here` is
/// the home of the calling thread, if it has one.
#[inline(always)]
pub(crate) unsafe fn launch_task(
    here: Option<&'static Home>,
    parent: Option<&Task>,
    order: Order,
    task: NonNull<Task>,
) -> TaskRef {
    // SAFETY: just allocated with two counts; one is the handle's.
    let handle = unsafe { TaskRef::from_counted(task) };
    let Some(parent) = parent else {
        let context = order.context.unwrap_or_default();
        let outer = CoroutineContext::from_elements(crate::dispatchers::default_elements());
        handle.own_context(
            outer
                .merged(&context)
                .elements()
                .expect("it has a dispatcher")
                .clone(),
        );
        dispatch(task);
        return handle;
    };
    start::start_parent(parent);
    // SAFETY: this thread's home.
    unsafe { loose::tie_at(here) };
    match order.context {
        None => handle.inherit_context(parent),
        Some(context) => give_context(&handle, parent, &context),
    }
    if order.start == CoroutineStart::Atomic {
        handle.flags.set(handle.flags.get() | ATOMIC);
    }
    let dispatch = if order.local {
        on_this_thread
    } else {
        dispatch
    };
    // SAFETY: new, not linked; it is detached when it completes.
    match unsafe { children::attach(&parent.job, &handle.job) } {
        Attached::Active if order.start == CoroutineStart::Default => dispatch(task),
        Attached::Active => match order.start {
            CoroutineStart::Lazy => {}
            CoroutineStart::Undispatched if nested::may_start_here(&handle) => {
                nested::start_here(&handle);
            }
            _ => dispatch(task),
        },
        Attached::Cancelled => {
            // If the canceller has found a lazy one New meanwhile, it is the canceller who sends it.
            let newly = children::mark_cancelled(&handle.job, 0, || (), |_| ());
            start_cancelled(&handle, order.start, newly, dispatch);
            complain_if_failed(parent, order.place);
        }
        Attached::Refused => {
            complain_if_failed(parent, order.place);
            // By its outcome, which is read under its lock: an owned scope's job may complete at this moment on another
            // thread, and then its ancestors are gone.
            let cause = cancel::outcome(parent).unwrap_or_else(Error::cancelled);
            let cause = cancellation_for(&handle, cause);
            if order.owned {
                children::mark_cancelled(&handle.job, 0, || handle.set_cause(cause), |_| ());
                start_cancelled(&handle, order.start, true, dispatch);
            } else {
                handle.job.start();
                refuse(&handle, cause);
            }
        }
    }
    handle
}

/// What becomes of a coroutine that was cancelled before its launch is over. A New one completes here if the caller was
/// the one who cancelled it.
#[cold]
fn start_cancelled(
    task: &Task,
    start: CoroutineStart,
    newly: bool,
    dispatch: impl FnOnce(NonNull<Task>),
) {
    match start {
        CoroutineStart::Lazy if newly => start::complete_unstarted(task),
        CoroutineStart::Lazy => {}
        CoroutineStart::Undispatched if nested::may_start_here(task) => {
            // What starts in place is not asked whether it is cancelled before.
            task.flags.set(task.flags.get() | ATOMIC);
            nested::start_here(task);
        }
        _ => dispatch(NonNull::from(task)),
    }
}

/// Queues a coroutine on the calling thread, which hosts coroutines.
fn on_this_thread(task: NonNull<Task>) {
    let home = current::home().expect("a thread that hosts coroutines has a home");
    // SAFETY: this thread has the only right to the task.
    let header = unsafe { task.as_ref() };
    // From here on nobody sends it to another thread.
    header.set_home(home, false);
    // Nor does its loop end before it has run: it may leave the queue for that of a view.
    header.flags.set(header.flags.get() | LOCAL);
    home.count_hosted(1);
    // SAFETY: as above, and it owns the home.
    unsafe { home.push_ready(task.as_ptr()) };
    home.call_host();
}

/// The parent's context with some elements replaced.
#[cold]
fn give_context(task: &Task, parent: &Task, context: &CoroutineContext) {
    let outer = {
        // The job of an owned scope may complete at this moment on another thread, and lets go of its context under its lock.
        let _guard = parent.job.lock();
        parent.context()
    };
    let merged = outer.merged(context);
    match merged.elements() {
        Some(elements) => task.own_context(elements.clone()),
        None => task.inherit_context(parent),
    }
}

/// Completes a coroutine as cancelled that will never be started.
#[cold]
fn refuse(task: &Task, cause: Error) {
    children::mark_cancelled(&task.job, 0, || task.set_cause(cause), |_| ());
    start::drop_body(task);
    finish::end_body(task);
}

/// A launch on a scope that has failed, and that nobody is told of by an `Err`, says so, once per scope and place.
#[cold]
fn complain_if_failed(parent: &Task, place: &'static Location<'static>) {
    static TOLD: LazyLock<Mutex<HashSet<(u64, usize)>>> = LazyLock::new(Mutex::default);
    let state = parent.state();
    if !state.has(FAILED) || !state.has(BARE) {
        return;
    }
    let key = (parent.id, std::ptr::from_ref(place) as usize);
    if !TOLD
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key)
    {
        return;
    }
    let Some(cause) = cancel::outcome(parent) else {
        return;
    };
    report::tell(format_args!(
        "a coroutine launched at {place} will never run, because its scope has failed: {cause}"
    ));
}
