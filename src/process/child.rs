//! A process that was started.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::process::{ExitStatus, Output};

use crate::error::Result;
use crate::io::{PipeReader, PipeWriter};
use crate::net::socket::{self, report};
use crate::process::reaper::{Process, adopt};
use crate::scheduler::thread;
use crate::scope::functions::coroutine_scope;
use crate::sync::Select;

/// A child process, shaped like [`std::process::Child`], from [`Command::spawn`](crate::process::Command::spawn).
///
/// Dropping it leaves the child running, unless [`kill_on_drop`](crate::process::Command::kill_on_drop) was asked for.
/// Either way no zombie is left behind, and nobody has to wait.
///
/// # Examples
///
/// As for the [module](crate::process).
#[derive(Debug)]
pub struct Child {
    /// What the child reads, if it is piped and was not taken.
    pub stdin: Option<PipeWriter>,
    /// What the child writes, if it is piped and was not taken.
    pub stdout: Option<PipeReader>,
    /// Where the child complains, if it is piped and was not taken.
    pub stderr: Option<PipeReader>,
    /// `None` only while it is dropped.
    process: Option<Process>,
    kill_on_drop: bool,
}

impl Child {
    /// Takes over a child of `std`'s.
    pub(super) fn new(mut child: std::process::Child, kill_on_drop: bool) -> io::Result<Self> {
        let ends = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on its end is waited for, even if what follows fails.
        let mut this = Self {
            stdin: None,
            stdout: None,
            stderr: None,
            process: Some(Process::new(child)),
            kill_on_drop,
        };
        let (stdin, stdout, stderr) = ends;
        let reader = |end: OwnedFd| PipeReader::from_fd(end);
        this.stdin = stdin
            .map(|end| PipeWriter::from_fd(end.into()))
            .transpose()?;
        this.stdout = stdout.map(|end| reader(end.into())).transpose()?;
        this.stderr = stderr.map(|end| reader(end.into())).transpose()?;
        Ok(this)
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("only a drop takes it out")
    }

    /// The system's number for the child.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> switchback::Result<()> {
    /// let child = switchback::process::Command::new("true").spawn()?;
    /// assert_ne!(child.id(), std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process
            .as_ref()
            .expect("only a drop takes it out")
            .child
            .id()
    }

    /// Forces the child to end (`SIGKILL`). It has not ended yet when this returns: [`wait`](Child::wait) for it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Errors
    ///
    /// The system's. That the child has ended already is none.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> switchback::Result<()> {
    /// let mut child = switchback::process::Command::new("sleep").arg("1000").spawn()?;
    /// child.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        self.process().child.kill()
    }

    /// How the child ended, if it has.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Errors
    ///
    /// The system's.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> switchback::Result<()> {
    /// let mut child = switchback::process::Command::new("sleep").arg("1000").spawn()?;
    /// assert!(child.try_wait()?.is_none());
    /// child.kill()?;
    /// child.wait()?;
    /// assert!(child.try_wait()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process().try_wait()
    }

    /// Waits until the child has ended, and says how. Its `stdin`, if it was not taken, is closed before, or the child might
    /// wait for us.
    ///
    /// # Suspension
    ///
    /// Until the child has ended. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. The child goes on; it can be waited for
    /// again.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> switchback::Result<()> {
    /// let mut child = switchback::process::Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// assert_eq!(child.wait()?.code(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        socket::check()?;
        self.stdin = None;
        let place = Location::caller();
        self.process().wait(place)
    }

    /// Reads all that the child writes to those of its outputs that are piped, both at the same time, and waits until it
    /// has ended.
    ///
    /// # Suspension
    ///
    /// Until the child has ended and closed its outputs.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. The child is dropped then.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::process::{Command, Stdio};
    ///
    /// # fn main() -> switchback::Result<()> {
    /// let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        socket::check()?;
        self.stdin = None;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let (Some(out), Some(err)) = (&self.stdout, &self.stderr) {
            let both = coroutine_scope(|s| {
                s.launch(|_| read_all(err, &mut stderr));
                read_all(out, &mut stdout)
            });
            both.map_err(|error| report(&thread::here(), error))?;
        } else {
            for (end, bytes) in [(&self.stdout, &mut stdout), (&self.stderr, &mut stderr)] {
                if let Some(mut end) = end.as_ref() {
                    end.read_to_end(bytes)?;
                }
            }
        }
        Ok(Output {
            status: self.wait()?,
            stdout,
            stderr,
        })
    }
}

impl<'a, R> Select<'a, R> {
    /// Wins when a child process has ended, with how it did. Unlike [`Child::wait`] it leaves the child's `stdin` open; one
    /// that reads until its end needs it dropped. If another clause wins, the child can be waited for again.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::process::Command;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let mut child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    /// let status = select(|s| {
    ///     s.on_exit(&mut child, |status| Ok(Some(status)));
    ///     s.on_timeout(ms(1), || Ok(None));
    /// })?;
    /// assert!(status.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_exit(
        &mut self,
        child: &'a mut Child,
        handler: impl FnOnce(ExitStatus) -> Result<R> + 'a,
    ) {
        self.on_answer(child.process().asked(), handler);
    }
}

fn read_all(mut end: &PipeReader, bytes: &mut Vec<u8>) -> Result<()> {
    end.read_to_end(bytes)?;
    Ok(())
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        if self.kill_on_drop {
            // An error means that it has ended already.
            let _ = process.child.kill();
        }
        adopt(process);
    }
}
