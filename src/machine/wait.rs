//! What a machine waits for: the top of its chain while it is parked.
//!
//! States of a leaf, each move by the thread that runs the turn:
//!
//! ```text
//! idle  -begin-> done                it need not wait
//! idle  -begin-> waits               linked, the word published
//! waits -end->   done | idle         resumed, or taken back; idle: it was woken for nothing, and begins again
//! done: the answer is with the caller, and the frame is gone
//! ```
//!
//! A *bound* wait rests on something of this thread, a timer: the task lives on the thread meanwhile, which brings it back.
//! After any other it goes to its dispatcher.

use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;
use std::ptr::NonNull;

use crate::error::Result;
use crate::machine::frame::{self, Frame, FrameVTable};
use crate::machine::runner::{Ended, Run};
use crate::machine::turn::IntoSlot;
use crate::task::wait::Here;
use crate::task::word::{Generation, Withdrawal, Woken};

/// The answer is delivered: for a wait without a value this is it.
pub(super) type Delivered = std::result::Result<Result<()>, Box<dyn Any + Send>>;

/// What has come of the beginning of a wait.
pub(super) enum Begun {
    Done(Delivered),
    /// The word is published.
    Waits(Generation),
    /// It goes to the end of the queue, and begins again then.
    Yields,
}

/// One thing that a machine can wait for. While it waits it stands in place.
pub(super) trait Wait {
    /// Whether it rests on something of the thread on which it begins.
    const BOUND: bool = false;

    /// Does it, or links it and publishes the word. It is not dropped before it has ended, or was abandoned.
    fn begin(self: Pin<&Self>, here: &Here, caller: Caller) -> Begun;

    /// The wait is over: takes out what is still linked, and delivers. `None` if it must begin again.
    fn end(self: Pin<&Self>, here: &Here, woken: Woken, caller: Caller) -> Option<Delivered>;

    /// The task ends without having been resumed: takes out what is still linked.
    fn abandon(self: Pin<&Self>) {}
}

/// The machine that waits. It stands, and nobody else uses it, while one of these is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(*mut ());

impl Caller {
    /// Delivers an answer into a slot of the machine.
    ///
    /// # Safety
    ///
    /// The machine is an `M`.
    pub(super) unsafe fn tell<M, T>(self, into: IntoSlot<M, T>, answer: Result<T>) -> Delivered {
        // SAFETY: passed on to the caller; it stands, and is not used by others.
        unsafe { frame::deliver::<M, T>(self.0, into, answer) }.map(Ok)
    }
}

#[repr(C)]
struct Leaf<W> {
    frame: Frame,
    waits: Cell<bool>,
    wait: W,
}

/// A frame for something that is waited for.
pub(super) fn leaf<W: Wait>(wait: W) -> NonNull<Frame> {
    let leaf = Box::new(Leaf {
        frame: Frame::new(&Leaf::<W>::VTABLE),
        waits: Cell::new(false),
        wait,
    });
    NonNull::from(Box::leak(leaf)).cast()
}

impl<W: Wait> Leaf<W> {
    const VTABLE: FrameVTable = FrameVTable {
        resume: Self::resume,
        free: Self::free,
    };

    /// # Safety
    ///
    /// The frame is of this type, and the top of the running turn's chain.
    unsafe fn resume(frame: NonNull<Frame>, run: &mut Run<'_>) -> Ended {
        // SAFETY: a live frame of this type; shared, since those who end the wait may be at it.
        let this = unsafe { frame.cast::<Self>().as_ref() };
        // SAFETY: it stands in a box until it is dropped.
        let wait = unsafe { Pin::new_unchecked(&this.wait) };
        let caller = Caller(this.frame.caller());
        let mut woken = run.resumed_by.take().filter(|_| this.waits.take());
        let delivered = loop {
            if let Some(woken) = woken.take() {
                match wait.end(&run.here, woken, caller) {
                    Some(delivered) => break delivered,
                    None => continue,
                }
            }
            if W::BOUND {
                if !run.has_loop() {
                    return Ended::Elsewhere;
                }
                run.bind();
            }
            match wait.begin(&run.here, caller) {
                Begun::Done(delivered) => {
                    run.unbind();
                    break delivered;
                }
                Begun::Yields => return Ended::Yields,
                Begun::Waits(generation) => {
                    woken = Self::may_go_on(run, generation);
                    if woken.is_none() {
                        this.waits.set(true);
                        return if W::BOUND { Ended::Stays } else { Ended::Parks };
                    }
                    run.unbind();
                }
            }
        };
        // SAFETY: it is the top, and has delivered.
        unsafe { frame::pop(frame, run) };
        match delivered {
            Ok(answer) => {
                run.woken = answer;
                Ended::GoOn
            }
            Err(panic) => Ended::Panicked(panic),
        }
    }

    /// Whether the wait is over before the task was parked: the job is cancelled, or this very thread has claimed the word.
    fn may_go_on(run: &Run<'_>, generation: Generation) -> Option<Woken> {
        let word = &run.task.word;
        if run.task.job.is_cancelling_seq_cst()
            && word.withdraw(generation) == Withdrawal::Withdrawn
        {
            return Some(Woken::Cancelled);
        }
        word.is_local().then(|| word.settle())
    }

    /// # Safety
    ///
    /// The frame is of this type, came from a box, and is not used any more.
    unsafe fn free(frame: NonNull<Frame>) {
        // SAFETY: see above.
        let leaf = unsafe { Box::from_raw(frame.cast::<Self>().as_ptr()) };
        if leaf.waits.get() {
            // SAFETY: as in `resume`.
            unsafe { Pin::new_unchecked(&leaf.wait) }.abandon();
        }
    }
}
