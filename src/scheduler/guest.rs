//! Stacks for guests: what runs inside a task, on a stack of its own, and is no task. The block of a sequence is one.
//!
//! A guest's stack comes from the cache of the thread's worker. A thread that has never suspended has none, and one that
//! runs its last destructors has it no more: there it comes from, and goes to, the store of the process.

use std::panic::Location;
use std::ptr::NonNull;

use crate::coroutine::{self, Header};
use crate::scheduler::hooks::HOOK_GUEST;
use crate::scheduler::running;
use crate::scheduler::worker::Worker;
use crate::stack::overflow::{self, Message};
use crate::stack::{StackCache, StackError, StackSize};
use crate::task::current;

/// What stands in place of a task in the header of a guest's stack, at the beginning of the guest's own data.
#[derive(Debug)]
pub(crate) struct Guest {
    /// What it is called when its stack overflows.
    pub(crate) name: &'static str,
    /// Where it was made.
    pub(crate) place: &'static Location<'static>,
}

/// Prepares a stack on which `entry` will be called with its header at the first resume.
///
/// # Errors
///
/// There is no memory for a stack.
///
/// # Safety
///
/// - `guest` starts with a [`Guest`], and is alive while it runs.
/// - What [`coroutine::create`] asks for.
pub(crate) unsafe fn create(
    guest: NonNull<Guest>,
    size: StackSize,
    entry: unsafe fn(NonNull<Header>),
) -> Result<NonNull<Header>, StackError> {
    overflow::install(running::describe);
    let stack = match current::home() {
        Some(home) => {
            let worker = Worker::of(home);
            worker
                .with_stacks(|stacks| stacks.take(size))
                .or_else(|error| match worker.resting.dismiss() {
                    Some(stack) if stack.size() == size => Ok(stack),
                    _ => Err(error),
                })
        }
        None => StackCache::new().take(size),
    }?;
    // SAFETY: passed on to the caller.
    let header = unsafe {
        coroutine::create(stack, guest.as_ptr().cast_const().cast(), move |header| {
            entry(header)
        })
    };
    // SAFETY: just made, by this thread.
    unsafe { coroutine::set_hook(header, HOOK_GUEST, true) };
    Ok(header)
}

/// Takes back the stack of a guest that has ended.
///
/// # Safety
///
/// As for [`coroutine::reclaim`].
pub(crate) unsafe fn reclaim(header: NonNull<Header>) {
    // SAFETY: passed on to the caller.
    let stack = unsafe { coroutine::reclaim(header) };
    match current::home() {
        Some(home) => Worker::of(home).with_stacks(|stacks| stacks.put(stack)),
        None => drop(stack),
    }
}

/// Tells which guest has overflowed its stack. Runs in the signal handler: it reads memory and nothing else.
pub(super) fn describe(guest: &Guest, message: &mut Message) {
    message.push(guest.name);
    message.push(" made at ");
    message.push(guest.place.file());
    message.push(":");
    message.push_number(guest.place.line().into());
}
