//! Which signal.

/// A kind of signal.
///
/// # Examples
///
/// ```
/// use switchback::signal::SignalKind;
///
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $signal:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Suspension
        ///
        /// Never suspends.
        #[must_use]
        pub const fn $name() -> Self {
            Self(libc::$signal)
        }
    )*};
}

impl SignalKind {
    kinds! {
        /// A timer of the process has run out.
        alarm = SIGALRM;
        /// A child process has ended, or was stopped.
        child = SIGCHLD;
        /// The terminal was closed; to a daemon: read your configuration again.
        hangup = SIGHUP;
        /// The user has pressed ctrl-c.
        interrupt = SIGINT;
        /// A pipe was written into from which nobody reads.
        pipe = SIGPIPE;
        /// The user has pressed ctrl-\.
        quit = SIGQUIT;
        /// The process is asked to end.
        terminate = SIGTERM;
        /// Free for the program.
        user_defined1 = SIGUSR1;
        /// Free for the program.
        user_defined2 = SIGUSR2;
        /// The terminal has changed its size.
        window_change = SIGWINCH;
    }

    /// The signal of this number.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// As for [`SignalKind`].
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(switchback::signal::SignalKind::interrupt().as_raw(), 2);
    /// ```
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Not those that the system keeps for itself, and not those of a fault: a handler that returns from one of these would
    /// meet it again at once, for ever.
    pub(super) fn can_be_heard(self) -> bool {
        let never = [
            libc::SIGKILL,
            libc::SIGSTOP,
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
        ];
        (1..=libc::SIGRTMAX()).contains(&self.0) && !never.contains(&self.0)
    }
}
