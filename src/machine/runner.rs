//! The turn of a state machine: from its resumption to its next wait.
//!
//! The block of such a task holds the root: the machine that was launched, its label, and the top of the chain of calls
//! (`frame.rs`). A turn is given by a worker, on the stack of its loop, to whoever has the one right to the task:
//!
//! ```text
//! launched -> [turn] -> waits, bound     lives on this thread; its queue brings it back
//!                    -> waits            lives nowhere; whoever claims the word sends it to its dispatcher
//!                    -> ready            yields: sent to its dispatcher at once
//!                    -> ended
//! ```
//!
//! All that the user has written runs in a closed frame (R6): what would have to wait there fails, and what panics is
//! caught.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};
use crate::job::state::DEFERRED;
use crate::machine::StateMachine;
use crate::machine::frame::{self, Driven, Frame};
use crate::scheduler::{nested, thread};
use crate::scope::launch::BODY_PANICKED;
use crate::scope::verdict;
use crate::task::cell::TaskCell;
use crate::task::vtable::{Stackless, TaskVTable, Turned};
use crate::task::wait::Here;
use crate::task::word::Woken;
use crate::task::{
    Task, VALUE_STORED, cancel, current, departure, finish, installed, report, start,
};

/// What the block of a machine holds.
#[derive(Debug)]
pub(super) struct Root<M> {
    /// The top of the chain; null while the root itself runs.
    top: *mut Frame,
    /// Read by a dump at any time.
    label: AtomicU32,
    machine: UnsafeCell<M>,
}

/// The header of the task and the pointer to the top: what a parked machine takes besides its label, its fields, and what it
/// waits for.
const _: () = assert!(
    size_of::<TaskCell<(), Root<u32>>>() - size_of::<[u32; 2]>() <= 200,
    "a machine has outgrown its budget"
);

impl<M> Root<M> {
    pub(super) fn new(machine: M) -> Self {
        Self {
            top: std::ptr::null_mut(),
            label: AtomicU32::new(0),
            machine: UnsafeCell::new(machine),
        }
    }
}

impl<M> Drop for Root<M> {
    fn drop(&mut self) {
        // SAFETY: the task has ended, or its dispatcher has refused it.
        unsafe { frame::free_chain(self.top) };
    }
}

/// A turn that is under way.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) here: Here,
    pub(super) task: &'a Task,
    pub(super) top: *mut Frame,
    /// How the last wait without a value has ended.
    pub(super) woken: Result<()>,
    /// Who has ended the wait after which this turn began, until the leaf has taken note.
    pub(super) resumed_by: Option<Woken>,
}

impl Run<'_> {
    /// Whether this thread comes back to what waits on it.
    pub(super) fn has_loop(&self) -> bool {
        self.here.home().local.loops.get() > 0
    }

    /// The task runs no more: what comes now are frames of the runtime.
    fn leave(&self) {
        self.here.home().be_loop();
    }

    /// The task lives on this thread.
    pub(super) fn bind(&self) {
        if self.task.home().is_none() {
            let dispatcher = start::dispatcher_of(self.task);
            self.task
                .set_home(self.here.home(), dispatcher.is_unconfined());
            self.here.home().count_hosted(1);
        }
    }

    /// An unconfined task goes behind the others of this thread, if that has a loop: its dispatcher would have it go on at
    /// once.
    fn go_behind(&self) -> Turned {
        if !self.has_loop() {
            nested::send_to_default(NonNull::from(self.task));
            return Turned::Gone;
        }
        self.bind();
        let home = self.here.home();
        // SAFETY: this thread owns the home, and has the one right to the task, which is in no queue.
        unsafe { home.push_ready(self.task) };
        home.call_host();
        Turned::Stays
    }

    /// It lives nowhere.
    pub(super) fn unbind(&self) {
        if let Some(home) = self.task.home() {
            self.task.clear_home();
            home.count_hosted(-1);
        }
    }
}

/// What one resumption of the top has come to.
pub(super) enum Ended {
    /// There is another top to resume.
    GoOn,
    /// It waits for something of this thread.
    Stays,
    /// It waits.
    Parks,
    /// It goes behind the others.
    Yields,
    /// It must wait on a thread with a loop, and this one has none.
    Elsewhere,
    Panicked(Box<dyn Any + Send>),
}

/// The machines' entries in the tables of the runtime.
pub(super) struct Machine<M>(std::marker::PhantomData<M>);

/// How the whole has ended.
enum End<T> {
    Returned(Result<T>),
    Panicked(Box<dyn Any + Send>),
}

impl<M: StateMachine> Machine<M> {
    pub(super) const VTABLE: TaskVTable = TaskVTable {
        run: Self::run,
        drop_body: TaskCell::<M::Output, Root<M>>::drop_body,
        drop_value: TaskCell::<M::Output, Root<M>>::drop_value,
        free: TaskCell::<M::Output, Root<M>>::free_stackless,
        stackless: Some(Stackless {
            turn: Self::turn,
            label: Self::label,
        }),
    };

