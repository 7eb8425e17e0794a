//! The chain of calls: a machine that was called points at its caller.
//!
//! ```text
//! top -> [ leaf: what is waited for ] -> [ machine ] -> [ machine ] -> root
//! ```
//!
//! The root stands in the block of its task; each other frame is a box of its own. The runner resumes the top. A frame
//! that ends delivers its answer to its caller and is taken off; the caller is the top then. So a chain is built and
//! unwound by one loop, however long it is.
//!
//! Who touches a frame: the thread that runs the turn. A leaf that waits is touched by those who end the wait as well, by
//! the rules of its protocol; so it is reached through shared references alone.

use std::any::Any;
use std::ptr::NonNull;

use crate::error::Result;
use crate::machine::StateMachine;
use crate::machine::runner::{Ended, Run};
use crate::machine::turn::{IntoSlot, Slot, Step, Turn};
use crate::task::{current, report};

/// The front of each frame but the root's.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Frame {
    vtable: &'static FrameVTable,
    /// Null if the caller is the root.
    parent: *mut Frame,
    /// The machine that has called, where it stands.
    caller: *mut (),
}

/// What the runner must be able to do with a frame whose type it does not know.
#[derive(Debug)]
pub(super) struct FrameVTable {
    /// Resumes it.
    pub(super) resume: unsafe fn(NonNull<Frame>, &mut Run<'_>) -> Ended,
    /// Drops and frees it.
    pub(super) free: unsafe fn(NonNull<Frame>),
}

impl Frame {
    pub(super) fn new(vtable: &'static FrameVTable) -> Self {
        Self {
            vtable,
            parent: std::ptr::null_mut(),
            caller: std::ptr::null_mut(),
        }
    }

