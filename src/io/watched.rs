//! Any descriptor, waited for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;

use crate::driver::descriptor;
use crate::driver::reactor::Direction;
use crate::net::select::sealed;
use crate::net::socket::{self, Socket};
use crate::task::label::Label;

static READABLE: Label = Label("readable");
static WRITABLE: Label = Label("writable");

/// What owns or borrows a descriptor.
#[derive(Debug)]
struct Held<T>(T);

impl<T: AsFd> AsRawFd for Held<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A descriptor of any kind that can be waited for: of a device, a foreign library, an inotify or timer descriptor.
///
/// It may own the descriptor or borrow it, and does nothing with it but wait: the mode of the open file is left as it is
/// (see [`set_nonblocking`](Watched::set_nonblocking)). The same descriptor cannot be waited for through two of these on
/// one thread at a time; two duplicates can.
///
/// # Cancellation
///
/// As told in the [documentation of `net`](crate::net#cancellation).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use switchback::io::Watched;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (one, mut two) = UnixStream::pair()?;
/// let one = Watched::new(one)?;
/// one.set_nonblocking(true)?;
/// run_blocking(|s| {
///     let answer = s.async_(|_| {
///         let mut byte = [0];
///         one.when_readable(|mut stream| stream.read(&mut byte))?;
///         Ok(byte[0])
///     });
///     yield_()?;
///     two.write_all(&[7])?;
///     assert_eq!(answer.await_()?, 7);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Watched<T: AsFd> {
    socket: Socket<Held<T>>,
}

impl<T: AsFd> Watched<T> {
    /// Takes over what owns or borrows a descriptor.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// One of kind [`Unsupported`](io::ErrorKind::Unsupported) for what cannot be waited for because it is always ready: a
    /// regular file, a directory, `/dev/null`. What is slow about those blocks the thread:
    /// [`Dispatchers::io`](crate::Dispatchers::io) is the place for it. Else the system's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use switchback::io::Watched;
    ///
    /// let file = std::fs::File::open("/proc/self/exe").unwrap();
    /// assert_eq!(Watched::new(file).unwrap_err().kind(), ErrorKind::Unsupported);
    /// ```
    pub fn new(inner: T) -> io::Result<Self> {
        let held = Held(inner);
        if !descriptor::can_be_watched(held.as_raw_fd())? {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a regular file, a directory or a device that is always ready cannot be waited for; read and write it \
                 on Dispatchers::io()",
            ));
        }
        Ok(Self {
            socket: Socket::new(held),
        })
    }

    /// What was taken over.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::io::Watched;
    ///
    /// let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
    /// let one = Watched::new(one).unwrap();
    /// assert!(one.get_ref().peer_addr().unwrap().is_unnamed());
    /// ```
    pub fn get_ref(&self) -> &T {
        &self.socket.get().0
    }

    /// Gives back what was taken over.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use switchback::io::Watched;
    ///
    /// let (one, _two) = UnixStream::pair().unwrap();
    /// let _one: UnixStream = Watched::new(one).unwrap().into_inner();
    /// ```
    pub fn into_inner(self) -> T {
        self.socket.into_inner().0
    }

    /// Sets whether calls on the open file say `WouldBlock` instead of blocking the thread.
    ///
    /// The mode belongs to the open file, not to the descriptor: it changes for everybody who has the file, in other
    /// processes too.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The system's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{ErrorKind, Read};
    /// use switchback::io::Watched;
    ///
    /// let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
    /// let one = Watched::new(one).unwrap();
    /// one.set_nonblocking(true).unwrap();
    /// assert_eq!(one.get_ref().read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        descriptor::set_nonblocking(self.socket.get(), nonblocking)
    }

    /// Waits until there is something to read, or the end, or an error. Works in either mode of the open file.
    ///
    /// Somebody else may read it first: with more than one reader use [`when_readable`](Watched::when_readable).
    ///
    /// # Suspension
    ///
    /// While there is nothing.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use switchback::io::Watched;
    ///
    /// # fn main() -> switchback::Result<()> {
    /// let (one, mut two) = std::os::unix::net::UnixStream::pair()?;
    /// let one = Watched::new(one)?;
    /// two.write_all(b"x")?;
    /// one.readable()?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn readable(&self) -> io::Result<()> {
        self.ready(Direction::Read, &READABLE, Location::caller())
    }

    /// Waits until there is room to write, or an error. Works in either mode of the open file.
    ///
    /// # Suspension
    ///
    /// While there is none.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits.
    ///
    /// # Errors
    ///
    /// The system's; a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::io::Watched;
    ///
    /// # fn main() -> switchback::Result<()> {
    /// let (one, _two) = std::os::unix::net::UnixStream::pair()?;
    /// Watched::new(&one)?.writable()?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn writable(&self) -> io::Result<()> {
        self.ready(Direction::Write, &WRITABLE, Location::caller())
    }

    /// Calls a nonblocking operation that reads, again and again, until it does not say `WouldBlock`; between two calls it
    /// waits. One that was interrupted is called again at once.
    ///
    /// The open file must be in nonblocking mode, or the operation itself be of that kind, or the thread is blocked.
    ///
    /// # Suspension
    ///
    /// While the operation says `WouldBlock`.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before the first call or while it waits. What the operation has
    /// done is always reported.
    ///
    /// # Errors
    ///
    /// The operation's; the system's; a cancellation.
    ///
    /// # Examples
    ///
    /// As for [`Watched`].
    #[track_caller]
    pub fn when_readable<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let place = Location::caller();
        self.socket
            .run(Direction::Read, &READABLE, place, |held| operation(&held.0))
    }

    /// The same with an operation that writes.
    ///
    /// # Suspension
    ///
    /// While the operation says `WouldBlock`.
    ///
    /// # Cancellation
    ///
    /// As for [`when_readable`](Watched::when_readable).
    ///
    /// # Errors
    ///
    /// As for [`when_readable`](Watched::when_readable).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use switchback::io::Watched;
    ///
    /// # fn main() -> switchback::Result<()> {
    /// let (one, _two) = std::os::unix::net::UnixStream::pair()?;
    /// one.set_nonblocking(true)?;
    /// let one = Watched::new(one)?;
    /// assert_eq!(one.when_writable(|mut stream| stream.write(b"some"))?, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn when_writable<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let place = Location::caller();
        self.socket.run(Direction::Write, &WRITABLE, place, |held| {
            operation(&held.0)
        })
    }

    /// Asks the system itself, as nobody tells us what is read or written outside.
    fn ready(
        &self,
        direction: Direction,
        label: &'static Label,
        place: &'static Location<'static>,
    ) -> io::Result<()> {
        socket::check()?;
        if descriptor::is_ready(self.as_raw_fd(), direction)? {
            return Ok(());
        }
        self.socket.run(direction, label, place, |held| {
            if descriptor::is_ready(held.as_raw_fd(), direction)? {
                Ok(())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        })
    }
}

impl<T: AsFd> sealed::Selectable for Watched<T> {
    fn waits_in(&self) -> io::Result<sealed::WaitsIn<'_>> {
        Ok(sealed::WaitsIn(Some(&self.socket)))
    }
}

impl<T: AsFd> AsFd for Watched<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsRawFd for Watched<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}