    /// # Safety
    ///
    /// None: it is never called, since the task has no stack.
    unsafe fn run(_: &Task) -> bool {
        unreachable!("a state machine runs turn by turn");
    }

    /// # Safety
    ///
    /// The block is of these types.
    unsafe fn label(task: &Task) -> u32 {
        // SAFETY: in bounds of the block, whose memory stands as long as somebody holds the task.
        let label = unsafe { &(*TaskCell::<M::Output, Root<M>>::body(task)).label };
        label.load(Ordering::Relaxed)
    }

    /// # Safety
    ///
    /// The block is of these types, and the caller has the one right to the task.
    unsafe fn turn(task: &Task) -> Turned {
        let root = TaskCell::<M::Output, Root<M>>::body(task).cast_mut();
        departure::arrive(&task.value);
        task.set_current(task);
        let mut run = Run {
            here: thread::here(),
            task,
            // SAFETY: the caller has the one right to the task.
            top: unsafe { (*root).top },
            woken: Ok(()),
            resumed_by: (!task.word.is_running()).then(|| task.word.settle()),
        };
        run.unbind();
        let installed = installed::enter(task, task);
        // SAFETY: as above.
        let ended = unsafe { Self::go_on(root, &mut run) };
        // SAFETY: as above; nobody else has it before the departure, below.
        unsafe { (*root).top = run.top };
        if installed {
            if ended.is_err() {
                // Its turn is over: who resumes it in there is not inside it any more.
                run.leave();
            }
            installed::exit(task);
        }
        match ended {
            Err(Ended::Stays) => return Turned::Stays,
            Err(Ended::Yields) if start::dispatcher_of(task).is_unconfined() => {
                return run.go_behind();
            }
            Err(Ended::Yields) => start::dispatch(NonNull::from(task)),
            Err(Ended::Elsewhere) => nested::send_to_default(NonNull::from(task)),
            Err(_) => {
                if departure::depart(&task.value) {
                    start::dispatch(NonNull::from(task));
                }
            }
            Ok(end) => Self::finish(task, end),
        }
        Turned::Gone
    }

    /// Resumes one frame after the other, until one waits, or the root has ended.
    ///
    /// # Safety
    ///
    /// `root` is that of the running task.
    unsafe fn go_on(
        root: *mut Root<M>,
        run: &mut Run<'_>,
    ) -> std::result::Result<End<M::Output>, Ended> {
        loop {
            let Some(top) = NonNull::new(run.top) else {
                // SAFETY: the root is the top; its places are used one at a time.
                let driven = unsafe {
                    let label = &(*root).label;
                    frame::drive(
                        (*root).machine.get(),
                        label.load(Ordering::Relaxed),
                        |next| label.store(next, Ordering::Relaxed),
                        std::ptr::null_mut(),
                        run,
                    )
                };
                match driven {
                    Driven::Pushed => continue,
                    Driven::Returned(result) => return Ok(End::Returned(result)),
                    Driven::Panicked(panic) => return Ok(End::Panicked(panic)),
                }
            };
            // SAFETY: it is the top.
            match unsafe { frame::resume(top, run) } {
                Ended::GoOn => {}
                Ended::Panicked(panic) => return Ok(End::Panicked(panic)),
                ended => return Err(ended),
            }
        }
    }

    /// Ends the task. The machine is gone before its end counts (R2).
    fn finish(task: &Task, end: End<M::Output>) {
        // SAFETY: the caller has the one right to it, and the root has run.
        let body = || drop(unsafe { TaskCell::<M::Output, Root<M>>::take_body(task) });
        if let Err(panic) = current::closed(body) {
            report::handler_panicked("the destructor of a state machine", panic);
        }
        match end {
            End::Returned(Ok(value)) if task.state().has(DEFERRED) => {
                // SAFETY: the block's result is of this type; stored once.
                unsafe { TaskCell::<M::Output, Root<M>>::put_value(task, value) };
                task.flags.set(task.flags.get() | VALUE_STORED);
            }
            End::Returned(Ok(value)) => {
                if let Err(panic) = current::closed(|| drop(value)) {
                    report::handler_panicked("the destructor of a result", panic);
                }
            }
            End::Returned(Err(error)) => verdict::end_with_error(task, error),
            End::Panicked(panic) => match panic.downcast::<Error>() {
                Ok(thrown) => verdict::end_with_error(task, *thrown),
                Err(panic) => {
                    task.flags.set(task.flags.get() | BODY_PANICKED);
                    cancel::fail(task, &Error::panicked(panic));
                }
            },
        }
        // From here on the block may be freed, while handlers of its ancestors run on this thread.
        if let Some(home) = current::home() {
            home.be_loop();
            if home.has_host() {
                // Its last child may end elsewhere, and the host is told then of what has lived here.
                task.set_home(home, false);
            }
        }
        finish::end_body(task);
    }
}
