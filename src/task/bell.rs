//! How a thread sleeps, and how it is woken: the sleep word (`sleep.rs`) says whether somebody must ring, this is the bell.
//!
//! A thread that waits for nothing but its inbox and a timer sleeps by a futex: one system call to sleep, one to wake it. One
//! that waits for descriptors too sleeps in `epoll_wait(2)` or `ppoll(2)`, with an eventfd among them. Which of the two
//! it is, the owner decides before it announces its sleep, so whoever finds it drowsy sees it.
//!
//! Rung too often is harmless, since whoever wakes looks again: a bell that was meant for the sleep before may ring in
//! this one. Rung too little cannot be: who finds the futex taken by another ringer leaves the waking to that one.

use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

const OPEN: u32 = 0;
/// The owner sleeps by the futex, or is about to.
const BY_FUTEX: u32 = 1;

/// The bell of one thread.
#[derive(Debug)]
pub(crate) struct Bell {
    event: AtomicI32,
    futex: AtomicU32,
}

impl Bell {
    pub(crate) const fn new() -> Self {
        Self {
            event: AtomicI32::new(-1),
            futex: AtomicU32::new(OPEN),
        }
    }

    /// Any thread that owes it: wakes the owner.
    #[cold]
    pub(crate) fn ring(&self) {
        // ORDERING: the sleep word has made the owner's choice visible; the exchange makes one ringer out of many.
        if self.futex.swap(OPEN, Ordering::AcqRel) == BY_FUTEX {
            self.wake();
            return;
        }
        let event = self.event.load(Ordering::Acquire);
        if event >= 0 {
            let one = 1u64;
            // SAFETY: eight bytes of ours, to a descriptor that is never closed. It cannot fail but for a full counter,
            // which means that the thread has been told already.
            unsafe { libc::write(event, (&raw const one).cast(), 8) };
        }
    }

    /// Owner, before it announces a sleep in which it waits for no descriptor: it will [`doze`](Bell::doze).
    pub(crate) fn prepare_to_doze(&self) {
        // ORDERING: relaxed: the announcement that follows publishes it.
        self.futex.store(BY_FUTEX, Ordering::Relaxed);
    }

    /// Owner: sleeps until the bell rings, but no longer than until a moment of the monotonic clock. May wake for no
    /// reason.
    pub(crate) fn doze(&self, until: Option<u64>) {
        const NANOS: u64 = 1_000_000_000;
        let until = until.map(|until| libc::timespec {
            tv_sec: (until / NANOS) as libc::time_t,
            tv_nsec: (until % NANOS) as libc::c_long,
        });
        let until = until.as_ref().map_or(ptr::null(), ptr::from_ref);
        let wait = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the futex and the time are ours and live through the call. If the bell has rung already, the call
        // finds another value and returns.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.futex.as_ptr(),
                wait,
                BY_FUTEX,
                until,
                ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            )
        };
    }

    /// Owner: is awake; the next sleep may be of the other kind.
    pub(crate) fn rise(&self) {
        self.futex.store(OPEN, Ordering::Relaxed);
    }

    fn wake(&self) {
        let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the call reads nothing; the address is that of a home, which is never freed.
        unsafe { libc::syscall(libc::SYS_futex, self.futex.as_ptr(), wake, 1) };
    }

    /// Owner: the eventfd, made at the first call. `None` when there is no descriptor to be had; the owner then sleeps
    /// in short turns.
    pub(crate) fn event(&self) -> Option<RawFd> {
        let event = self.event.load(Ordering::Acquire);
        if event >= 0 {
            return Some(event);
        }
        // SAFETY: a plain system call.
        let event = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if event < 0 {
            return None;
        }
        self.event.store(event, Ordering::Release);
        Some(event)
    }

    /// Owner: empties the eventfd.
    pub(crate) fn silence(&self) {
        let event = self.event.load(Ordering::Relaxed);
        if event >= 0 {
            let mut count = 0u64;
            // SAFETY: eight bytes of ours.
            unsafe { libc::read(event, (&raw mut count).cast(), 8) };
        }
    }
}
