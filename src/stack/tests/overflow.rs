//! Faults, each in a process of its own.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::ptr::{self, NonNull};

use libc::{c_int, c_void, siginfo_t};

use super::super::guard::Guards;
use super::super::overflow::{self, AltStack, Message};
use super::super::store::Store;
use super::super::{Stack, StackCache, StackSize};
use super::{role, run_child};

/// Runs a test of this module again as a child in this role.
fn child(test: &str, role: &str) -> (Output, String) {
    let output = run_child(&format!("overflow::{test}"), role);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

/// Names a stack by what the test wrote right under its top.
fn describe(top: *mut u8, out: &mut Message) {
    out.push("coroutine child#");
    // SAFETY: the tests write a number there before they step on the stack, and nothing over it.
    out.push_number(unsafe { top.sub(8).cast::<u64>().read() });
}

/// Runs `body` with the stack pointer on `stack`: on a thread that has it as its own.
fn run_on(stack: &Stack, body: extern "C" fn(*mut c_void) -> *mut c_void) {
    // SAFETY: within the slot, which is ours alone.
    unsafe { stack.top().sub(8).cast::<u64>().write(42) };
    let bytes = stack.size().bytes() - 4096;
    // SAFETY: a C struct of plain data, to be initialised.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: valid for a write.
    assert_eq!(unsafe { libc::pthread_attr_init(&mut attributes) }, 0);
    let low = stack.limit().as_ptr().cast();
    // SAFETY: the memory is the slot but for its top page, where the number stands; it outlives the thread.
    let set = unsafe { libc::pthread_attr_setstack(&mut attributes, low, bytes) };
    assert_eq!(set, 0);
    let mut thread = 0;
    // SAFETY: the attributes are initialised, and the body takes what it is given.
    let made = unsafe { libc::pthread_create(&mut thread, &attributes, body, ptr::null_mut()) };
    assert_eq!(made, 0);
    // SAFETY: the thread was made and is joined once.
    assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "the overflow ends it")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 32]);
    recurse(depth + 1) + std::hint::black_box(frame)[3]
}

extern "C" fn recurse_for_ever(_: *mut c_void) -> *mut c_void {
    let _alternate = AltStack::install();
    let _ = std::hint::black_box(recurse(0));
    ptr::null_mut()
}

#[inline(never)]
fn one_large_frame() -> u8 {
    let frame = std::hint::black_box([1_u8; 600 << 10]);
    frame[std::hint::black_box(5)]
}

extern "C" fn make_a_large_frame(_: *mut c_void) -> *mut c_void {
    let _alternate = AltStack::install();
    let _ = std::hint::black_box(one_large_frame());
    ptr::null_mut()
}

extern "C" fn write_to_null(_: *mut c_void) -> *mut c_void {
    let _alternate = AltStack::install();
    write_at(ptr::null_mut());
    ptr::null_mut()
}

/// Writes where it must fault. Not by a plain store, for the compiler knows that null cannot be written to.
fn write_at(address: *mut u8) {
    let address = std::hint::black_box(address);
    // SAFETY: none: the child is meant to die of it, or the test's handler ends it.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("mov byte ptr [{}], 1", in(reg) address);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("strb wzr, [{}]", in(reg) address);
    }
}

fn default_stack() -> Stack {
    StackCache::new()
        .take(StackSize::DEFAULT)
        .expect("there is memory")
}

fn assert_told(output: &Output, text: &str) {
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    let line = "\nswitchback: coroutine child#42 has overflowed its stack of 256 KiB\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("builder().stack_size(..)"), "{text}");
}

#[test]
fn an_overflow_is_told_and_aborts() {
    let test = "an_overflow_is_told_and_aborts";
    let Some(role) = role() else {
        for role in ["recursion", "large frame", "recursion, mprotect"] {
            let (output, text) = child(test, role);
            assert_told(&output, &text);
        }
        return;
    };
    overflow::install(describe);
    overflow::install(|_, _| unreachable!("the second installation does nothing"));
    match role.as_str() {
        "recursion" => run_on(&default_stack(), recurse_for_ever),
        "large frame" => run_on(&default_stack(), make_a_large_frame),
        _ => {
            let store = Box::leak(Box::new(Store::new(
                Guards::by_protection(None),
                usize::MAX,
            )));
            let stack = StackCache::of(store)
                .take(StackSize::DEFAULT)
                .expect("there is memory");
            run_on(&stack, recurse_for_ever);
        }
    }
}

