//! What is asked of a descriptor, whatever it stands for.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};

use crate::driver::reactor::Direction;

/// Whether it can be waited for. The system refuses those that are always ready: regular files, directories, `/dev/null`.
pub(crate) fn can_be_watched(fd: RawFd) -> io::Result<bool> {
    // Never waited in: it only says what it would take.
    static PROBE: OnceLock<Poll> = OnceLock::new();
    let probe = match PROBE.get() {
        Some(probe) => probe,
        None => {
            let made = Poll::new()?;
            PROBE.get_or_init(|| made)
        }
    };
    let registry = probe.registry();
    match registry.register(&mut SourceFd(&fd), Token(0), Interest::READABLE) {
        Ok(()) => {
            // An error means that another thread was here at the same time, and has taken it out.
            let _ = registry.deregister(&mut SourceFd(&fd));
            Ok(true)
        }
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM) => Ok(false),
            // Another thread asks at the same time.
            Some(libc::EEXIST) => Ok(true),
            _ => Err(error),
        },
    }
}

/// Whether a call in this direction would not block now, or would fail at once.
pub(crate) fn is_ready(fd: RawFd, direction: Direction) -> io::Result<bool> {
    let events = match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    };
    let mut asked = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one entry, which is ours and lives through the call.
    match unsafe { libc::poll(&raw mut asked, 1, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ if asked.revents & libc::POLLNVAL != 0 => Err(io::Error::from_raw_os_error(libc::EBADF)),
        _ => Ok(asked.revents != 0),
    }
}

/// Sets the mode of the open file that the descriptor stands for.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd, nonblocking: bool) -> io::Result<()> {
    let mode = libc::c_int::from(nonblocking);
    // SAFETY: reads one integer of ours.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw const mode) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Reads what is there without waiting, whatever the mode of the open file.
pub(crate) fn read_now(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    let part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: the system writes into a buffer of ours, up to its length. Offset -1 means: where the file stands.
    let count = unsafe { libc::preadv2(fd, &raw const part, 1, -1, libc::RWF_NOWAIT) };
    if let Ok(count) = usize::try_from(count) {
        return Ok(count);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::EOPNOTSUPP) {
        return Err(error);
    }
    // What this file does not offer is done in two steps. If another process reads in between, the second one waits.
    if is_ready(fd, Direction::Read)? {
        read(fd, buffer)
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A plain read, which may block.
pub(crate) fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the system writes into a buffer of ours, up to its length.
    let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}
