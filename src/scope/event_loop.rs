//! An event loop that its host drives: the loop of a user interface, of a game, of any synchronous program.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::context::Dispatcher;
use crate::dispatchers::main_loop;
use crate::driver::Driver;
use crate::driver::clock::deadline_after;
use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::scheduler::worker::{OpenLoop, Worker};
use crate::scope::job::Job;
use crate::scope::owned::GlobalScope;
use crate::scope::run_blocking::{begin_loop, end_loop, end_loop_if_idle};
use crate::task::current;
use crate::task::home::Home;
use crate::task::wait::Here;

/// An event loop on the calling thread, which runs when its host says so: for programs that have a main loop already.
///
/// The host gives it a turn ([`run_until_idle`](EventLoop::run_until_idle), [`run_one`](EventLoop::run_one)) whenever the
/// wake callback asks for it or the [next timer](EventLoop::time_to_next) is due, or lets it
/// [`wait`](EventLoop::wait). A call that parks the thread, as [`Job::join`], runs the loop as well.
///
/// It stays on its thread; its [`handle`](EventLoop::handle) may go anywhere. Dropped, it runs until its coroutines have
/// ended, so cancel the scopes that live on it first. One that is forgotten, or dropped by a panic, while
/// coroutines live on it aborts the process when the thread ends. [`event_loop`] is the form in which neither can happen.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::EventLoop;
///
/// # fn main() -> Result<()> {
/// let ui = EventLoop::new()?;
/// ui.install_as_main()?;
/// let scope = CoroutineScope::new(Dispatchers::main() + SupervisorJob::new());
/// let title = scope.async_(|_| {
///     let text = with_context(Dispatchers::io(), |_| Ok(String::from("loaded")))?;
///     Ok(text.to_uppercase()) // on the main loop again
/// });
/// while !title.is_completed() {
///     ui.wait(None);
/// }
/// assert_eq!(title.await_()?, "LOADED");
/// # Ok(())
/// # }
/// ```
pub struct EventLoop {
    home: &'static Home,
    open: OpenLoop,
    /// It belongs to its thread.
    stays: PhantomData<*const ()>,
}

impl EventLoop {
    /// An event loop on the calling thread.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If the thread has a loop already, or the caller is a coroutine.
    pub fn new() -> Result<Self> {
        let here = thread::here();
        let home = here.home();
        if home.local.loops.get() > 0 || is_nested(&here) {
            return Err(Error::msg(
                "an EventLoop on a thread that has a loop already",
            ));
        }
        home.set_host(true, None);
        Ok(Self {
            home,
            open: begin_loop(home),
            stays: PhantomData,
        })
    }

    /// The dispatcher that sends coroutines to this loop.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn dispatcher(&self) -> Dispatcher {
        self.open.dispatcher.clone()
    }

    /// A handle for other threads.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn handle(&self) -> EventLoopHandle {
        EventLoopHandle {
            dispatcher: self.dispatcher(),
        }
    }

    /// Makes this the loop of [`Dispatchers::main`](crate::Dispatchers::main), until it is dropped.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// If another loop is the main one.
    pub fn install_as_main(&self) -> Result<()> {
        if main_loop::install(self.dispatcher()) {
            Ok(())
        } else {
            Err(Error::msg("another EventLoop is installed as the main one"))
        }
    }

    /// Calls `wake` when there is something to run and the loop does not run: a coroutine was launched or resumed, by
    /// this thread or another. It should see to it that the host gives the loop a turn, and do no more: it is called on any
    /// thread, and must not suspend. Timers do not call it: ask [`time_to_next`](EventLoop::time_to_next) after each turn.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.home.set_host(true, Some(Arc::new(wake)));
    }

    /// What drives the loop. The host may do so in a scope: what runs now sees its job, and the loop has its timer.
    #[track_caller]
    fn worker(&self) -> &'static Worker {
        let here = thread::here();
        assert!(
            !is_nested(&here),
            "an EventLoop is driven by its host, not by a coroutine, a handler or the block of a suspension"
        );
        here.tie();
        Worker::of(self.home)
    }

    /// Runs what is ready, and what becomes ready meanwhile, until there is nothing: no coroutine, no timer that is due,
    /// no socket.
    ///
    /// # Suspension
    ///
    /// Never waits; the coroutines that it runs suspend among themselves.
    ///
    /// # Panics
    ///
    /// If it is called by a coroutine, or in a handler.
    #[track_caller]
    pub fn run_until_idle(&self) {
        let worker = self.worker();
        loop {
            worker.run_dry();
            worker.look_outside();
            if self.home.local.ready.is_empty() {
                return;
            }
        }
    }

    /// Resumes or starts one coroutine. False if none is ready.
    ///
    /// # Suspension
    ///
    /// Never waits.
    ///
    /// # Panics
    ///
    /// As for [`run_until_idle`](EventLoop::run_until_idle).
    #[track_caller]
    pub fn run_one(&self) -> bool {
        let worker = self.worker();
        worker.look_outside();
        worker.run_one()
    }

    /// Sleeps until there is something to run, or `limit` is over, and then runs until idle. It also returns when a job that
    /// lived on this loop has ended on another thread, with its last child, and may return earlier without a reason: a host
    /// that waits for something asks for that in a loop.
    ///
    /// # Suspension
    ///
    /// Parks the thread while it sleeps. It is not cancellable.
    ///
    /// # Panics
    ///
    /// As for [`run_until_idle`](EventLoop::run_until_idle).
    #[track_caller]
    pub fn wait(&self, limit: Option<Duration>) {
        let worker = self.worker();
        worker.look_outside();
        if self.home.local.ready.is_empty() {
            let now = Driver::of(self.home).clock.now();
            worker.sleep(limit.map(|limit| deadline_after(now, limit)));
        }
        self.run_until_idle();
    }

    /// How long it is until the next timer of the loop is due; `None` if none is set. It may be early, never late.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn time_to_next(&self) -> Option<Duration> {
        thread::here().tie();
        Driver::of(self.home).time_to_next()
    }
}

