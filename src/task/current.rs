//! Who runs on this thread. The only file with thread-locals (R7).
//!
//! A coroutine that has started stays on its thread, so what is read here before a suspension is still true after it.
//! All the same no reference into a thread-local leaves this file, and the functions are never inlined: the address of a
//! thread-local is computed anew at each call, whatever the optimiser knows of the calling function.

use std::cell::Cell;
use std::ptr;

use crate::task::home::Home;

thread_local! {
    static HOME: Cell<*const Home> = const { Cell::new(ptr::null()) };
    /// The same, but null while `CLOSED_FRAMES` are more than none: one word for those who ask for both each time.
    static OPEN: Cell<*const Home> = const { Cell::new(ptr::null()) };
    /// How many frames of the runtime that must not suspend are on this thread's stack (R6).
    static CLOSED_FRAMES: Cell<u32> = const { Cell::new(0) };
    static EXIT: Exit = const { Exit(Cell::new(None)) };
}

/// Runs a function when the thread ends.
struct Exit(Cell<Option<fn(&'static Home)>>);

impl Drop for Exit {
    fn drop(&mut self) {
        let home = HOME
            .try_with(|cell| cell.replace(ptr::null()))
            .unwrap_or(ptr::null());
        let _ = OPEN.try_with(|cell| cell.set(ptr::null()));
        if let (Some(leave), false) = (self.0.get(), home.is_null()) {
            // SAFETY: homes are never freed.
            leave(unsafe { &*home });
        }
    }
}

/// The home of this thread, if it has one.
#[inline(never)]
pub(crate) fn home() -> Option<&'static Home> {
    let home = HOME.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: homes are never freed.
    unsafe { home.as_ref() }
}

/// The home of this thread, if it has one and [no frame that must not suspend](is_closed) is on its stack.
#[inline(never)]
pub(crate) fn open_home() -> Option<&'static Home> {
    let home = OPEN.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: homes are never freed.
    unsafe { home.as_ref() }
}

/// Sets what [`open_home`] tells, for so many closed frames.
#[inline(always)]
fn show_closed(count: u32) {
    let home = if count > 0 {
        ptr::null()
    } else {
        HOME.try_with(Cell::get).unwrap_or(ptr::null())
    };
    let _ = OPEN.try_with(|cell| cell.set(home));
}

/// Gives this thread a home; `leave` runs with it when the thread ends, unless it is ending already.
#[inline(never)]
pub(crate) fn settle(home: &'static Home, leave: fn(&'static Home)) {
    let _ = EXIT.try_with(|exit| exit.0.set(Some(leave)));
    // It needs no destructor, so it can be reached to the very end.
    let _ = HOME.try_with(|cell| cell.set(home));
    show_closed(closed_frames());
}

/// Bit of the count of closed frames: one of them is the block of a sequence.
const IN_BLOCK: u32 = 1 << 31;

/// Whether a frame of the runtime that must not suspend is on this thread's stack.
#[inline(never)]
pub(crate) fn is_closed() -> bool {
    // Not by way of `closed_frames`: every suspension asks, and that would be a second call.
    CLOSED_FRAMES.try_with(Cell::get).unwrap_or(0) > 0
}

/// Whether the block of a sequence is one of the frames that must not suspend.
#[inline(never)]
pub(crate) fn is_in_block() -> bool {
    closed_frames() & IN_BLOCK != 0
}

/// How many frames that must not suspend are on this thread's stack, as a number that is only compared.
#[inline(never)]
pub(crate) fn closed_frames() -> u32 {
    CLOSED_FRAMES.try_with(Cell::get).unwrap_or(0)
}

/// The count of closed frames in the block of a sequence that was entered at this count.
#[inline(always)]
pub(crate) fn count_in_block(before: u32) -> u32 {
    before.wrapping_add(1) | IN_BLOCK
}

/// Enters the block of a sequence, which runs on a stack of its own inside the present task: until it is left, nothing on
/// this thread suspends. Returns the count of closed frames before.
#[inline(never)]
pub(crate) fn enter_block() -> u32 {
    let before = CLOSED_FRAMES
        .try_with(|count| count.replace(count_in_block(count.get())))
        .unwrap_or(0);
    show_closed(count_in_block(before));
    before
}

/// Sets the count to what it was before the block of a sequence was entered, or to what it is in there. Returns what it was.
#[inline(never)]
pub(crate) fn swap_closed_frames(count: u32) -> u32 {
    show_closed(count);
    CLOSED_FRAMES
        .try_with(|cell| cell.replace(count))
        .unwrap_or(0)
}

/// Stands in a frame that has told of the running task, its job or its thread to code of the user's, and goes on with that
/// afterwards. Where nothing suspends anyway it counts as a closed frame too, so that the block of a sequence does not yield
/// out of it, and into another task.
#[derive(Debug)]
#[must_use]
pub(crate) struct Standing {
    counts: bool,
}

impl Standing {
    #[inline]
    pub(crate) fn here() -> Self {
        let counts = is_closed();
        if counts {
            add_closed(1);
        }
        Self { counts }
    }

    /// In a frame that found nothing closed when it was opened.
    #[inline]
    pub(crate) fn nowhere() -> Self {
        Self { counts: false }
    }
}

impl Drop for Standing {
    #[inline]
    fn drop(&mut self) {
        if self.counts {
            add_closed(-1);
        }
    }
}

#[inline(never)]
fn add_closed(by: i32) {
    let count = closed_frames().wrapping_add_signed(by);
    let _ = CLOSED_FRAMES.try_with(|cell| cell.set(count));
    show_closed(count);
}

/// Runs user code inside a frame of the runtime: whatever it calls must not suspend, and its panic is given back.
pub(crate) fn closed<R>(call: impl FnOnce() -> R) -> std::thread::Result<R> {
    add_closed(1);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    add_closed(-1);
    result
}
