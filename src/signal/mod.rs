//! Signals of the operating system, waited for in blocking style.
//!
//! # What becomes of the signal's own effect
//!
//! While anybody listens to a signal, what it did before (ending the process, a handler of the program's) is suspended. When
//! the last receiver is dropped, that is put back; if somebody has set another handler meanwhile, that one stays. A signal
//! that is on its way just then has its old effect: keep a receiver for as long as it must not end the process.
//!
//! # How many
//!
//! Signals are not counted, by the system neither: several that come before a receiver has looked are one to it. Each
//! receiver is told, whatever others have taken. What came before a receiver was made is not told.
//!
//! [`Select::on_signal`](crate::sync::Select::on_signal) waits for a signal or for something else.
//!
//! # Examples
//!
//! ```no_run
//! use switchback::prelude::*;
//!
//! # fn main() -> Result<()> {
//! run_blocking(|s| {
//!     let server = s.launch(|_| -> Result<()> { loop { delay(ms(100))?; } });
//!     switchback::signal::ctrl_c()?.recv()?;
//!     println!("going down");
//!     server.cancel_and_join()
//! })
//! # }
//! ```

#![forbid(unsafe_code)]

mod kind;

use std::io;
use std::panic::Location;

use crate::driver::reactor::Direction;
use crate::driver::signals::Listener;
use crate::error::Result;
use crate::net::select;
use crate::net::select::sealed::WaitsIn;
use crate::net::socket::Socket;
use crate::sync::Select;
use crate::task::label::Label;

pub use kind::SignalKind;

static SIGNAL: Label = Label("signal");

/// Begins to listen to the interrupt that ctrl-c sends.
///
/// The next one does not end the process any more, but is told to the receiver.
///
/// # Suspension
///
/// Never suspends.
///
/// # Errors
///
/// As for [`signal`].
///
/// # Examples
///
/// ```
/// # fn main() -> switchback::Result<()> {
/// let interrupts = switchback::signal::ctrl_c()?;
/// assert!(!interrupts.try_recv());
/// # Ok(())
/// # }
/// ```
pub fn ctrl_c() -> io::Result<Signals> {
    signal(SignalKind::interrupt())
}

/// Begins to listen to a signal.
///
/// # Suspension
///
/// Never suspends.
///
/// # Errors
///
/// One of kind [`InvalidInput`](io::ErrorKind::InvalidInput) for a signal to which nobody can listen: that stops or kills
/// without appeal, or tells of a fault of the program. Else the system's, as when there is no descriptor left.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::signal::{SignalKind, signal};
///
/// # fn main() -> Result<()> {
/// let reload = signal(SignalKind::hangup())?;
/// run_blocking(|s| {
///     let reloaded = s.async_(|_| {
///         reload.recv()?;
///         Ok("the new configuration")
///     });
///     yield_()?;
///     std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status()?;
///     assert_eq!(reloaded.await_()?, "the new configuration");
///     Ok(())
/// })
/// # }
/// ```
pub fn signal(kind: SignalKind) -> io::Result<Signals> {
    if !kind.can_be_heard() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "nobody can listen to this signal",
        ));
    }
    Ok(Signals {
        socket: Socket::new(Listener::new(kind.as_raw())?),
        kind,
    })
}

/// A receiver of one kind of signal, from [`signal`] or [`ctrl_c`].
///
/// # Examples
///
/// As for [`signal`].
#[derive(Debug)]
pub struct Signals {
    socket: Socket<Listener>,
    kind: SignalKind,
}

impl Signals {
    /// Waits until the signal has come since the last call, or since the receiver was made.
    ///
    /// # Suspension
    ///
    /// Until it has come. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; a signal that has come is then kept for the
    /// next call. As told in the [documentation of `net`](crate::net#cancellation).
    ///
    /// # Errors
    ///
    /// A cancellation; the system's.
    ///
    /// # Examples
    ///
    /// As for [`signal`].
    #[track_caller]
    pub fn recv(&self) -> io::Result<()> {
        let place = Location::caller();
        self.socket
            .run(Direction::Read, &SIGNAL, place, Listener::take)
    }

    /// Whether the signal has come since the last call, or since the receiver was made.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Examples
    ///
    /// As for [`ctrl_c`].
    #[must_use = "the signal is taken"]
    pub fn try_recv(&self) -> bool {
        self.socket.get().take().is_ok()
    }

    /// What it listens to.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::signal::{SignalKind, ctrl_c};
    ///
    /// assert_eq!(ctrl_c().unwrap().kind(), SignalKind::interrupt());
    /// ```
    #[must_use]
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

impl<'a, R> Select<'a, R> {
    /// Wins when the signal has come since the receiver was last looked at; if so, it is taken.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::signal::ctrl_c;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let interrupts = ctrl_c()?;
    /// let (_tx, work) = channel::<u32>(Capacity::rendezvous());
    /// let goes_on = select(|s| {
    ///     s.on_signal(&interrupts, || Ok(false));
    ///     s.on_recv(&work, |_| Ok(true));
    ///     s.on_timeout(ms(1), || Ok(true));
    /// })?;
    /// assert!(goes_on);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_signal(&mut self, signals: &'a Signals, handler: impl FnOnce() -> Result<R> + 'a) {
        let socket = &signals.socket;
        self.on_answer(
            move |_| {
                select::attempt(
                    || Ok(WaitsIn(Some(socket))),
                    Direction::Read,
                    || socket.get().take(),
                )
            },
            move |()| handler(),
        );
    }
}