#[test]
fn other_faults_end_as_without_the_handler() {
    let test = "other_faults_end_as_without_the_handler";
    let Some(role) = role() else {
        for role in [
            "null",
            "null on a coroutine's stack",
            "stray pointer into a guard",
        ] {
            let (output, text) = child(test, role);
            assert_eq!(
                output.status.signal(),
                Some(libc::SIGSEGV),
                "{role}: {text}"
            );
            assert!(!text.contains("overflowed"), "{role}: {text}");
        }
        let (output, text) = child(test, "the thread's own stack");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
        assert!(
            text.contains("has overflowed its stack") && !text.contains("switchback"),
            "{text}"
        );
        return;
    };
    overflow::install(describe);
    let stack = default_stack();
    match role.as_str() {
        "null" => write_at(ptr::null_mut()),
        "null on a coroutine's stack" => run_on(&stack, write_to_null),
        "stray pointer into a guard" => write_at(stack.limit().as_ptr()),
        _ => assert!(recurse(0) > 0),
    }
}

#[test]
fn a_handler_that_was_there_before_is_called() {
    let test = "a_handler_that_was_there_before_is_called";
    extern "C" fn plain(_: c_int) {
        // SAFETY: ends the process; may be called in a signal handler.
        unsafe { libc::_exit(31) }
    }
    extern "C" fn with_info(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
        // SAFETY: the kernel passes a valid one.
        let address = unsafe { (*info).si_addr() };
        // SAFETY: as above.
        unsafe { libc::_exit(32 + address.addr() as c_int) }
    }
    let Some(role) = role() else {
        let expected = [
            ("plain", 31),
            ("with info", 40),
            ("ignored when sent", 7),
            ("bus", 31),
        ];
        for (role, code) in expected {
            let (output, text) = child(test, role);
            assert_eq!(output.status.code(), Some(code), "{role}: {text}");
        }
        return;
    };
    // SAFETY: all zero is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    match role.as_str() {
        "with info" => {
            action.sa_sigaction = with_info as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
        }
        "ignored when sent" => action.sa_sigaction = libc::SIG_IGN,
        _ => action.sa_sigaction = plain as *const () as usize,
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the handlers above have the types that their flags ask for.
        let set = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
        assert_eq!(set, 0);
    }
    overflow::install(describe);
    match role.as_str() {
        "ignored when sent" => {
            // SAFETY: the signal is to be ignored.
            assert_eq!(unsafe { libc::raise(libc::SIGSEGV) }, 0);
            std::process::exit(7);
        }
        // SAFETY: the handler ends the process.
        "bus" => assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0),
        _ => write_at(ptr::without_provenance_mut(8)),
    }
}

#[test]
fn a_default_action_that_was_there_before_ends_the_process() {
    let test = "a_default_action_that_was_there_before_ends_the_process";
    let Some(role) = role() else {
        for role in ["default, fault", "default, sent", "ignored, fault"] {
            let (output, text) = child(test, role);
            assert_eq!(
                output.status.signal(),
                Some(libc::SIGSEGV),
                "{role}: {text}"
            );
        }
        return;
    };
    let default = if role.starts_with("default") {
        libc::SIG_DFL
    } else {
        libc::SIG_IGN
    };
    // SAFETY: sets no function as a handler.
    unsafe { libc::signal(libc::SIGSEGV, default) };
    overflow::install(describe);
    if role.ends_with("fault") {
        write_at(ptr::null_mut());
    } else {
        // SAFETY: the child is meant to die of it.
        unsafe { libc::raise(libc::SIGSEGV) };
    }
}

/// The calling thread's alternate stack: its low end and its size; none if it has none.
fn alternate() -> Option<(NonNull<c_void>, usize)> {
    let mut stack = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: 0,
        ss_size: 0,
    };
    // SAFETY: asks only.
    assert_eq!(unsafe { libc::sigaltstack(ptr::null(), &mut stack) }, 0);
    NonNull::new(stack.ss_sp).map(|low| (low, stack.ss_size))
}

#[test]
fn an_alternate_stack_is_put_back() {
    std::thread::spawn(|| {
        let before = alternate();
        {
            let _outer = AltStack::install();
            let ours = alternate().expect("there is one now");
            assert!(ours.1 >= 64 << 10);
            {
                let _inner = AltStack::install();
                assert_eq!(alternate(), Some(ours), "one that is large enough is kept");
            }
            assert_eq!(alternate(), Some(ours));
        }
        assert_eq!(alternate(), before);
    })
    .join()
    .expect("no assertion failed");
}

#[test]
fn a_message_is_cut_off_and_not_overrun() {
    let mut message = Message::new();
    message.push_number(0);
    message.push(" ");
    message.push_number(u64::MAX);
    assert_eq!(message.as_bytes(), b"0 18446744073709551615");
    for _ in 0..100 {
        message.push_bytes(b"0123456789");
    }
    assert_eq!(message.as_bytes().len(), 512);
}
