//! Signals of the operating system, brought to those who wait for them.
//!
//! A signal's handler may do next to nothing: it may take no lock and allocate nothing, since it may have interrupted
//! whoever holds the lock. So it walks a list that only grows, and writes to the eventfd of each [`Ear`] that listens to its
//! signal. From there on a signal is readiness of a descriptor, as everything else.
//!
//! - H, the handler, on any thread at any moment. It reads `FIRST` and the ears, and writes to eventfds.
//! - L, who begins or ends to listen, under the lock of `LISTENERS`.
//!
//! An ear is never freed and its eventfd never closed: H may be about to write to it, and the number could by then name
//! somebody's file. A deaf one is used again by the next who listens to the same signal, and to no other: of what H is
//! late with, it would take one signal for another.
//!
//! The handler is there as long as anybody listens to its signal. The first listener puts it in the place of what was
//! there, the last one puts that back; if somebody else has set a handler meanwhile, that one stays.
//!
//! Rejected: a signalfd. It gives a signal only if all threads block it, and threads that were there before us do not; and
//! the mask is inherited by child processes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One who can listen.
#[derive(Debug)]
struct Ear {
    event: RawFd,
    signal: i32,
    is_listening: AtomicBool,
    /// Written once, before the ear can be found.
    next: *const Ear,
}

// SAFETY: `next` is written before the ear is shared, and what it points to is never freed.
unsafe impl Sync for Ear {}
// SAFETY: as above.
unsafe impl Send for Ear {}

/// All ears, deaf or not.
static FIRST: AtomicPtr<Ear> = AtomicPtr::new(ptr::null_mut());

/// A signal that somebody listens to: how many do, and what was there before.
struct Listened {
    signal: i32,
    listeners: usize,
    before: libc::sigaction,
}

static LISTENERS: Mutex<Vec<Listened>> = Mutex::new(Vec::new());

fn listeners() -> MutexGuard<'static, Vec<Listened>> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ears() -> impl Iterator<Item = &'static Ear> {
    // ORDERING: acquire pairs with the release of the ear's publication in `ear_for`.
    // SAFETY: ears are never freed.
    let first = unsafe { FIRST.load(Ordering::Acquire).as_ref() };
    // SAFETY: as above.
    std::iter::successors(first, |ear| unsafe { ear.next.as_ref() })
}

/// H.
extern "C" fn hear(signal: libc::c_int) {
    // SAFETY: the address of this thread's `errno`, which the interrupted code must find as it was.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    for ear in ears() {
        // ORDERING: relaxed: an ear that begins or ends to listen at this very moment may hear or not.
        if ear.signal == signal && ear.is_listening.load(Ordering::Relaxed) {
            let one = 1u64;
            // SAFETY: eight bytes of ours, to a descriptor that is never closed. A full counter has been heard already.
            unsafe { libc::write(ear.event, (&raw const one).cast(), 8) };
        }
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Listens to one signal until it is dropped. Its descriptor is readable when the signal has come.
#[derive(Debug)]
pub(crate) struct Listener {
    ear: &'static Ear,
    signal: i32,
}

impl Listener {
    /// Begins to listen.
    pub(crate) fn new(signal: i32) -> io::Result<Self> {
        let mut listeners = listeners();
        let ear = ear_for(signal)?;
        if let Some(listened) = listeners.iter_mut().find(|one| one.signal == signal) {
            listened.listeners += 1;
            return Ok(Self { ear, signal });
        }
        match install(signal) {
            Ok(before) => listeners.push(Listened {
                signal,
                listeners: 1,
                before,
            }),
            Err(error) => {
                ear.is_listening.store(false, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(Self { ear, signal })
    }

    /// Whether the signal has come since this was asked last. An error of kind `WouldBlock` if not.
    pub(crate) fn take(&self) -> io::Result<()> {
        let mut count = 0u64;
        // SAFETY: eight bytes of ours.
        match unsafe { libc::read(self.ear.event, (&raw mut count).cast(), 8) } {
            8 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.ear.event
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listeners = listeners();
        let at = listeners.iter().position(|one| one.signal == self.signal);
        let at = at.expect("who listens is counted");
        listeners[at].listeners -= 1;
        if listeners[at].listeners == 0 {
            let listened = listeners.swap_remove(at);
            put_back(&listened);
        }
        self.ear.is_listening.store(false, Ordering::Relaxed);
    }
}

/// L, under the lock: a deaf ear, or a new one, made to listen.
fn ear_for(signal: i32) -> io::Result<&'static Ear> {
    let is_free = |ear: &&Ear| ear.signal == signal && !ear.is_listening.load(Ordering::Relaxed);
    if let Some(ear) = ears().find(is_free) {
        let mut count = 0u64;
        // What its last owner has not taken.
        // SAFETY: eight bytes of ours.
        unsafe { libc::read(ear.event, (&raw mut count).cast(), 8) };
        ear.is_listening.store(true, Ordering::Relaxed);
        return Ok(ear);
    }
    // SAFETY: a plain system call.
    let event = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if event < 0 {
        return Err(io::Error::last_os_error());
    }
    let ear = Box::leak(Box::new(Ear {
        event,
        signal,
        is_listening: AtomicBool::new(true),
        // Only L writes `FIRST`.
        next: FIRST.load(Ordering::Relaxed),
    }));
    // ORDERING: release pairs with the acquire in `ears`: who finds the ear finds it written.
    FIRST.store(ptr::from_mut(ear), Ordering::Release);
    Ok(ear)
}

/// Puts our handler in place, and gives what was there.
fn install(signal: i32) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero is a `sigaction` without flags and with an empty mask.
    let mut ours: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    ours.sa_sigaction = hear as extern "C" fn(libc::c_int) as usize;
    // On the alternate stack, since a coroutine's own may be small; and system calls go on, as if nothing had happened.
    ours.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the handler does only what a handler may; both structures are ours.
    if unsafe { libc::sigaction(signal, &raw const ours, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and then it has written it.
    Ok(unsafe { before.assume_init() })
}

/// Puts back what was there before, unless somebody else has set a handler since.
fn put_back(listened: &Listened) {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: only asks; the structure is ours.
    let asked = unsafe { libc::sigaction(listened.signal, ptr::null(), now.as_mut_ptr()) };
    // SAFETY: all zero is a valid `sigaction`, and so is what the system writes.
    let now = unsafe { now.assume_init() };
    if asked == 0 && now.sa_sigaction == hear as extern "C" fn(libc::c_int) as usize {
        // SAFETY: what the system itself has given us.
        unsafe { libc::sigaction(listened.signal, &raw const listened.before, ptr::null_mut()) };
    }
}