    pub(super) fn caller(&self) -> *mut () {
        self.caller
    }
}

/// Puts a frame onto a chain: its caller is the machine at `caller`, in the frame `parent`.
///
/// # Safety
///
/// The frame is on no chain; the caller's machine stays in place while it is.
pub(super) unsafe fn link(frame: NonNull<Frame>, parent: *mut Frame, caller: *mut ()) {
    let frame = frame.as_ptr();
    // SAFETY: a live frame that nobody else has.
    unsafe {
        (*frame).parent = parent;
        (*frame).caller = caller;
    }
}

/// # Safety
///
/// The frame is the top of the chain of the running turn.
pub(super) unsafe fn resume(frame: NonNull<Frame>, run: &mut Run<'_>) -> Ended {
    // SAFETY: passed on to the caller.
    unsafe { ((*frame.as_ptr()).vtable.resume)(frame, run) }
}

/// Drops a frame. What the user has put into it may panic, which is told.
///
/// # Safety
///
/// It is on no chain, and nobody uses it afterwards.
pub(super) unsafe fn free(frame: NonNull<Frame>) {
    // SAFETY: passed on to the caller.
    let freed = current::closed(|| unsafe { ((*frame.as_ptr()).vtable.free)(frame) });
    if let Err(panic) = freed {
        report::handler_panicked("the destructor of a state machine", panic);
    }
}

/// Drops a whole chain, the top first.
///
/// # Safety
///
/// Nobody uses it afterwards.
pub(super) unsafe fn free_chain(top: *mut Frame) {
    let mut top = top;
    while let Some(frame) = NonNull::new(top) {
        // SAFETY: a live frame.
        top = unsafe { (*frame.as_ptr()).parent };
        // SAFETY: passed on to the caller.
        unsafe { free(frame) };
    }
}

/// Takes the top off its chain and drops it.
///
/// # Safety
///
/// It is the top, and has delivered.
pub(super) unsafe fn pop(frame: NonNull<Frame>, run: &mut Run<'_>) {
    // SAFETY: a live frame.
    run.top = unsafe { (*frame.as_ptr()).parent };
    // SAFETY: passed on to the caller.
    unsafe { free(frame) };
}

/// Delivers an answer into a slot of the caller. The panic of the user's function, or of what it replaces, is given back.
///
/// # Safety
///
/// `caller` is a machine of type `M` that stands and that nobody else uses.
pub(super) unsafe fn deliver<M, T>(
    caller: *mut (),
    into: IntoSlot<M, T>,
    answer: Result<T>,
) -> std::result::Result<(), Box<dyn Any + Send>> {
    current::closed(|| {
        // SAFETY: passed on to the caller.
        let slot: &mut Slot<T> = into(unsafe { &mut *caller.cast::<M>() });
        slot.put(answer);
    })
}

/// What one resumption of a machine has come to.
pub(super) enum Driven<T> {
    /// The top of the chain is what it waits for, or has called.
    Pushed,
    Returned(Result<T>),
    Panicked(Box<dyn Any + Send>),
}

/// Resumes a machine once.
///
/// # Safety
///
/// `machine` and `label` stand in the frame `own` (null for the root's), which is the top of the running turn's chain.
pub(super) unsafe fn drive<M: StateMachine>(
    machine: *mut M,
    label: u32,
    set_label: impl FnOnce(u32),
    own: *mut Frame,
    run: &mut Run<'_>,
) -> Driven<M::Output> {
    let mut turn = Turn::<M>::new(run.task, std::mem::replace(&mut run.woken, Ok(())));
    // SAFETY: nobody else uses the machine while it runs.
    let stepped = current::closed(|| unsafe { &mut *machine }.resume(label, &mut turn));
    match stepped {
        Err(panic) => Driven::Panicked(panic),
        Ok(Err(error)) => Driven::Returned(Err(error)),
        Ok(Ok(Step::Return(value))) => Driven::Returned(Ok(value)),
        Ok(Ok(Step::Suspend(_))) => {
            // A token is made only where something was asked for, and cannot be kept for another turn of this machine
            // without giving up this one.
            let Some(pending) = turn.pending.take() else {
                return Driven::Returned(Err(crate::error::Error::msg(
                    "a state machine has returned a suspension of another resumption",
                )));
            };
            set_label(pending.label);
            // SAFETY: made in this turn; the machine stays in place.
            unsafe { link(pending.frame, own, machine.cast()) };
            run.top = pending.frame.as_ptr();
            Driven::Pushed
        }
    }
}

/// A machine that another one, a `P`, has called.
#[repr(C)]
struct Callee<P, N: StateMachine> {
    frame: Frame,
    label: u32,
    into: IntoSlot<P, N::Output>,
    machine: N,
}

/// A frame for a machine that is called.
pub(super) fn callee<P, N: StateMachine>(
    machine: N,
    into: IntoSlot<P, N::Output>,
) -> NonNull<Frame> {
    let callee = Box::new(Callee {
        frame: Frame::new(&Callee::<P, N>::VTABLE),
        label: 0,
        into,
        machine,
    });
    NonNull::from(Box::leak(callee)).cast()
}

impl<P, N: StateMachine> Callee<P, N> {
    const VTABLE: FrameVTable = FrameVTable {
        resume: Self::resume,
        free: Self::free,
    };

    /// # Safety
    ///
    /// The frame is of this type, and the top of the running turn's chain.
    unsafe fn resume(frame: NonNull<Frame>, run: &mut Run<'_>) -> Ended {
        let this = frame.cast::<Self>().as_ptr();
        // SAFETY: a live frame of this type; the places are used one at a time.
        let driven = unsafe {
            drive(
                &raw mut (*this).machine,
                (*this).label,
                |label| (*this).label = label,
                frame.as_ptr(),
                run,
            )
        };
        match driven {
            Driven::Pushed => Ended::GoOn,
            Driven::Panicked(panic) => Ended::Panicked(panic),
            Driven::Returned(answer) => {
                // SAFETY: the caller waits for this frame, and stands.
                let delivered = unsafe { deliver((*this).frame.caller, (*this).into, answer) };
                // SAFETY: it is the top, and has delivered.
                unsafe { pop(frame, run) };
                match delivered {
                    Ok(()) => Ended::GoOn,
                    Err(panic) => Ended::Panicked(panic),
                }
            }
        }
    }

    /// # Safety
    ///
    /// The frame is of this type, came from a box, and is not used any more.
    unsafe fn free(frame: NonNull<Frame>) {
        // SAFETY: see above.
        drop(unsafe { Box::from_raw(frame.cast::<Self>().as_ptr()) });
    }
}
