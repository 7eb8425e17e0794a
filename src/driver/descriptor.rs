//! What is asked of a descriptor, whatever it stands for.

use std::io;
use std::os::fd::AsRawFd;

/// Sets the mode of the open file that the descriptor stands for.
pub(crate) fn set_nonblocking(fd: &impl AsRawFd, nonblocking: bool) -> io::Result<()> {
    let mode = libc::c_int::from(nonblocking);
    // SAFETY: reads one integer of ours.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw const mode) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
