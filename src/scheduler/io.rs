//! The pool for what blocks: threads that come when they are needed and go when they are not.
//!
//! At most 64 threads run at a time, as in Kotlin; that is, they run code and do not only host coroutines that are
//! suspended. Since a started coroutine stays on its thread, and another one there might block it for long, each
//! coroutine gets a thread that hosts nothing, until there are 512 threads; only beyond that are threads shared.
//!
//! Coroutines that have not started wait in one channel. A thread that hosts nothing waits at the channel, and ends when
//! it has waited in vain for some seconds. A thread that hosts something sleeps in its home, as every worker does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::context::{Refused, Unstarted};
use crate::scheduler::worker::Worker;
use crate::scheduler::{Fresh, thread};
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
    sender: Sender<Fresh>,
    receiver: Receiver<Fresh>,
    state: Mutex<State>,
    may_run: Condvar,
    /// How many threads run at a time.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Coroutines in the channel.
    queued: usize,
    /// Threads at the channel.
    idle: usize,
    threads: usize,
    /// The system gave no thread when one was last asked for.
    saturated: bool,
    running: usize,
    /// Threads that host coroutines, for sharing when there are no more threads to be had.
    hosts: Vec<&'static Home>,
}

impl State {
    /// Whether something waits for a thread, and there are no more threads to be had.
    fn needs_sharing(&self) -> bool {
        (self.threads >= THREADS || self.saturated) && self.queued > self.idle
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
        let (sender, receiver) = crossbeam_channel::unbounded();
        Self {
            sender,
            receiver,
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

    /// Queues a coroutine, and starts a thread for it if none waits.
    pub(crate) fn dispatch(&'static self, unstarted: Unstarted) -> Result<(), Refused> {
        let mut state = self.state();
        let wanted = state.idle <= state.queued;
        state.queued += 1;
        // Under the lock, so that who finds it counted finds it there. The channel is never closed: the pool itself holds
        // a receiver.
        let _ = self.sender.send(Fresh::new(unstarted));
        if !wanted {
            return Ok(());
        }
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
                self.receiver.try_recv().ok()
            } else {
                None
            };
            if let Some(fresh) = left {
                state.queued -= 1;
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
        self.start_running();
        loop {
            worker.run(|task| task.is_null());
            home.take_inbox();
            if !home.local.ready.is_empty() {
                continue;
            }
            self.stop_running();
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
            self.start_running();
        }
    }

    /// A thread that hosts coroutines sleeps until one of them is ready. Always true.
    fn sleep(&'static self, worker: &Worker) -> bool {
        let home = worker.home();
        {
            let mut state = self.state();
            if state.needs_sharing() {
                // There are no more threads to be had: take a further tenant.
                if let Ok(fresh) = self.receiver.try_recv() {
                    state.queued -= 1;
                    worker.place(fresh);
                    return true;
                }
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
        self.state().idle += 1;
        let received = self.receiver.recv_timeout(KEEP_ALIVE);
        let mut state = self.state();
        state.idle -= 1;
        let fresh = match received {
            Ok(fresh) => fresh,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                match self.receiver.try_recv() {
                    Ok(fresh) => fresh,
                    // What is counted as queued but not in the channel yet was promised this thread: stay.
                    Err(_) if state.queued > 0 => return true,
                    Err(_) => {
                        state.threads -= 1;
                        return false;
                    }
                }
            }
        };
        state.queued -= 1;
        drop(state);
        worker.place(fresh);
        true
    }

    fn start_running(&self) {
        let mut state = self.state();
        while state.running >= self.limit {
            state = self
                .may_run
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.running += 1;
    }

    fn stop_running(&self) {
        self.state().running -= 1;
        self.may_run.notify_one();
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
