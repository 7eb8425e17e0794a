//! What is to be started, and how.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use crate::net::socket;
use crate::process::child::Child;
use crate::process::reaper::sweep;

/// What starts a process, shaped like [`std::process::Command`].
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::process::Command;
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let greetings: Vec<_> = ["ada", "alan"]
///         .into_iter()
///         .map(|name| s.async_(move |_| Ok(Command::new("echo").args(["hello", name]).output()?)))
///         .collect();
///     let mut words = Vec::new();
///     for greeting in greetings {
///         words.push(String::from_utf8(greeting.await_()?.stdout)?);
///     }
///     assert_eq!(words, ["hello ada\n", "hello alan\n"]);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    kill_on_drop: bool,
    /// Which of stdin, stdout and stderr have been set.
    set: [bool; 3],
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident $(<$generic:ident: $bound:path>)? ($($argument:ident: $type:ty),*);)*) => {$(
        $(#[$doc])*
        ///
        /// # Suspension
        ///
        /// Never suspends.
        pub fn $name $(<$generic: $bound>)? (&mut self, $($argument: $type),*) -> &mut Self {
            self.inner.$name($($argument),*);
            self
        }
    )*};
}

macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Suspension
        ///
        /// Never suspends.
        pub fn $name<T: Into<Stdio>>(&mut self, stream: T) -> &mut Self {
            self.inner.$name(stream);
            self.set[$number] = true;
            self
        }
    )*};
}

impl Command {
    /// A command that starts a program, found along the path, with the environment and the directory of this process.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// As for [`Command`].
    #[must_use]
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        std::process::Command::new(program).into()
    }

    setters! {
        /// Adds an argument.
        arg<S: AsRef<OsStr>>(argument: S);
        /// Leaves a variable out of the environment.
        env_remove<S: AsRef<OsStr>>(key: S);
        /// Starts from an empty environment.
        env_clear();
        /// Lets the program start in another directory.
        current_dir<P: AsRef<Path>>(directory: P);
    }

    streams! {
        /// What the program reads. As this process, if it is not set.
        stdin = 0;
        /// Where the program writes to. As this process, if it is not set.
        stdout = 1;
        /// Where the program complains. As this process, if it is not set.
        stderr = 2;
    }

    /// Adds arguments.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn args<I, S>(&mut self, arguments: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.inner.args(arguments);
        self
    }

    /// Sets a variable of the environment.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, key: K, value: V) -> &mut Self {
        self.inner.env(key, value);
        self
    }

    /// Sets variables of the environment.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn envs<I, K, V>(&mut self, variables: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.envs(variables);
        self
    }

    /// Kills the child when its [`Child`] is dropped before it has ended: by a cancellation, for example.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::process::Command;
    ///
    /// # fn main() -> Result<()> {
    /// let ended = with_timeout_or_none(ms(10), |_| {
    ///     Ok(Command::new("sleep").arg("1000").kill_on_drop(true).status()?)
    /// })?;
    /// assert!(ended.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// The command of `std`'s, to set what has no method here. What is set there of the three streams is not known to
    /// [`output`](Command::output), which sets them itself.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::CommandExt;
    ///
    /// switchback::process::Command::new("true").as_std_mut().process_group(0);
    /// ```
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.inner
    }

    /// Starts the program. Streams that were not set are those of this process.
    ///
    /// # Suspension
    ///
    /// Never suspends. The system is asked in place, which takes some hundred microseconds.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` in a cancelled coroutine, before it starts anything.
    ///
    /// # Errors
    ///
    /// As for [`std::process::Command::spawn`]; a cancellation.
    ///
    /// # Examples
    ///
    /// As for the [module](crate::process).
    pub fn spawn(&mut self) -> io::Result<Child> {
        socket::check()?;
        sweep();
        Child::new(self.inner.spawn()?, self.kill_on_drop)
    }

    /// Starts the program and waits until it has ended. Streams that were not set are those of this process.
    ///
    /// # Suspension
    ///
    /// Until the child has ended.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; the child goes on then, unless
    /// [`kill_on_drop`](Command::kill_on_drop) was asked for.
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Command::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> switchback::Result<()> {
    /// assert!(switchback::process::Command::new("true").status()?.success());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits until it has ended, and gives what it has written. Of the streams that were not set,
    /// the outputs are taken in, and the input is empty.
    ///
    /// # Suspension
    ///
    /// Until the child has ended and closed its outputs.
    ///
    /// # Cancellation
    ///
    /// As for [`status`](Command::status).
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Command::spawn).
    ///
    /// # Examples
    ///
    /// As for [`Command`].
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        let [stdin, stdout, stderr] = self.set;
        if !stdin {
            self.inner.stdin(Stdio::null());
        }
        if !stdout {
            self.inner.stdout(Stdio::piped());
        }
        if !stderr {
            self.inner.stderr(Stdio::piped());
        }
        let child = self.spawn();
        // Not set by the caller, so a later `spawn` inherits them.
        if !stdin {
            self.inner.stdin(Stdio::inherit());
        }
        if !stdout {
            self.inner.stdout(Stdio::inherit());
        }
        if !stderr {
            self.inner.stderr(Stdio::inherit());
        }
        child?.wait_with_output()
    }
}

impl From<std::process::Command> for Command {
    fn from(inner: std::process::Command) -> Self {
        Self {
            inner,
            kill_on_drop: false,
            set: [false; 3],
        }
    }
}
