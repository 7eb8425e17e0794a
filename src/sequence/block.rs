//! What an iterator and the block that it runs have in common.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;

use crate::coroutine::{self, Header};
use crate::error::Result;
use crate::scheduler::guest::{self, Guest};
use crate::sequence::scope::SequenceScope;
use crate::stack::{StackError, StackSize};
use crate::task::current;

pub(super) type Block<T> = Box<dyn FnOnce(&SequenceScope<T>) -> Result<()>>;

/// How a block has ended: with what it returned, or by a panic.
pub(super) type Ended = std::result::Result<Result<()>, Box<dyn Any + Send>>;

/// One run of a block. It stands in an allocation of its own, whose address the block's stack knows.
#[repr(C)]
pub(super) struct Run<T> {
    guest: Guest,
    pub(super) scope: SequenceScope<T>,
    /// The block, before its first step.
    block: Cell<Option<Block<T>>>,
    /// How it has ended, until that is told.
    ended: Cell<Option<Ended>>,
    stack: Cell<StackSize>,
    /// The block runs: its iterator is on the way to the next element.
    runs: Cell<bool>,
}

impl<T: 'static> Run<T> {
    pub(super) fn new(
        block: Block<T>,
        place: &'static Location<'static>,
        stack: StackSize,
    ) -> Self {
        Self {
            guest: Guest {
                name: "the block of a sequence",
                place,
            },
            scope: SequenceScope::new(place),
            block: Cell::new(Some(block)),
            ended: Cell::new(None),
            stack: Cell::new(stack),
            runs: Cell::new(false),
        }
    }

    pub(super) fn place(&self) -> &'static Location<'static> {
        self.guest.place
    }

    /// Whether the block has not begun.
    pub(super) fn is_new(&self) -> bool {
        let block = self.block.take();
        let is_new = block.is_some();
        self.block.set(block);
        is_new
    }

    pub(super) fn set_stack_size(&self, stack: StackSize) {
        self.stack.set(stack);
    }

    /// Gives a block that has not begun its stack. `None` if it has ended.
    ///
    /// # Safety
    ///
    /// `run` is alive until the block has ended; no other thread uses it.
    pub(super) unsafe fn begin(
        run: NonNull<Self>,
    ) -> std::result::Result<Option<NonNull<Header>>, StackError> {
        // SAFETY: alive, says the caller.
        let this = unsafe { run.as_ref() };
        if !this.is_new() {
            return Ok(None);
        }
        // SAFETY: a run begins with its `Guest` (`repr(C)`) and outlives the block; `enter` does not unwind, and nothing on its
        // stack is needed once it has returned; only this thread comes here.
        match unsafe { guest::create(run.cast(), this.stack.get(), enter::<T>) } {
            Ok(header) => {
                this.scope.set_header(Some(header));
                Ok(Some(header))
            }
            Err(error) => {
                // It will never begin.
                drop(this.block.take());
                Err(error)
            }
        }
    }

    /// Runs the block to its next `yield_` (false), or to its end (true).
    ///
    /// # Safety
    ///
    /// The block stands still on the stack of `header`, which is this run's.
    #[inline(always)]
    pub(super) unsafe fn resume(&self, header: NonNull<Header>) -> bool {
        self.runs.set(true);
        // SAFETY: passed on to the caller.
        let has_ended = unsafe { self.step(header) };
        self.runs.set(false);
        has_ended
    }

    /// Whether the block runs. Who has its iterator then is a destructor of the thread, in a process that ends in the block.
    #[inline(always)]
    pub(super) fn runs(&self) -> bool {
        self.runs.get()
    }

    /// # Safety
    ///
    /// As for [`Run::resume`].
    #[inline(always)]
    unsafe fn step(&self, header: NonNull<Header>) -> bool {
        if std::thread::panicking() {
            // SAFETY: passed on to the caller.
            return unsafe { self.resume_while_panicking(header) };
        }
        let before = current::enter_block();
        // SAFETY: on the thread that has begun it, since the iterator is not `Send`; the block stands still.
        if unsafe { coroutine::resume(header) } {
            current::swap_closed_frames(before);
            return true;
        }
        let inside = current::swap_closed_frames(before);
        if inside != current::count_in_block(before) || std::thread::panicking() {
            // SAFETY: as above.
            return unsafe { self.turn_back(header, before, inside, false) };
        }
        false
    }

    /// The same, in a destructor that runs because the thread panics.
    ///
    /// # Safety
    ///
    /// As for [`Run::resume`].
    #[cold]
    #[inline(never)]
    unsafe fn resume_while_panicking(&self, header: NonNull<Header>) -> bool {
        let before = current::enter_block();
        // SAFETY: as in `resume`.
        let has_ended = unsafe { coroutine::resume(header) };
        let inside = current::swap_closed_frames(before);
        if has_ended || inside == current::count_in_block(before) {
            return has_ended;
        }
        // SAFETY: as in `resume`.
        unsafe { self.turn_back(header, before, inside, true) }
    }

    /// The block has yielded out of frames that are not its own, or while it panics: it goes on at once, with an error, until
    /// it yields as it should, or ends. `panicking` says whether the thread did so before.
    ///
    /// # Safety
    ///
    /// As for [`Run::resume`]; it has not ended.
    #[cold]
    #[inline(never)]
    unsafe fn turn_back(
        &self,
        header: NonNull<Header>,
        before: u32,
        mut inside: u32,
        panicking: bool,
    ) -> bool {
        loop {
            self.scope.refuse_this();
            current::swap_closed_frames(inside);
            // SAFETY: as in `resume`.
            let has_ended = unsafe { coroutine::resume(header) };
            inside = current::swap_closed_frames(before);
            let welcome =
                inside == current::count_in_block(before) && std::thread::panicking() == panicking;
            if has_ended || welcome {
                return has_ended;
            }
        }
    }

    /// Runs the block, which yields no more, to its end.
    ///
    /// # Safety
    ///
    /// As for [`Run::resume`].
    pub(super) unsafe fn run_to_end(&self, header: NonNull<Header>) -> bool {
        self.scope.close();
        self.runs.set(true);
        let before = current::enter_block();
        // SAFETY: as above.
        let has_ended = unsafe { coroutine::resume(header) };
        current::swap_closed_frames(before);
        self.runs.set(false);
        has_ended
    }

    /// Takes the stack back from a block that has ended, and tells how it did.
    ///
    /// # Safety
    ///
    /// It has just ended, on the stack of `header`.
    pub(super) unsafe fn end(&self, header: NonNull<Header>) -> Ended {
        self.scope.set_header(None);
        // SAFETY: it has ended, and nobody knows the header any more.
        unsafe { guest::reclaim(header) };
        self.ended.take().unwrap_or(Ok(Ok(())))
    }
}

/// What runs at the base of a block's stack.
///
/// # Safety
///
/// Called by the switch, with the header of the stack that it runs on.
unsafe fn enter<T: 'static>(header: NonNull<Header>) {
    // SAFETY: the header stands as long as the stack runs; the run was given to `guest::create`, and outlives the block.
    let run = unsafe { &*header.as_ref().task().cast::<Run<T>>() };
    let Some(block) = run.block.take() else {
        return;
    };
    // The closure is consumed by the call, so it is gone before the block counts as ended.
    let ended = catch_unwind(AssertUnwindSafe(|| block(&run.scope)));
    run.ended.set(Some(ended));
}
