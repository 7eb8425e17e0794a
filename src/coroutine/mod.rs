//! Layer 2: a switched stack that suspends and resumes. The only module that knows corosensei.
//!
//! A started coroutine is a [`Header`] at the top of its stack's slot:
//!
//! ```text
//! [ guard | ... frames grow down ... | parent link | entry | HEADER | colour ] end of the slot
//!                                     ^ a line        ^ base of corosensei's stack
//! ```
//!
//! The header stands 16 bytes after the start of a cache line, so that what a resume needs of it (the coroutine object, the
//! hooks) is in one with the parent link, which the switch itself touches. It knows the task it runs only as an address: what a
//! task is comes later, in a higher layer.
//!
//! Roles: the *owner thread* resumes, the *coroutine* suspends; both are one thread (R1), so nothing here is atomic.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use corosensei::stack::StackPointer;
use corosensei::{Coroutine, Yielder};

use crate::stack::{Stack, StackSize};
use crate::util::prefetch::{self, LINE, Need};

/// The bounds that corosensei is told; the memory itself is owned by the header.
#[derive(Debug)]
struct Bounds {
    base: StackPointer,
    limit: StackPointer,
}

// SAFETY: the bounds describe a slot with a guard at its low end and at least 64 KiB, owned by the header that stands
// right above `base`; `base` is 16-byte aligned.
unsafe impl corosensei::stack::Stack for Bounds {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.limit
    }
}

/// How many lines under that of its header a coroutine's outermost frames take: as many as most coroutines have.
const FRAME_LINES: usize = 10;
/// How many of them are asked for where they were in use a moment ago: more take longer than they save.
const SWITCH_LINES: usize = 1;

type Raw = Coroutine<(), (), (), Bounds>;

/// What stands at the top of a started coroutine's stack.
#[repr(C, align(16))]
pub(crate) struct Header {
    raw: ManuallyDrop<Raw>,
    size: StackSize,
    /// What whoever resumes this stack has to do around it, as bits that higher layers define, and [`ENDED`]. Mostly none.
    hooks: Cell<u8>,
    /// The task that runs on this stack, as an address.
    task: Cell<*const ()>,
}

/// What corosensei keeps right under the base: the parent link, and its initial function.
const UNDER_BASE: usize = 16;
/// How far under the base the parent link stands, which is what corosensei calls the yielder.
const YIELDER: usize = if cfg!(target_arch = "powerpc64") {
    32
} else {
    16
};

/// Bit of the hooks: the coroutine has ended, or [rests](rest). So whoever resumes asks one question.
const ENDED: u8 = 1 << 7;

/// How far under the top the header begins.
const HEADER: usize = 2 * LINE - UNDER_BASE;

const _: () = assert!(
    size_of::<Header>() <= HEADER && std::mem::offset_of!(Header, task) <= LINE - UNDER_BASE,
    "what a switch needs of a header is in one line with the parent link"
);

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header")
            .field("task", &self.task.get())
            .finish_non_exhaustive()
    }
}

impl Header {
    /// The task that runs on this stack.
    #[inline(always)]
    pub(crate) fn task(&self) -> *const () {
        self.task.get()
    }

    /// The first resume tells where the yielder stands: where it is looked for from then on.
    fn meet_yielder(&self, yielder: *const Yielder<(), ()>) {
        assert!(
            std::ptr::from_ref(self).addr() - yielder.addr() == YIELDER,
            "corosensei keeps its parent link elsewhere on this target"
        );
    }

    /// Gives the stack to another task.
    #[inline(always)]
    pub(crate) fn set_task(&self, task: *const ()) {
        self.task.set(task);
    }
}

/// The yielder of a coroutine.
///
/// # Safety
///
/// The header has not been reclaimed, and the coroutine has been resumed.
#[inline(always)]
unsafe fn yielder_of(header: NonNull<Header>) -> *const Yielder<(), ()> {
    header.as_ptr().wrapping_byte_sub(YIELDER).cast()
}

/// What has to be done around a resumption of this stack.
///
/// # Safety
///
/// The header has not been reclaimed; called by the owner thread.
#[inline(always)]
pub(crate) unsafe fn hooks(header: NonNull<Header>) -> u8 {
    // SAFETY: alive, says the caller.
    unsafe { (*header.as_ptr()).hooks.get() }
}

/// Sets or clears one of the hooks.
///
/// # Safety
///
/// As for [`hooks`].
pub(crate) unsafe fn set_hook(header: NonNull<Header>, hook: u8, on: bool) {
    // SAFETY: alive, says the caller.
    let hooks = unsafe { &(*header.as_ptr()).hooks };
    hooks.set(if on {
        hooks.get() | hook
    } else {
        hooks.get() & !hook
    });
}

/// The size class of the stack that a header stands on.
///
/// # Safety
///
/// The header has not been reclaimed.
#[inline]
pub(crate) unsafe fn stack_size(header: NonNull<Header>) -> StackSize {
    // SAFETY: alive, says the caller; the size is never written after `create`.
    unsafe { (*header.as_ptr()).size }
}

/// Where the header of a stack with this top stands.
pub(crate) fn header_of(top: *mut u8) -> *const Header {
    top.wrapping_sub(HEADER).cast()
}

