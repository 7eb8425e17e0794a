//! A descriptor that becomes ready when a process ends.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Opens one for a child that has not been reaped. Fails on kernels before 5.3, and when there is no descriptor left.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: a system call without memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else knows it. The system closes it on `exec` by itself.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}
