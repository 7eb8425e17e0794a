//! What becomes of the address of a thread-local across a switch? For asm-notes/thread_locals.md.

use std::arch::asm;
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Stands for any switch: whatever it calls may come back on another thread. It says to the compiler what the real one
/// says: that all registers and all memory may have changed.
#[inline(always)]
fn switch(by: usize) {
    // SAFETY: never run. It is compiled and looked at.
    unsafe {
        asm!(
            "call rdx",
            inlateout("rdx") by => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
}

/// A value is read, a switch made, and the value read again: a user's plain code.
#[inline(never)]
pub fn reads(by: usize) -> (u64, u64) {
    let before = COUNT.get();
    switch(by);
    (before, COUNT.get())
}

/// Its address is handed to a function, before the switch and after it.
#[inline(never)]
pub fn hands_over(by: usize) {
    COUNT.with(add);
    switch(by);
    COUNT.with(add);
}

/// Stands for any function that is not inlined and takes a reference, as most that work on a `RefCell` are.
#[inline(never)]
fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// What the library does: a function that is not inlined, and returns a value.
#[inline(never)]
pub fn count() -> u64 {
    COUNT.get()
}

/// Two calls of it.
#[inline(never)]
pub fn asks(by: usize) -> (u64, u64) {
    let before = count();
    switch(by);
    (before, count())
}
