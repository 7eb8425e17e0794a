//! Coroutines that run in place: inside the call that starts or resumes them, on a stack of their own, up to their next
//! suspension.
//!
//! A start with `Undispatched` does so once. A coroutine of the unconfined dispatcher does so each time, as far as it is
//! resumed on its own thread (R1); one that is started or resumed while another runs in place waits until that one has
//! suspended, as in Kotlin, so that they do not pile up.
//!
//! Nothing runs in place while the thread is panicking (R5), in a frame of the runtime (R6), or between two coroutines.

use std::ptr::NonNull;

use crate::context::{Refused, Unstarted};
use crate::scheduler::pool::default_pool;
use crate::scheduler::running::is_limited;
use crate::scheduler::thread;
use crate::scheduler::worker::Worker;
use crate::task::home::Home;
use crate::task::{Task, current, loose, start};

/// No other coroutine runs on the stack after one that has run in place.
const ALONE: u32 = u32::MAX / 2;

impl Worker {
    /// Whether a coroutine may run in place here and now.
    fn may_nest(&self) -> bool {
        let local = &self.home().local;
        let current = local.current.get();
        if std::ptr::eq(current, local.loop_task.get())
            || current::is_closed()
            || std::thread::panicking()
        {
            return false;
        }
        // SAFETY: what runs now is alive.
        unsafe { current.as_ref() }.is_some_and(|task| task.word.is_running())
    }

    /// Runs `run`, and then has the caller's task run on, whose scopes may be looked at meanwhile.
    fn around(&self, run: impl FnOnce()) {
        loose::tie_running();
        let local = &self.home().local;
        let resumed = local.current.get();
        run();
        local.current.set(resumed);
    }

    /// Runs an unconfined task in place, or queues it.
    fn run_unconfined(&self, task: *const Task) {
        if !self.may_nest() {
            // SAFETY: this thread owns the home, and has the only right to the task.
            unsafe { self.home().push_ready(task) };
            self.home().call_host();
            return;
        }
        // SAFETY: as above.
        unsafe { self.in_place.push(task) };
        if self.runs_in_place.replace(true) {
            return;
        }
        self.around(|| {
            // SAFETY: a queued task is alive.
            while let Some(task) = unsafe { self.in_place.pop().as_ref() } {
                self.step_alone(task);
            }
        });
        self.runs_in_place.set(false);
    }

    fn step_alone(&self, task: &Task) {
        match task.stack.get() {
            Some(_) => self.step(task),
            None if is_limited(task) => self.start_limited(task),
            None => {
                self.start_admitted(task, ALONE);
            }
        }
    }
}

/// Whether a coroutine may be started in place by the calling thread, which is to be one of its dispatcher's.
pub(crate) fn may_start_here(task: &Task) -> bool {
    let Some(home) = current::home() else {
        return false;
    };
    let wanted = task.elements().and_then(|elements| elements.dispatcher());
    let Some(wanted) = wanted else { return false };
    if home.local.loops.get() == 0 || !wanted.is_here() || !Worker::of(home).may_nest() {
        return false;
    }
    // The slot of a view is shared with whoever starts it, who must have one.
    // SAFETY: what runs now, and the job whose body it runs, are alive.
    let own = unsafe {
        home.local
            .current
            .get()
            .as_ref()
            .and_then(|task| task.current().as_ref())
    };
    !wanted.is_limited()
        || own
            .and_then(Task::elements)
            .and_then(|elements| elements.dispatcher())
            .is_some_and(|own| own.is_same(wanted))
}

/// Starts a coroutine in place. The caller has asked [`may_start_here`].
pub(crate) fn start_here(task: &Task) {
    let home = current::home().expect("a thread that may start a coroutine has a home");
    let worker = Worker::of(home);
    worker.around(|| {
        worker.start_admitted(task, ALONE);
    });
}

/// Whether the task has no stack, and the calling thread, which has no loop, can give it a turn.
fn may_turn_here(unstarted: &Unstarted) -> bool {
    // SAFETY: the caller has the only right to the task.
    let task = unsafe { unstarted.as_ptr().cast::<Task>().as_ref() };
    task.vtable.stackless.is_some() && Worker::of(thread::here().home()).may_nest()
}

/// Starts an unconfined coroutine: in place on a loop or a worker, on the default dispatcher from any other thread.
pub(crate) fn start_unconfined(unstarted: Unstarted) -> Result<(), Refused> {
    match current::home() {
        Some(home) if home.local.loops.get() > 0 => {
            Worker::of(home).run_unconfined(unstarted.into_inner().cast().as_ptr());
            Ok(())
        }
        // Without a stack it may run anywhere, for one turn.
        _ if may_turn_here(&unstarted) => {
            let home = thread::here().home();
            Worker::of(home).run_unconfined(unstarted.into_inner().cast().as_ptr());
            Ok(())
        }
        _ => match default_pool() {
            Some(pool) => pool.dispatch(unstarted),
            None => Err(Refused(unstarted)),
        },
    }
}

/// Sends a task that has no stack to the default dispatcher, for a turn that the calling thread cannot give it.
pub(crate) fn send_to_default(task: NonNull<Task>) {
    let unstarted = Unstarted::new(task.cast());
    let sent = match default_pool() {
        Some(pool) => pool.dispatch(unstarted),
        None => Err(Refused(unstarted)),
    };
    if let Err(refused) = sent {
        start::refuse(refused, &"the default dispatcher");
    }
}

/// Runs an unconfined task of the calling thread in place, or queues it.
///
/// # Safety
///
/// The calling thread owns `home`; the task lives there, is in no queue, and was claimed.
pub(crate) unsafe fn resume_unconfined(home: &'static Home, task: *const Task) {
    Worker::of(home).run_unconfined(task);
}
