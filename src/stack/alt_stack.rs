//! The stack that signal handlers run on.

use std::marker::PhantomData;
use std::ptr;

use libc::{c_void, stack_t};

use super::size::page_bytes;

/// What a worker's alternate stack measures.
const BYTES: usize = 64 << 10;

/// An alternate stack that is there already and measures this much is left in place.
const ENOUGH: usize = 32 << 10;

/// Where the kernel tells how large a signal frame may be.
const AT_MINSIGSTKSZ: libc::c_ulong = 51;

/// The calling thread's alternate signal stack, for as long as this lives. Dropped, it puts back what was there before.
///
/// The standard library gives its threads one too, but a small one: a signal frame may take nearly 12 KiB of it, and a
/// handler of the host application wants room.
#[derive(Debug)]
#[must_use]
pub(crate) struct AltStack {
    mapping: Option<Mapping>,
    /// It belongs to the thread that installed it.
    _thread: PhantomData<*mut ()>,
}

/// An alternate stack of ours.
#[derive(Debug)]
struct Mapping {
    /// The lowest address: a guard page.
    base: *mut c_void,
    /// Including the guard page.
    bytes: usize,
    /// What the thread had before.
    before: stack_t,
}

impl AltStack {
    /// Gives the calling thread an alternate stack, unless it has one that is large enough. If there is no memory, the
    /// thread keeps what it has.
    pub(crate) fn install() -> Self {
        let before = current();
        let has_one = before.ss_flags & libc::SS_DISABLE == 0;
        let mapping = if has_one && before.ss_size >= ENOUGH {
            None
        } else {
            Mapping::install(before)
        };
        Self {
            mapping,
            _thread: PhantomData,
        }
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            mapping.remove();
        }
    }
}

impl Mapping {
    fn install(before: stack_t) -> Option<Self> {
        // SAFETY: reads a value that the kernel left for the process.
        let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
        let usable = BYTES.max((frame + ENOUGH).next_multiple_of(page_bytes()));
        let bytes = usable + page_bytes();
        // SAFETY: a fresh private mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        let mapping = Self {
            base,
            bytes,
            before,
        };
        // SAFETY: the mapping's first page, which nobody uses.
        let guarded = unsafe { libc::mprotect(base, page_bytes(), libc::PROT_NONE) } == 0;
        let stack = stack_t {
            ss_sp: mapping.low_end(),
            ss_flags: 0,
            ss_size: usable,
        };
        // SAFETY: the memory is ours and stays mapped until `remove`.
        if guarded && unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } == 0 {
            return Some(mapping);
        }
        mapping.unmap();
        None
    }

    /// Puts back what was there before, unless somebody else has replaced ours meanwhile.
    fn remove(self) {
        if current().ss_sp == self.low_end() {
            // SAFETY: what the thread had before outlives what it got later.
            if unsafe { libc::sigaltstack(&self.before, ptr::null_mut()) } != 0 {
                // We stand on it: a handler ends the thread. It must stay mapped.
                return;
            }
        }
        self.unmap();
    }

    fn low_end(&self) -> *mut c_void {
        self.base.wrapping_byte_add(page_bytes())
    }

    fn unmap(self) {
        // SAFETY: ours, and no thread's alternate stack any more.
        unsafe { libc::munmap(self.base, self.bytes) };
    }
}

/// The calling thread's alternate stack.
fn current() -> stack_t {
    let mut stack = stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: asks only; the struct is valid for a write.
    unsafe { libc::sigaltstack(ptr::null(), &mut stack) };
    stack
}
