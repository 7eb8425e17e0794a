//! The forms of a task block: a coroutine with its closure and result, and blocks without a body.

use std::cell::UnsafeCell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

use crate::task::blocks::{self, Bare};
use crate::task::home::Home;
use crate::task::vtable::TaskVTable;
use crate::task::waiter::Waiter;
use crate::task::{Birth, Task, current};

/// A coroutine's block. The result stands before the closure, so that a handle finds it without knowing the closure.
#[repr(C)]
pub(crate) struct TaskCell<T, F> {
    task: Task,
    value: UnsafeCell<MaybeUninit<T>>,
    body: UnsafeCell<ManuallyDrop<F>>,
}

/// The memory of a coroutine, in turn: until its body begins, and again when that has returned, the cell; in between, if it has a
/// stack, to which the closure has gone then, its [`resting_place`](Task::resting_place).
#[repr(C)]
union Block<T, F> {
    cell: ManuallyDrop<TaskCell<T, F>>,
    waiting: ManuallyDrop<Waiting>,
}

#[repr(C)]
struct Waiting {
    task: Task,
    waiter: Waiter,
}

impl Task {
    /// Owner: where a coroutine that runs on a stack of its own may leave what others look for when it waits, since that stack will be
    /// far away for them, and hardly two have theirs on one page. Of the block nothing but the header is in use meanwhile.
    #[inline(always)]
    pub(crate) fn resting_place(&self) -> Option<*mut Waiter> {
        // Whatever has a stack is a coroutine that may have one, whose block is a `Block`.
        self.stack.get()?;
        let waiting: *mut Waiting = whole(self).cast_mut().cast();
        // SAFETY: in bounds of such a block.
        Some(unsafe { &raw mut (*waiting).waiter })
    }
}

/// Lets [`whole`] find the block again.
fn expose(task: NonNull<Task>) -> NonNull<Task> {
    let _ = task.as_ptr().expose_provenance();
    task
}

/// The block that a header stands in. A reference reaches no further than the header, so the pointer is made from the
/// address, which `expose` has made known.
fn whole(task: &Task) -> *const Task {
    std::ptr::with_exposed_provenance(std::ptr::from_ref(task).addr())
}

