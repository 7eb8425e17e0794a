//! From the wait lists down to the suspension: the acts of this module that need the task and its thread.

use std::panic::Location;

use crate::error::Result;
use crate::sync::line::Held;
use crate::sync::wait_list::{Node, Waits};
use crate::task::home::Home;
use crate::task::label::Label;
use crate::task::queue::Queue;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::{self, hand_back};
use crate::task::word::{Generation, Woken, Word};
use crate::task::{Task, current};
use crate::util::biased::STRANGER;

impl Waits for Task {
    #[inline(always)]
    fn word(&self) -> &Word {
        &self.word
    }

    #[inline(always)]
    fn thread() -> u64 {
        current::home().map_or(STRANGER, Home::name)
    }
}

/// Names the coming suspension, or tells why this frame must not suspend. Only for a call that must wait.
#[inline(always)]
pub(crate) fn prepare(here: &Here) -> Result<Generation> {
    refuse_in_closed_frames()?;
    here.prepare()
}

/// What a wait is called in a dump, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) label: &'static Label,
    pub(crate) place: &'static Location<'static>,
}

/// How a wait in a line ended.
#[derive(Debug)]
pub(crate) struct Waited<P> {
    pub(crate) woken: Woken,
    /// What is in the slot now.
    pub(crate) slot: P,
}

/// What is done besides, while somebody waits in a line.
#[derive(Debug)]
pub(crate) struct Besides<A, L, M> {
    /// Under the lock, when it is sure that there will be a wait.
    pub(crate) arrive: A,
    /// Under the lock, as a cancelled one leaves the line whom nobody has passed over.
    pub(crate) leave: L,
    /// Without the lock, when others can see the wait.
    pub(crate) meanwhile: M,
}

/// Waits in a line until somebody claims the wait, or a cancellation ends it.
///
/// # Errors
///
/// Why this frame must not suspend; it did not wait then.
#[inline(always)]
pub(crate) fn wait_in_line<S, P>(
    here: &Here,
    held: Held<'_, Task, S, P>,
    point: Point,
    slot: P,
) -> Result<Waited<P>> {
    let besides = Besides {
        arrive: |_: &mut S| (),
        leave: |_: &mut S| (),
        meanwhile: || (),
    };
    wait_with(here, held, point, slot, besides)
}

/// As [`wait_in_line`], with more to do. If there is no wait, nothing of it is done.
#[inline(always)]
pub(crate) fn wait_with<S, P, A, L, M>(
    here: &Here,
    held: Held<'_, Task, S, P>,
    point: Point,
    slot: P,
    besides: Besides<A, L, M>,
) -> Result<Waited<P>>
where
    A: FnOnce(&mut S),
    L: FnOnce(&mut S),
    M: FnOnce(),
{
    let generation = match prepare(here) {
        Ok(generation) => generation,
        Err(refusal) => {
            drop(held);
            return Err(refusal);
        }
    };
    let line = held.line();
    let node = Node::new(here.task(), slot);
    here.mark(point.label, point.place);
    held.state(besides.arrive);
    // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave` has unlinked it.
    unsafe { held.wait(&node, generation, || here.publish(generation, true)) };
    (besides.meanwhile)();
    let woken = here.park(generation, true, || {
        let held = line.lock();
        // SAFETY: linked above.
        if unsafe { held.leave(&node) } {
            held.state(besides.leave);
        }
    });
    // SAFETY: the wait is over, so the node is idle.
    let slot = unsafe { node.into_slot() };
    Ok(Waited { woken, slot })
}

/// Those who were claimed under a lock, until it is released.
#[derive(Debug)]
pub(crate) struct Claimed(Queue);

impl Claimed {
    pub(crate) fn new() -> Self {
        Self(Queue::new())
    }

    /// Hands back the one who was claimed, if any. The lock has been released.
    #[inline(always)]
    pub(crate) fn hand_back_one(task: Option<*const Task>) {
        if let Some(task) = task {
            // SAFETY: the caller has just claimed it.
            unsafe { waiter::hand_back_one(task) };
        }
    }

    /// Adds one: for the transitions that tell whom they claim.
    pub(crate) fn adder(&self) -> impl FnMut(*const Task) {
        |task| {
            // SAFETY: who is told has just been claimed, once.
            unsafe { self.add(task) };
        }
    }

    /// Adds one.
    ///
    /// # Safety
    ///
    /// The task was just claimed, and goes nowhere else.
    #[inline(always)]
    pub(crate) unsafe fn add(&self, task: *const Task) {
        // SAFETY: a claimed task is in no queue, and alive until it is handed back.
        unsafe { self.0.push(task) };
    }

    /// Hands all of them back to their threads, in order. The lock has been released.
    #[inline(always)]
    pub(crate) fn hand_back(&self) {
        if !self.0.is_empty() {
            hand_back(&self.0);
        }
    }
}
