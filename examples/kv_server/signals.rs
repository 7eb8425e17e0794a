//! Termination signals, received by a thread that does nothing else.
//!
//! A signal handler may call next to nothing. So the signals are blocked in every thread instead, stay pending, and one
//! ordinary thread takes them in, which may do whatever a thread may do, as cancel a job.

use std::io;
use std::mem::MaybeUninit;
use std::thread;

/// Evidence that the termination signals are blocked and wait to be taken in.
#[derive(Debug)]
pub struct TerminationSignals {
    _private: (),
}

/// Blocks SIGTERM and SIGINT in this thread and those that it starts from now on.
pub fn block_termination() -> io::Result<TerminationSignals> {
    let set = termination_set();
    // SAFETY: `set` is initialised, and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } {
        0 => Ok(TerminationSignals { _private: () }),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

impl TerminationSignals {
    /// Runs `action` on a thread of its own when the first of the signals comes.
    pub fn on_arrival(self, action: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let wait = move || {
            let set = termination_set();
            let mut signal = 0;
            // SAFETY: both are valid for the call; the set was blocked when `self` was made.
            let error = unsafe { libc::sigwait(&set, &mut signal) };
            assert_eq!(error, 0, "sigwait refuses only signals that do not exist");
            action();
        };
        // Nobody joins it: a server that ends for another reason leaves it waiting.
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(wait)?;
        Ok(())
    }
}

fn termination_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: `sigemptyset` has initialised it, it cannot fail.
    let mut set = unsafe { set.assume_init() };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised and the signal exists.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}