/// The front of a block, as far as the result.
#[repr(C)]
struct ValueCell<T> {
    task: Task,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T, F> TaskCell<T, F> {
    /// Makes a task in a new block, and moves a closure into it.
    ///
    /// # Safety
    ///
    /// `here` is the home of the calling thread, if it has one.
    #[inline]
    pub(crate) unsafe fn allocate(
        here: Option<&'static Home>,
        birth: Birth,
        body: F,
    ) -> NonNull<Task> {
        // SAFETY: passed on to the caller.
        unsafe { Self::begin(blocks::take::<Block<T, F>>(here).cast(), birth, body) }
    }

    /// The same for what will never have a stack, nor therefore a resting place.
    ///
    /// # Safety
    ///
    /// As for `allocate`.
    #[inline]
    pub(crate) unsafe fn allocate_stackless(
        here: Option<&'static Home>,
        birth: Birth,
        body: F,
    ) -> NonNull<Task> {
        // SAFETY: passed on to the caller.
        unsafe { Self::begin(blocks::take::<Self>(here), birth, body) }
    }

    /// # Safety
    ///
    /// The memory is for this, and the caller's alone.
    #[inline(always)]
    unsafe fn begin(cell: NonNull<Self>, birth: Birth, body: F) -> NonNull<Task> {
        // Each where it is to stand: made first and then moved, the task would be copied by a call.
        // SAFETY: passed on to the caller. The value needs nothing.
        unsafe {
            (&raw mut (*cell.as_ptr()).task).write(Task::new(birth));
            (&raw mut (*cell.as_ptr()).body).write(UnsafeCell::new(ManuallyDrop::new(body)));
        }
        expose(cell.cast())
    }

    fn of(task: &Task) -> *const Self {
        whole(task).cast()
    }

    /// Where the closure stands.
    pub(crate) fn body(task: &Task) -> *const F {
        // SAFETY: in bounds of the block, by its type.
        let body = unsafe { &raw const (*Self::of(task)).body };
        UnsafeCell::raw_get(body).cast_const().cast()
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// The block is of these types, its closure has not been moved out, and the caller has the sole right to start it.
    #[inline]
    pub(crate) unsafe fn take_body(task: &Task) -> F {
        // SAFETY: in bounds of the block, by its type.
        let body = unsafe { &raw const (*Self::of(task)).body };
        // SAFETY: the caller has the sole right to it.
        unsafe { ManuallyDrop::take(&mut *UnsafeCell::raw_get(body)) }
    }

    /// Stores the result.
    ///
    /// # Safety
    ///
    /// As for `take_body`, which came before; called at most once.
    #[inline]
    pub(crate) unsafe fn put_value(task: &Task, value: T) {
        // SAFETY: in bounds of the block, by its type.
        let slot = unsafe { &raw const (*Self::of(task)).value };
        // SAFETY: nobody reads it before the job has completed.
        unsafe { (*UnsafeCell::raw_get(slot)).write(value) };
    }

    /// Drops the closure where it stands (for the vtable).
    ///
    /// # Safety
    ///
    /// As for `take_body`.
    pub(crate) unsafe fn drop_body(task: &Task) {
        // SAFETY: passed on to the caller.
        drop(unsafe { Self::take_body(task) });
    }

    /// Drops the result where it stands (for the vtable).
    ///
    /// # Safety
    ///
    /// As for [`take_value`].
    pub(crate) unsafe fn drop_value(task: &Task) {
        // SAFETY: passed on to the caller.
        drop(unsafe { take_value::<T>(task) });
    }

    /// Frees the block (for the vtable).
    ///
    /// # Safety
    ///
    /// The block is of these types, the caller had the last count, and nothing is left in it that needs a drop.
    pub(crate) unsafe fn free(task: NonNull<Task>) {
        // SAFETY: `allocate` took it, for this type.
        unsafe { blocks::give(task.cast::<Block<T, F>>()) };
    }

    /// The same for a block of [`allocate_stackless`](Self::allocate_stackless).
    ///
    /// # Safety
    ///
    /// As for `free`.
    pub(crate) unsafe fn free_stackless(task: NonNull<Task>) {
        // SAFETY: `allocate_stackless` took it, for this type.
        unsafe { blocks::give(task.cast::<Self>()) };
    }
}

/// Moves the result out.
///
/// # Safety
///
/// The block's result is a `T`, was stored, and was not moved out before.
pub(crate) unsafe fn take_value<T>(task: &Task) -> T {
    // SAFETY: as `peek_value`, and read once.
    unsafe { peek_value::<T>(task).read() }
}

/// Where the result stands.
///
/// # Safety
///
/// The block's result is a `T`.
pub(crate) unsafe fn peek_value<T>(task: &Task) -> *const T {
    let cell: *const ValueCell<T> = whole(task).cast();
    // SAFETY: in bounds of the block, by the type of its result.
    unsafe { (&raw const (*cell).value).cast() }
}

/// # Safety
///
/// Never called.
unsafe fn never(_: &Task) -> bool {
    unreachable!("what has no closure does not run")
}

/// # Safety
///
/// None: it does nothing.
unsafe fn nothing(_: &Task) {}

/// # Safety
///
/// The block came from [`allocate_bare`], the caller had the last count, and nothing is left in it that needs a drop.
unsafe fn free_bare(task: NonNull<Task>) {
    // SAFETY: `allocate_bare` took it.
    unsafe { blocks::give(task.cast::<Bare>()) };
}

/// For blocks without closure and result: a scope's job, a thread's task, a job made by hand.
pub(crate) static BARE: TaskVTable = TaskVTable {
    run: never,
    drop_body: nothing,
    drop_value: nothing,
    free: free_bare,
    stackless: None,
};

/// A block without closure and result.
pub(crate) fn allocate_bare(birth: Birth) -> NonNull<Task> {
    // SAFETY: this thread's home, and memory for it, which is ours.
    unsafe { place_bare(blocks::take::<Bare>(current::home()).cast(), birth) }
}

/// Makes a task without closure and result in its block.
///
/// # Safety
///
/// The memory is a task's, and the caller's alone.
#[inline]
pub(crate) unsafe fn place_bare(block: NonNull<Task>, birth: Birth) -> NonNull<Task> {
    // SAFETY: passed on to the caller.
    unsafe { block.write(Task::new(birth)) };
    expose(block)
}
