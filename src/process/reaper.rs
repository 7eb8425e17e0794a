//! How one learns that a child has ended, and who asks when its owner has gone.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use crate::dispatchers::Dispatchers;
use crate::driver::pidfd;
use crate::driver::reactor::Direction;
use crate::error::Result;
use crate::net::patience::{Pauses, patiently};
use crate::net::socket::Socket;
use crate::scope::owned::GlobalScope;
use crate::sync::Answer;
use crate::task::label::Label;
use crate::task::wait::Here;

static WAIT: Label = Label("wait for a child process");

/// A child and what tells of its end.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: std::process::Child,
    /// Ready when the child has ended. `None` if the kernel has no such thing, or there was no descriptor left, or the
    /// child has been reaped.
    ended: Option<Socket<OwnedFd>>,
}

impl Process {
    pub(super) fn new(child: std::process::Child) -> Self {
        Self {
            ended: pidfd::open(child.id()).ok().map(Socket::new),
            child,
        }
    }

    /// How it ended, if it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.ended = None;
        }
        Ok(status)
    }

    /// Waits until it has ended.
    pub(super) fn wait(&mut self, place: &'static Location<'static>) -> io::Result<ExitStatus> {
        let child = &mut self.child;
        let mut ask = || {
            child
                .try_wait()?
                .ok_or_else(|| io::ErrorKind::WouldBlock.into())
        };
        let status = match &self.ended {
            Some(ended) => ended.run(Direction::Read, &WAIT, place, |_| ask())?,
            // Without a descriptor nobody tells: ask now and then.
            None => patiently(&WAIT, place, ask)?,
        };
        self.ended = None;
        Ok(status)
    }
}

impl Process {
    /// For a clause of a select: says how it ended, or until when to wait.
    pub(super) fn asked<'a>(
        &'a mut self,
    ) -> impl FnMut(&Here) -> Result<Answer<'a, ExitStatus>> + 'a {
        let child = &mut self.child;
        let ended = self.ended.as_ref();
        let mut pauses = Pauses::new();
        move |here| {
            Ok(match (child.try_wait()?, ended) {
                (Some(status), _) => Answer::Now(status),
                (None, Some(ended)) => Answer::WhenReady(ended, Direction::Read),
                (None, None) => Answer::At(pauses.next(here)),
            })
        }
    }
}

/// A child whose owner has gone. A coroutine waits for it; if none can, whoever comes next asks how it ended.
struct Orphan(Option<Process>);

/// Those for whom no coroutine waits.
static LEFT: Mutex<Vec<std::process::Child>> = Mutex::new(Vec::new());

/// Lets somebody wait for a child that nobody owns any more.
pub(super) fn adopt(mut process: Process) {
    sweep();
    if !matches!(process.try_wait(), Ok(None)) {
        return;
    }
    let mut orphan = Orphan(Some(process));
    let place = Location::caller();
    GlobalScope
        .builder()
        .name("reaper")
        .dispatcher(Dispatchers::default())
        .launch(move |_| orphan.wait(place));
}

/// Reaps those that have ended, of those for whom nobody waits.
pub(super) fn sweep() {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

impl Orphan {
    fn wait(&mut self, place: &'static Location<'static>) {
        // An error means that there is nothing to be reaped any more, or that this frame cannot wait.
        if let Some(process) = &mut self.0
            && process.wait(place).is_ok()
        {
            self.0 = None;
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if let Some(mut process) = self.0.take()
            && matches!(process.try_wait(), Ok(None))
        {
            let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
            left.push(process.child);
        }
    }
}
