//! Standard input, which may be anything and belongs to others too.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::sync::OnceLock;

use crate::dispatchers::Dispatchers;
use crate::driver::descriptor;
use crate::driver::reactor::Direction;
use crate::net::select::sealed;
use crate::net::socket::{self, Socket};
use crate::scheduler::thread;
use crate::scope::hop::with_context;
use crate::task::label::Label;

static READ: Label = Label("read standard input");

/// The descriptor 0, which is never closed by us.
#[derive(Debug)]
struct Zero;

impl AsRawFd for Zero {
    fn as_raw_fd(&self) -> RawFd {
        libc::STDIN_FILENO
    }
}

/// Whether it can be waited for, and its registrations: one set for the whole process, as the descriptor is.
#[derive(Debug)]
struct Shared {
    /// `None` for what the system calls always ready: a regular file, `/dev/null`.
    watched: Option<Socket<Zero>>,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// Standard input in blocking style.
///
/// The open file is shared with other processes (the shell, for one), so its mode is left as it is. What cannot be waited
/// for, as a regular file, is read on [`Dispatchers::io`](crate::Dispatchers::io). What kind of file it is, is asked once, at
/// the first read.
///
/// # Suspension
///
/// Never suspends; reading does.
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader};
///
/// # fn main() -> switchback::Result<()> {
/// # let run = |_| ();
/// for line in BufReader::new(switchback::io::stdin()).lines() {
///     run(line?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin(())
}

/// Standard input: [`Read`] for it and for a reference to it. It has no buffer; and what the buffer of
/// [`std::io::stdin`] has taken already is not seen here, so use one of the two.
///
/// # Suspension
///
/// Reading suspends while there is nothing to read and the end has not come.
///
/// # Cancellation
///
/// As told in the [documentation of `net`](crate::net#cancellation). A read on the IO dispatcher cannot be interrupted: it is
/// waited for, and what it has read is reported.
///
/// # Examples
///
/// As for [`stdin`].
#[derive(Debug)]
pub struct Stdin(());

fn shared() -> io::Result<&'static Shared> {
    if let Some(shared) = SHARED.get() {
        return Ok(shared);
    }
    let watched = descriptor::can_be_watched(libc::STDIN_FILENO)?.then(|| Socket::new(Zero));
    Ok(SHARED.get_or_init(|| Shared { watched }))
}

/// Reads what blocks the thread, on a thread that may be blocked.
fn read_elsewhere(buffer: &mut [u8]) -> io::Result<usize> {
    let hosts_others =
        thread::here_if_settled().is_some_and(|here| here.home().local.loops.get() > 0);
    if !hosts_others {
        return descriptor::read(libc::STDIN_FILENO, buffer);
    }
    // Not the value of the block: that would be lost if a cancellation came meanwhile, and the bytes with it.
    let mut moved = None;
    let ended = with_context(Dispatchers::io(), |_| {
        moved = Some(descriptor::read(libc::STDIN_FILENO, buffer));
        Ok(())
    });
    match (moved, ended) {
        (Some(moved), _) => moved,
        (None, Err(error)) => Err(socket::report(&thread::here(), error)),
        (None, Ok(())) => unreachable!("a block that has ended well has run"),
    }
}

impl Read for &Stdin {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        socket::check()?;
        if buffer.is_empty() {
            return Ok(0);
        }
        match &shared()?.watched {
            Some(watched) => watched.run(Direction::Read, &READ, place, |zero| {
                descriptor::read_now(zero.as_raw_fd(), buffer)
            }),
            None => loop {
                match read_elsewhere(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => socket::check()?,
                    answer => return answer,
                }
            },
        }
    }
}

impl Read for Stdin {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl sealed::Selectable for Stdin {
    fn waits_in(&self) -> io::Result<sealed::WaitsIn<'_>> {
        let watched = shared()?.watched.as_ref();
        Ok(sealed::WaitsIn(watched.map(|watched| watched as _)))
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        libc::STDIN_FILENO
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // That of `std` says the same, and that it lives for ever.
        static STDIN: OnceLock<std::io::Stdin> = OnceLock::new();
        STDIN.get_or_init(std::io::stdin).as_fd()
    }
}
