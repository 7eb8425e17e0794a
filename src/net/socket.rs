//! What all sockets share: try, and wait if told to.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;

use crate::driver::reactor::Direction;
use crate::driver::source::Source;
use crate::driver::watch::Waitable;
use crate::error::Error;
use crate::scheduler::budget::{self, CALL};
use crate::scheduler::thread;
use crate::task::IO_CANCELLED;
use crate::task::current;
use crate::task::label::Label;
use crate::task::wait::Here;

/// A socket of `std`'s in nonblocking mode, and its registrations.
#[derive(Debug)]
pub(crate) struct Socket<T: AsRawFd> {
    /// `None` only while it is dropped or taken apart.
    inner: Option<T>,
    source: Source,
}

impl<T: AsRawFd> Socket<T> {
    /// Takes over a socket that is in nonblocking mode.
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner: Some(inner),
            source: Source::default(),
        }
    }

    pub(crate) fn get(&self) -> &T {
        self.inner.as_ref().expect("only an owner takes it out")
    }

    /// Gives the socket back, registered nowhere.
    pub(crate) fn into_inner(mut self) -> T {
        self.forget();
        self.inner.take().expect("only an owner takes it out")
    }

    fn forget(&mut self) {
        if let Some(inner) = &self.inner {
            self.source.forget(current::home(), inner.as_raw_fd());
        }
    }

    /// The same for what moves bytes. A call that moves less than it could have has taken all there was, or filled all the
    /// room: the next one would be told to wait, so it waits first.
    #[inline]
    pub(crate) fn run_for_bytes(
        &self,
        direction: Direction,
        most: usize,
        label: &'static Label,
        place: &'static Location<'static>,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let here = thread::here_if_settled();
        let moved = self.run_here(here.as_ref(), direction, label, place, operation)?;
        if moved > 0
            && moved < most
            && let Some(here) = &here
        {
            self.source.drained(here, direction);
        }
        Ok(moved)
    }

    /// Calls `operation` until it need not wait. Before each wait, and before the first call, a cancellation is met.
    #[inline]
    pub(crate) fn run<R>(
        &self,
        direction: Direction,
        label: &'static Label,
        place: &'static Location<'static>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let here = thread::here_if_settled();
        self.run_here(here.as_ref(), direction, label, place, operation)
    }

    #[inline(always)]
    fn run_here<R>(
        &self,
        here: Option<&Here>,
        direction: Direction,
        label: &'static Label,
        place: &'static Location<'static>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        if let Some(here) = here {
            here.check()
                .and_then(|()| budget::spend(here, CALL))
                .map_err(|error| report(here, error))?;
            if self.source.is_idle(here, direction) {
                self.wait(here, direction, false, label, place)
                    .map_err(|error| report(here, error))?;
            }
        }
        loop {
            match operation(self.get()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let here = thread::here();
                    self.wait(&here, direction, true, label, place)
                        .map_err(|error| report(&here, error))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    /// Waits for readiness. The error is still ours: who gives it to a user as an `io::Error` [`report`]s it.
    pub(crate) fn wait(
        &self,
        here: &Here,
        direction: Direction,
        tried: bool,
        label: &'static Label,
        place: &'static Location<'static>,
    ) -> Result<(), Error> {
        let fd = self.get().as_raw_fd();
        self.source.wait(here, fd, direction, tried, label, place)
    }
}

impl<T: AsRawFd> Waitable for Socket<T> {
    fn fd(&self) -> RawFd {
        self.get().as_raw_fd()
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

impl<T: AsRawFd> Drop for Socket<T> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// An error on its way out through `io::Error`; a cancellation leaves a mark on the coroutine, since a library in between
/// may make another error of it.
#[cold]
pub(crate) fn report(here: &Here, error: Error) -> io::Error {
    if error.is_cancelled() {
        let flags = &here.task().flags;
        flags.set(flags.get() | IO_CANCELLED);
    }
    io::Error::from(error)
}

/// Meets a cancellation before a call that is made of several.
pub(crate) fn check() -> io::Result<()> {
    match thread::here_if_settled() {
        Some(here) => here.check().map_err(|error| report(&here, error)),
        None => Ok(()),
    }
}