/// Whether the caller is no host: a coroutine, a frame of the runtime (R6), or the block of a suspension, whose task may stand
/// in the loop's queue by then.
fn is_nested(here: &Here) -> bool {
    here.task().stack.get().is_some() || !here.task().word.is_running() || current::is_closed()
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        main_loop::uninstall(&self.open.dispatcher);
        self.home.set_host(false, None);
        let here = thread::here();
        if std::thread::panicking() || is_nested(&here) {
            // R5: nothing is run now. If something lives here, the end of the thread is guarded.
            end_loop_if_idle(self.home, &self.open);
        } else {
            here.tie();
            end_loop(self.home, &self.open);
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("hosted", &self.home.hosted.load(Ordering::Relaxed))
            .field("next_timer", &self.time_to_next())
            .finish_non_exhaustive()
    }
}

/// Opens an [`EventLoop`] for the time of `host`, and runs it until its coroutines have ended before it returns what
/// `host` has returned.
///
/// # Suspension
///
/// At the end it parks the thread while coroutines live on the loop.
///
/// # Errors
///
/// As for [`EventLoop::new`].
///
/// # Panics
///
/// A panic of `host` goes on when the loop has ended.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::event_loop;
///
/// # fn main() -> Result<()> {
/// let frames = event_loop(|game| {
///     let scope = CoroutineScope::new(game.dispatcher());
///     let intro = scope.launch(|_| delay(ms(5)));
///     let mut frames = 0;
///     while !intro.is_completed() {
///         game.run_until_idle();
///         frames += 1; // draw
///     }
///     frames
/// })?;
/// assert!(frames > 0);
/// # Ok(())
/// # }
/// ```
pub fn event_loop<R>(host: impl FnOnce(&EventLoop) -> R) -> Result<R> {
    let event_loop = EventLoop::new()?;
    let done = catch_unwind(AssertUnwindSafe(|| host(&event_loop)));
    drop(event_loop);
    match done {
        Ok(value) => Ok(value),
        Err(panic) => resume_unwind(panic),
    }
}

/// What other threads know of an [`EventLoop`].
#[derive(Clone, Debug)]
pub struct EventLoopHandle {
    dispatcher: Dispatcher,
}

impl EventLoopHandle {
    /// The dispatcher that sends coroutines to the loop.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn dispatcher(&self) -> Dispatcher {
        self.dispatcher.clone()
    }

    /// Runs `call` on the loop, in a coroutine of its own. The job fails if the loop has ended.
    ///
    /// # Suspension
    ///
    /// Never suspends; `call` may.
    #[track_caller]
    pub fn post(&self, call: impl FnOnce() + Send + 'static) -> Job {
        let dispatcher = self.dispatcher();
        GlobalScope
            .builder()
            .dispatcher(dispatcher)
            .launch(move |_| call())
    }
}