/// Prepares a coroutine on `stack` that will call `entry` with its header when it is first resumed.
///
/// # Safety
///
/// - `entry` does not unwind, and returns only when nothing on the stack is needed any more.
/// - The header is resumed, and at the end reclaimed, by one thread only (R1, R3).
#[inline]
pub(crate) unsafe fn create(
    stack: Stack,
    task: *const (),
    entry: impl FnOnce(NonNull<Header>) + 'static,
) -> NonNull<Header> {
    let top = stack.top();
    let place: *mut Header = header_of(top.as_ptr()).cast_mut();
    let base = StackPointer::new(place as usize).expect("a stack is never at address zero");
    let limit = StackPointer::new(stack.limit().as_ptr() as usize)
        .expect("a stack is never at address zero");
    let address = place as usize;
    let body = move |yielder: &Yielder<(), ()>, (): ()| {
        let header = place_of(address);
        // SAFETY: the header was written below, before the first resume, and lives until it is reclaimed.
        unsafe { header.as_ref() }.meet_yielder(yielder);
        entry(header);
        // SAFETY: as above.
        unsafe { set_hook(header, ENDED, true) };
    };
    // SAFETY: everything that the closure holds is `'static` data; the stack's memory is owned by the header.
    let raw = unsafe { Raw::with_stack_unchecked(Bounds { base, limit }, body) };
    let (_, size) = stack.into_raw();
    let header = Header {
        raw: ManuallyDrop::new(raw),
        size,
        hooks: Cell::new(0),
        task: Cell::new(task),
    };
    // SAFETY: what lies under the slot's top is writable, and ours since `stack` is; the place is 16-byte aligned.
    unsafe { place.write(header) };
    // SAFETY: `place` was derived from a non-null stack top.
    unsafe { NonNull::new_unchecked(place) }
}

fn place_of(address: usize) -> NonNull<Header> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(address)).expect("a header is never null")
}

/// Suspends a coroutine as if it had ended, until it is resumed once more.
///
/// # Safety
///
/// As for [`suspend`].
#[inline(always)]
pub(crate) unsafe fn rest(header: NonNull<Header>) {
    // SAFETY: alive, since we run on it; and passed on to the caller.
    unsafe {
        set_hook(header, ENDED, true);
        suspend(header);
        set_hook(header, ENDED, false);
    }
}

/// Runs the coroutine until it suspends (false) or ends (true).
///
/// # Safety
///
/// Called by the owner thread, on a header that has not ended, from outside that coroutine.
#[inline(always)]
pub(crate) unsafe fn resume(header: NonNull<Header>) -> bool {
    // SAFETY: in bounds of a live header; the reference covers `raw` alone, which only the owner thread touches, while
    // the running coroutine uses the other fields.
    let raw = unsafe { &mut *std::ptr::addr_of_mut!((*header.as_ptr()).raw) };
    // SAFETY: it has not ended, says the caller; so corosensei need not ask.
    unsafe { std::hint::assert_unchecked(!raw.done()) };
    // That it has ended is among the hooks, which are looked at anyway.
    let _ = raw.resume(());
    // SAFETY: the caller reclaims it, if anybody does.
    unsafe { hooks(header) & ENDED != 0 }
}

/// Switches from the running coroutine back to whoever resumed it.
///
/// # Safety
///
/// Called on the very stack that `header` stands on.
#[inline(always)]
pub(crate) unsafe fn suspend(header: NonNull<Header>) {
    // SAFETY: alive, since we run on it; the yielder lives as long as the coroutine.
    let yielder = unsafe { &*yielder_of(header) };
    yielder.suspend(());
}

/// Runs `call` on the stack of whoever resumed the coroutine.
///
/// # Safety
///
/// Called on the very stack that `header` stands on, by a coroutine that does not suspend inside. `call` does not unwind.
pub(crate) unsafe fn on_parent_stack<R>(header: NonNull<Header>, call: impl FnOnce() -> R) -> R {
    struct OnThisThread<F>(F);
    // SAFETY: it is called on this thread, before this function returns.
    unsafe impl<F> Send for OnThisThread<F> {}
    impl<F: FnOnce() -> R, R> OnThisThread<F> {
        fn call(self) -> R {
            (self.0)()
        }
    }
    // SAFETY: as in `suspend`.
    let yielder = unsafe { &*yielder_of(header) };
    let call = OnThisThread(call);
    yielder.on_parent_stack(move || call.call())
}

/// Asks for the memory that a resumption of this stack is about to touch. It may have ended, or be gone.
#[inline(always)]
pub(crate) fn prefetch(header: NonNull<Header>, need: Need) {
    let below = match need {
        Need::Cold => FRAME_LINES,
        Need::Warm => SWITCH_LINES,
    };
    let from = header.as_ptr().wrapping_byte_sub(UNDER_BASE + below * LINE);
    prefetch::lines(from, below + 1);
}

/// Takes the stack back from a coroutine that [rests](rest), and will not go on.
///
/// # Safety
///
/// As for [`reclaim`]; nothing on its stack needs a drop.
pub(crate) unsafe fn reclaim_resting(header: NonNull<Header>) -> Stack {
    // SAFETY: in bounds of a live header; nothing is dropped by it, and nothing has to be, says the caller.
    unsafe { (*std::ptr::addr_of_mut!((*header.as_ptr()).raw)).force_reset() };
    // SAFETY: it has ended now.
    unsafe { reclaim(header) }
}

/// Takes the stack back from a coroutine that has ended.
///
/// # Safety
///
/// The coroutine has returned, and nobody uses its header afterwards.
#[inline]
pub(crate) unsafe fn reclaim(header: NonNull<Header>) -> Stack {
    // SAFETY: not reclaimed yet.
    let size = unsafe { stack_size(header) };
    // SAFETY: it has ended, so its frames and the closure on top are gone; the object is moved out once.
    let raw = unsafe { ManuallyDrop::take(&mut *std::ptr::addr_of_mut!((*header.as_ptr()).raw)) };
    let bounds = raw.into_stack();
    let base = NonNull::new(std::ptr::with_exposed_provenance_mut(bounds.limit.get()));
    // SAFETY: the parts that `create` took apart, used once more.
    unsafe { Stack::from_raw(base.expect("a stack is never at address zero"), size) }
}
