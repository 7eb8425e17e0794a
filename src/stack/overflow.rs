//! Stack overflow, told with the name of the coroutine before the process ends.
//!
//! The stack has no room for a signal handler when it overflows, so each worker has an alternate signal stack. The handler
//! asks whether the address that faulted lies in the guard of one of our slots. If so it writes who overflowed and aborts;
//! any other fault goes to the handler that was there before, which is std's own for threads as a rule.
//!
//! Everything here is safe to do in a signal handler: it reads memory, formats into a buffer of its own, and writes.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Stack, region};

/// Text on its way to standard error, without an allocation. What does not fit is cut off.
#[derive(Debug)]
pub(crate) struct Message {
    bytes: [u8; 512],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Self {
            bytes: [0; 512],
            length: 0,
        }
    }

    pub(crate) fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.length < self.bytes.len() {
                self.bytes[self.length] = byte;
                self.length += 1;
            }
        }
    }

    pub(crate) fn push_number(&mut self, number: u64) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        let digit = b"0123456789"[(number % 10) as usize];
        if self.length < self.bytes.len() {
            self.bytes[self.length] = digit;
            self.length += 1;
        }
    }

    fn write(&self) {
        // SAFETY: the bytes are ours; `write` may be called in a signal handler.
        unsafe { libc::write(2, self.bytes.as_ptr().cast(), self.length) };
    }
}

/// Describes the coroutine whose stack has this top. Runs in the signal handler.
pub(crate) type Describe = fn(top: *mut u8, message: &mut Message);

static DESCRIBE: OnceLock<Describe> = OnceLock::new();
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The actions that were there before ours, for SIGSEGV and SIGBUS.
struct Saved([UnsafeCell<MaybeUninit<libc::sigaction>>; 2]);

// SAFETY: written once, before the handler that reads it is in place.
unsafe impl Sync for Saved {}

static SAVED: Saved = Saved([
    const { UnsafeCell::new(MaybeUninit::uninit()) },
    const { UnsafeCell::new(MaybeUninit::uninit()) },
]);
const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Installs the handler, once per process.
pub(crate) fn install(describe: Describe) {
    if DESCRIBE.set(describe).is_err() || INSTALLED.swap(true, Ordering::AcqRel) {
        return;
    }
    for (signal, saved) in SIGNALS.iter().zip(&SAVED.0) {
        // SAFETY: all zeroes is a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // The old action is stored before ours is in place, so that a fault in between finds it.
        // SAFETY: both pointers are to memory of ours.
        unsafe { libc::sigaction(*signal, std::ptr::null(), saved.get().cast()) };
        // SAFETY: the handler does only what a handler may.
        unsafe { libc::sigaction(*signal, &raw const action, std::ptr::null_mut()) };
    }
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    if let Some((base, size)) = region::slot_of_guard(address) {
        // SAFETY: only the top is computed from it; it is forgotten below, since the slot is not ours.
        let stack = unsafe { Stack::from_raw(base, size) };
        let top = stack.top();
        std::mem::forget(stack);
        let mut message = Message::new();
        message.push("\nswitchback: coroutine ");
        if let Some(describe) = DESCRIBE.get() {
            describe(top.as_ptr(), &mut message);
        }
        message.push(" has overflowed its stack of ");
        message.push_number((size.bytes() / 1024) as u64);
        message.push(" KiB\nswitchback: `builder().stack_size(..)` gives it a larger one\n");
        message.write();
        // SAFETY: ends the process, as std does for a thread.
        unsafe { libc::abort() };
    }
    pass_on(signal, info, context);
}

/// Lets the action that was there before have the fault.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let saved = &SAVED.0[usize::from(signal == libc::SIGBUS)];
    // SAFETY: stored before this handler was installed.
    let action = unsafe { (*saved.get()).assume_init_ref() };
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The fault happens again when we return, and then ends the process as it would have without us.
            // SAFETY: restores an action that was valid before.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with SA_SIGINFO the address is that of a function of three arguments.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without SA_SIGINFO the address is that of a function of one argument.
            let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}

const ALT_BYTES: usize = 64 << 10;
const ALT_GUARD: usize = 4096;

/// A thread's alternate signal stack, for as long as this lives.
#[derive(Debug)]
pub(crate) struct AltStack {
    mapping: *mut libc::c_void,
    old: libc::stack_t,
}

impl AltStack {
    /// Gives the calling thread an alternate signal stack of 64 KiB. `None` if there is no memory for it; std's own, which
    /// is smaller, then does.
    pub(crate) fn install() -> Option<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh mapping.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                ALT_BYTES + ALT_GUARD,
                access,
                flags,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the low page of our mapping.
        unsafe { libc::mprotect(mapping, ALT_GUARD, libc::PROT_NONE) };
        let new = libc::stack_t {
            ss_sp: mapping.wrapping_byte_add(ALT_GUARD),
            ss_flags: 0,
            ss_size: ALT_BYTES,
        };
        // SAFETY: all zeroes is a valid `stack_t`.
        let mut old: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: the new stack is ours and stays mapped while it is installed.
        let done = unsafe { libc::sigaltstack(&raw const new, &raw mut old) };
        if done != 0 {
            // SAFETY: mapped above.
            unsafe { libc::munmap(mapping, ALT_BYTES + ALT_GUARD) };
            return None;
        }
        Some(Self { mapping, old })
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        // SAFETY: what was installed before us is valid still: it belongs to the thread.
        unsafe { libc::sigaltstack(&raw const self.old, std::ptr::null_mut()) };
        // SAFETY: not in use any more.
        unsafe { libc::munmap(self.mapping, ALT_BYTES + ALT_GUARD) };
    }
}
