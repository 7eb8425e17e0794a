//! The pool for what blocks: threads that come when they are needed and go when they are not.
//!
//! At most 64 threads run at a time, as in Kotlin; that is, they run code and do not only host coroutines that are
//! suspended. Since a started coroutine stays on its thread, and another one there might block it for long, each
//! coroutine gets a thread that hosts nothing, until there are 512 threads; only beyond that are threads shared.
//!
//! Every thread that has nothing to do sleeps in its home, as every worker does. One that hosts nothing is idle: a coroutine
//! that is launched is sent to the idle thread that fell asleep last, which is warm, and one that was not sent anything for
//! some seconds ends. Coroutines for which no thread was idle wait in a queue, from which each thread that has come to its
//! end takes the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::context::{Refused, Unstarted};
use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::scheduler::worker::Worker;
use crate::scheduler::{Fresh, thread};
use crate::task::Task;
use crate::task::home::Home;

/// How many threads run at a time.
const RUNNING: usize = 64;
/// How many threads there are at most.
const THREADS: usize = 512;
/// How long a thread that hosts nothing waits for work.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The pool.
#[derive(Debug)]
pub(crate) struct IoPool {
    state: Mutex<State>,
    may_run: Condvar,
    /// How many threads run at a time.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Coroutines for which no thread was idle.
    queue: VecDeque<Fresh>,
    /// Threads that host nothing and sleep, the last one to do so at the end. Nobody is idle while something is queued.
    idle: Vec<&'static Home>,
    threads: usize,
    /// The system gave no thread when one was last asked for.
    saturated: bool,
    running: usize,
    /// Threads that wait until they may run.
    held_up: usize,
    /// Threads that host coroutines, for sharing when there are no more threads to be had.
    hosts: Vec<&'static Home>,
}

impl State {
    /// Whether something waits for a thread, and there are no more threads to be had.
    fn needs_sharing(&self) -> bool {
        (self.threads >= THREADS || self.saturated) && !self.queue.is_empty()
    }

    /// Takes a thread out of the list of the idle ones, if it is there.
    fn forget_idle(&mut self, home: &'static Home) -> bool {
        let place = self.idle.iter().rposition(|idle| std::ptr::eq(*idle, home));
        place.map(|place| self.idle.remove(place)).is_some()
    }
}

static POOL: OnceLock<IoPool> = OnceLock::new();
static UNLIMITED: OnceLock<IoPool> = OnceLock::new();
static NEXT_NAME: AtomicUsize = AtomicUsize::new(1);

/// The IO pool, made at the first call. Its threads come with the work.
pub(crate) fn io_pool() -> &'static IoPool {
    POOL.get_or_init(|| IoPool::new(RUNNING))
}

/// The threads for views of the IO dispatcher, which have limits of their own beyond its 64, as in Kotlin.
pub(crate) fn unlimited_io_pool() -> &'static IoPool {
    UNLIMITED.get_or_init(|| IoPool::new(usize::MAX))
}

impl IoPool {
    fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            may_run: Condvar::new(),
            limit,
        }
    }

    /// Whether the calling thread is one of its threads.
    pub(crate) fn is_here(&'static self) -> bool {
        crate::task::current::home()
            .and_then(|home| Worker::of(home).io.get())
            .is_some_and(|pool| std::ptr::eq(pool, self))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a coroutine to an idle thread, or queues it and starts one.
    pub(crate) fn dispatch(&'static self, unstarted: Unstarted) -> Result<(), Refused> {
        let mut state = self.state();
        if let Some(home) = state.idle.pop() {
            drop(state);
            let task: *const Task = unstarted.into_inner().cast().as_ptr();
            // SAFETY: the task has not started, and this is the only right to it. The thread stays until it has come, since
            // it is not in the list of the idle ones any more.
            unsafe { home.send_chain(task, task) };
            return Ok(());
        }
        state.queue.push_back(Fresh::new(unstarted));
        if state.threads >= THREADS {
            share(&state);
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        let number = NEXT_NAME.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchback-io-{number}");
        let started = std::thread::Builder::new().name(name).spawn(|| self.work());
        let mut state = self.state();
        state.saturated = started.is_err();
        if let Err(error) = started {
            state.threads -= 1;
            share(&state);
            // If nobody is there who would ever take it, it goes back.
            let left = if state.threads == 0 {
                state.queue.pop_front()
            } else {
                None
            };
            if let Some(fresh) = left {
                drop(state);
                crate::task::report::tell(format_args!(
                    "an IO thread could not be started: {error}"
                ));
                return Err(Refused(fresh.into_unstarted()));
            }
        }
        Ok(())
    }

    /// What an IO thread does.
    fn work(&'static self) {
        let _alternate = crate::stack::overflow::AltStack::install();
        let home = thread::here().home();
        home.local.loops.set(1);
        let worker = Worker::of(home);
        worker.io.set(Some(self));
        self.start_running(home);
        loop {
            worker.run(|task| task.is_null());
            home.take_inbox();
            if !home.local.ready.is_empty() {
                continue;
            }
            let goes_on = if is_host(home) {
                self.sleep(worker)
            } else {
                self.wait(worker)
            };
            if !goes_on {
                worker.io.set(None);
                home.local.loops.set(0);
                return;
            }
            self.start_running(home);
        }
    }

    /// A thread that hosts coroutines sleeps until one of them is ready. Always true.
    fn sleep(&'static self, worker: &Worker) -> bool {
        let home = worker.home();
        {
            let mut state = self.stop_running();
            if state.needs_sharing()
                && let Some(fresh) = state.queue.pop_front()
            {
                // There are no more threads to be had: take a further tenant.
                drop(state);
                worker.place(fresh);
                return true;
            }
            state.hosts.push(home);
        }
        // Asked once more after the announcement, which `share` relies on.
        worker.sleep_unless(None, || self.state().needs_sharing());
        self.state().hosts.retain(|host| !std::ptr::eq(*host, home));
        true
    }

    /// A thread that hosts nothing waits for a coroutine to start. False if none came.
    fn wait(&'static self, worker: &Worker) -> bool {
        let home = worker.home();
        {
            let mut state = self.stop_running();
            if let Some(fresh) = state.queue.pop_front() {
                drop(state);
                worker.place(fresh);
                return true;
            }
            state.idle.push(home);
        }
        let clock = &Driver::of(home).clock;
        let until = deadline_after(clock.now(), KEEP_ALIVE);
        loop {
            worker.sleep(Some(until));
            if !home.local.ready.is_empty() {
                return true;
            }
            if clock.now() >= until {
                let mut state = self.state();
                // If it is not in the list, something is on its way here.
                if state.forget_idle(home) {
                    state.threads -= 1;
                    return false;
                }
            }
        }
    }

    fn start_running(&self, home: &'static Home) {
        let mut state = self.state();
        // If it was woken by anything but what was sent to it as an idle thread.
        state.forget_idle(home);
        while state.running >= self.limit {
            state.held_up += 1;
            state = self
                .may_run
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.held_up -= 1;
        }
        state.running += 1;
    }

    fn stop_running(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.running -= 1;
        // Asked, because to notify nobody is a system call too.
        if state.held_up > 0 {
            self.may_run.notify_one();
        }
        state
    }
}

/// Asks the thread with the fewest tenants to take one more.
fn share(state: &State) {
    let fewest = state
        .hosts
        .iter()
        .min_by_key(|home| home.hosted.load(Ordering::Relaxed));
    if let Some(home) = fewest {
        home.notify();
    }
}

fn is_host(home: &Home) -> bool {
    home.hosted.load(Ordering::Relaxed) > 0
}
