//! A timer that wakes the frame in which it stands, and one that calls a function.

use std::panic::Location;
use std::ptr::NonNull;

use crate::driver::Driver;
use crate::driver::wheel::TimerNode;
use crate::error::Result;
use crate::task::home::Home;
use crate::task::label::Label;
use crate::task::queue::Queue;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::{self, Waiter};
use crate::task::word::Woken;

/// A waiter with a deadline. It stands in the frame that waits; the thread's own wheel holds it, so no lock is needed.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Timer {
    node: TimerNode,
    pub(crate) waiter: Waiter,
}

impl Timer {
    pub(crate) fn new(waiter: Waiter) -> Self {
        Self {
            node: TimerNode::new(wake, waiter.task().cast()),
            waiter,
        }
    }

    /// Sets the timer.
    ///
    /// # Safety
    ///
    /// The calling thread owns `home`, and the timer stays in place until it has fired or was cancelled.
    #[inline]
    pub(crate) unsafe fn set(&self, home: &Home, deadline: u64) {
        let node = NonNull::from(self).cast::<TimerNode>();
        // SAFETY: the caller keeps it in place; the node is the first field.
        unsafe { Driver::of(home).wheel.borrow_mut().insert(node, deadline) };
    }

    /// Takes the timer back if it has not fired.
    #[inline]
    pub(crate) fn cancel(&self, home: &Home) {
        if self.node.is_linked() {
            let node = NonNull::from(self).cast::<TimerNode>();
            // SAFETY: linked, and into this home's wheel, since a frame never changes thread.
            unsafe { Driver::of(home).wheel.borrow_mut().remove(node) };
        }
    }
}

/// Waits until a moment of the thread's clock. The caller has met a cancellation that came before.
#[track_caller]
pub(crate) fn wait_until(
    here: &Here,
    deadline: u64,
    label: &'static Label,
    place: &'static Location<'static>,
) -> Result<()> {
    refuse_in_closed_frames()?;
    let generation = here.prepare()?;
    let home = here.home();
    let timer = Timer::new(Waiter::new(here.task()));
    timer.waiter.arm(generation);
    here.mark(label, place);
    // SAFETY: the timer stands in this frame until it has fired or was cancelled.
    unsafe { timer.set(home, deadline) };
    here.publish(generation, true);
    let woken = here.park(generation, true, || timer.cancel(home));
    // Cancellation wins until the moment of resumption.
    if woken == Woken::Value && !here.is_cancelled() {
        Ok(())
    } else {
        Err(here.cancelled())
    }
}

/// # Safety
///
/// `node` is the first field of a [`Timer`] that stands.
unsafe fn wake(node: NonNull<TimerNode>) {
    // SAFETY: see above.
    let timer = unsafe { node.cast::<Timer>().as_ref() };
    let chain = Queue::new();
    // SAFETY: the wheel, which only this thread touches, has just let go of it.
    if unsafe { Waiter::claim(&timer.waiter, &chain) } {
        waiter::hand_back(&chain);
    }
}

/// A deadline that calls a function on its thread, from the loop.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Alarm<'a, C> {
    node: TimerNode,
    ring: fn(&C),
    context: &'a C,
}

impl<'a, C> Alarm<'a, C> {
    pub(crate) fn new(context: &'a C, ring: fn(&C)) -> Self {
        Self {
            node: TimerNode::new(ring_alarm::<C>, std::ptr::null()),
            ring,
            context,
        }
    }

    /// Sets the alarm.
    ///
    /// # Safety
    ///
    /// As for [`Timer::set`].
    pub(crate) unsafe fn set(&self, home: &Home, deadline: u64) {
        let node = NonNull::from(self).cast::<TimerNode>();
        // SAFETY: the caller keeps it in place; the node is the first field.
        unsafe { Driver::of(home).wheel.borrow_mut().insert(node, deadline) };
    }

    /// Takes the alarm back if it has not rung.
    pub(crate) fn cancel(&self, home: &Home) {
        if self.node.is_linked() {
            let node = NonNull::from(self).cast::<TimerNode>();
            // SAFETY: linked, and into this home's wheel.
            unsafe { Driver::of(home).wheel.borrow_mut().remove(node) };
        }
    }
}

/// # Safety
///
/// `node` is the first field of an [`Alarm`] of this type that stands.
unsafe fn ring_alarm<C>(node: NonNull<TimerNode>) {
    // SAFETY: see above.
    let alarm = unsafe { node.cast::<Alarm<'_, C>>().as_ref() };
    (alarm.ring)(alarm.context);
}
