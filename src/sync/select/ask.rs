//! Clauses of other modules that wait for a descriptor or for a time: they are asked, say until when there is no answer, and
//! are asked again.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;

use crate::driver::delay::Timer;
use crate::driver::reactor::Direction;
use crate::driver::source::Source;
use crate::driver::watch::{Waitable, Watch};
use crate::error::{Error, Result};
use crate::sync::select::clause::{Clause, Watched};
use crate::task::Task;
use crate::task::wait::Here;
use crate::task::waiter::Waiter;
use crate::task::word::Generation;

/// What a clause says when it is asked.
pub(crate) enum Answer<'a, T> {
    /// This has come.
    Now(T),
    /// Ask again when the descriptor is ready: it was just told to wait.
    WhenReady(&'a dyn Waitable, Direction),
    /// Ask again at this moment of the thread's clock.
    At(u64),
}

/// What there was no answer without.
#[derive(Clone, Copy)]
enum Until<'a> {
    Ready(&'a Source, RawFd, Direction),
    Time(u64),
}

/// `on_readable` and its kind.
pub(super) struct Ask<'a, T, A, F> {
    ask: RefCell<A>,
    until: Cell<Option<Until<'a>>>,
    watch: Watch,
    timer: Timer,
    answer: Cell<Option<T>>,
    /// Why the descriptor could not be watched.
    failed: Cell<Option<Error>>,
    handler: F,
}

impl<'a, T, A, F> Ask<'a, T, A, F>
where
    A: FnMut(&Here) -> Result<Answer<'a, T>>,
{
    pub(super) fn new(task: *const Task, ask: A, handler: F) -> Self {
        Self {
            ask: RefCell::new(ask),
            until: Cell::new(None),
            watch: Watch::new(task),
            timer: Timer::new(Waiter::new(task)),
            answer: Cell::new(None),
            failed: Cell::new(None),
            handler,
        }
    }
}

impl<'a, R, T, A, F> Clause<R> for Ask<'a, T, A, F>
where
    A: FnMut(&Here) -> Result<Answer<'a, T>>,
    F: FnOnce(T) -> Result<R>,
{
    fn has_happened(&self, here: &Here) -> Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let until = match (self.ask.borrow_mut())(here)? {
            Answer::Now(answer) => {
                self.answer.set(Some(answer));
                return Ok(true);
            }
            Answer::WhenReady(waitable, direction) => {
                // At once: what comes from here on, while the other clauses are asked, is not to be missed.
                let source = waitable.source();
                source.drained(here, direction);
                // Also at once, since it may be a user's type that gives its descriptor.
                Until::Ready(source, waitable.fd(), direction)
            }
            Answer::At(deadline) => Until::Time(deadline),
        };
        self.until.set(Some(until));
        Ok(false)
    }

    fn watch(&self, here: &Here, generation: Generation) -> Watched {
        match self.until.get().expect("it was asked before") {
            Until::Ready(source, fd, direction) => {
                // SAFETY: the clause stands in place until `unwatch`, which is called whatever happens; it is its owner who
                // runs.
                let begun = unsafe { self.watch.begin(here, generation, source, fd, direction) };
                match begun {
                    Ok(true) => Watched::Waits,
                    Ok(false) => Watched::Happened,
                    Err(error) => {
                        self.failed.set(Some(error.into()));
                        Watched::Happened
                    }
                }
            }
            Until::Time(deadline) => {
                self.timer.waiter.arm(generation);
                // SAFETY: this thread owns its home; the clause stands in place until it has fired, or `unwatch` takes it
                // back.
                unsafe { self.timer.set(here.home(), deadline) };
                Watched::Waits
            }
        }
    }

    fn unwatch(&self, here: &Here) {
        self.watch.end(here.home());
        self.timer.cancel(here.home());
    }

    fn finish(self: Box<Self>) -> Result<R> {
        let answer = self.answer.take().expect("it has won");
        (self.handler)(answer)
    }
}
