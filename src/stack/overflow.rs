//! A coroutine that overflows its stack is named before the process aborts.
//!
//! It hits the guard under its stack, which is a signal. The handler asks the [table of chunks](super::chunks) whether
//! the address is in a guard of ours, and whether the thread stood on that very stack: a stray pointer into a guard is
//! no overflow, and the stack above that guard might be nobody's. If both are so it writes a message and aborts;
//! nothing can be unwound, since the very next call would hit the guard again. Any other fault goes on to whatever
//! handled the signal before (usually the standard library, which tells overflows of threads the same way).
//!
//! The handler runs on the thread's alternate stack, for the coroutine's own is used up; see [`AltStack`].

use std::sync::OnceLock;

use libc::{SIGBUS, SIGSEGV, c_int, c_void, sigaction, siginfo_t};

use super::chunks;
use super::size::StackSize;

pub(crate) use super::alt_stack::AltStack;
pub(crate) use super::message::Message;

/// Writes what runs on the stack with this top, by its name. Runs in a signal handler: it only reads memory, and
/// neither locks nor allocates.
pub(crate) type Describe = fn(top: *mut u8, out: &mut Message);

/// What the handler needs to know.
#[derive(Debug)]
struct Installed {
    describe: Describe,
    segv_before: sigaction,
    bus_before: sigaction,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Installs the handler, once in a process; later calls do nothing.
///
/// `describe` is given the top of a stack whose coroutine is running on the present thread.
pub(crate) fn install(describe: Describe) {
    let mut first = false;
    let installed = INSTALLED.get_or_init(|| {
        first = true;
        Installed {
            describe,
            segv_before: action_of(SIGSEGV),
            bus_before: action_of(SIGBUS),
        }
    });
    // What was there before is known before the handler can run, which needs it.
    if first {
        handle(SIGSEGV, &installed.segv_before);
        handle(SIGBUS, &installed.bus_before);
    }
}

/// The handler.
extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    // SAFETY: with SA_SIGINFO the kernel passes a valid one.
    let code = unsafe { &*info }.si_code;
    // Positive codes are faults; the others were sent, and carry no address.
    if code > 0 {
        // SAFETY: as above; SIGSEGV and SIGBUS by a fault have an address.
        let address = unsafe { (*info).si_addr() }.addr();
        if let Some((top, size)) = overflowed(address, stack_pointer(context)) {
            tell(installed.describe, top, size);
            // SAFETY: ends the process; may be called in a signal handler.
            unsafe { libc::abort() };
        }
    }
    let before = if signal == SIGBUS {
        &installed.bus_before
    } else {
        &installed.segv_before
    };
    pass_on(before, signal, info, context, code > 0);
}

/// The top and size of the stack in whose guard the address lies, if the thread stands on that stack.
fn overflowed(address: usize, stack_pointer: Option<usize>) -> Option<(*mut u8, StackSize)> {
    let place = chunks::place_of(address)?;
    let base = place.base.addr();
    let bytes = place.size.slot_bytes();
    let stands_on_it = stack_pointer.is_none_or(|pointer| (base..base + bytes).contains(&pointer));
    (address - base < place.guard && stands_on_it).then_some((place.top, place.size))
}

fn tell(describe: Describe, top: *mut u8, size: StackSize) {
    // Three texts, so that a long name does not crowd out what follows it.
    let mut message = Message::new();
    message.push("\nswitchback: ");
    message.write_to_stderr();

    let mut message = Message::new();
    describe(top, &mut message);
    message.write_to_stderr();

    let mut message = Message::new();
    message.push(" has overflowed its stack of ");
    message.push_number((size.bytes() >> 10) as u64);
    message.push(" KiB\nswitchback: `builder().stack_size(..)` gives a coroutine a larger one, `stack_size(..)` a sequence\n");
    message.write_to_stderr();
}

/// Does with the signal what would have been done without us.
fn pass_on(
    before: &sigaction,
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
    is_fault: bool,
) {
    match before.sa_sigaction {
        // A fault cannot be ignored: the kernel takes the default action all the same.
        libc::SIG_IGN if !is_fault => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            reset(signal);
            // A fault comes again on return, and then ends the process. One that was sent does not, so it is sent
            // again; it waits until this handler has returned.
            if !is_fault {
                // SAFETY: may be called in a signal handler.
                unsafe { libc::raise(signal) };
            }
        }
        handler => {
            if before.sa_flags & libc::SA_RESETHAND != 0 {
                reset(signal);
            }
            if before.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: the flag says that this is the handler's type.
                let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                    unsafe { std::mem::transmute(handler) };
                handler(signal, info, context);
            } else {
                // SAFETY: without the flag this is the handler's type.
                let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
                handler(signal);
            }
        }
    }
}

/// The action that is set for a signal.
fn action_of(signal: c_int) -> sigaction {
    let mut action = empty_action();
    // SAFETY: asks only; the action is valid for a write.
    unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    action
}

/// Has our handler called for a signal. Mask and nesting stay as the handler before wanted them.
fn handle(signal: c_int, before: &sigaction) {
    let mut action = empty_action();
    action.sa_sigaction = on_fault as *const () as usize;
    action.sa_mask = before.sa_mask;
    action.sa_flags = libc::SA_SIGINFO
        | libc::SA_ONSTACK
        | before.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART);
    // SAFETY: the handler has the type that SA_SIGINFO asks for, and does only what a handler may.
    unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
}

/// Sets the default action.
fn reset(signal: c_int) {
    let action = empty_action();
    // SAFETY: all zero is the default action; may be called in a signal handler.
    unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
}

/// The default action, without flags, blocking nothing.
fn empty_action() -> sigaction {
    // SAFETY: a C struct of integers and an optional function pointer, for which zero is valid.
    unsafe { std::mem::zeroed() }
}

/// The stack pointer of the interrupted code, where we know how to find it.
fn stack_pointer(context: *mut c_void) -> Option<usize> {
    let context: *const libc::ucontext_t = context.cast();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: with SA_SIGINFO the kernel passes a valid context.
    let pointer = Some(unsafe { &*context }.uc_mcontext.gregs[libc::REG_RSP as usize] as usize);
    #[cfg(target_arch = "aarch64")]
    // SAFETY: with SA_SIGINFO the kernel passes a valid context.
    let pointer = Some(unsafe { &*context }.uc_mcontext.sp as usize);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let pointer = {
        let _ = context;
        None
    };
    pointer
}
