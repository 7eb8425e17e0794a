//! The wait for many jobs at once: until all have succeeded, or one has not.
//!
//! With a node for each in the frame of the one who waits, whom the completions count down (`job/joiner.rs`): none of them
//! but the last wakes anybody, and none allocates.

use std::panic::Location;

use crate::error::Result;
use crate::job::joiner::{self, Countdown};
use crate::job::state::SUCCEEDED;
use crate::scope::deferred::success_of;
use crate::scope::job::Job;
use crate::task::label::Label;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::Waiter;
use crate::task::word::{Withdrawal, Woken};

static AWAIT_ALL: Label = Label("await_all");

/// Waits until all have succeeded, or one has not; then its error is returned. One that has succeeded may be about to publish
/// that, on another thread: its value is awaited all the same, which does not take long.
#[track_caller]
pub(super) fn wait_for_all<A: AsRef<Job>>(
    here: &Here,
    jobs: &[A],
    place: &'static Location<'static>,
) -> Result<()> {
    refuse_in_closed_frames()?;
    let generation = here.prepare()?;
    here.mark(&AWAIT_ALL, place);
    let count = u32::try_from(jobs.len()).expect("so many jobs do not fit into the memory");
    let countdown = Countdown::new(count);
    // Not moved, nor lengthened, while a node of it is linked.
    let nodes: Vec<Waiter> = jobs
        .iter()
        .map(|_| Waiter::counted(here.task(), &countdown))
        .collect();
    here.publish(generation, true);
    let mut succeeded = 0;
    let mut unhappy = None;
    for (at, (job, node)) in jobs.iter().zip(&nodes).enumerate() {
        node.arm(generation);
        let job = job.as_ref().task();
        // SAFETY: the node stands in this frame's list, which is not left before all have counted down and the last has claimed
        // this task, or `leave` was called for all.
        if unsafe { joiner::join(&job.job, &node.links, || ()) } {
            continue;
        }
        if job.state().has(SUCCEEDED) {
            succeeded += 1;
        } else {
            unhappy = Some(at);
            break;
        }
    }
    let goes_on = (unhappy.is_some() || countdown.settle(succeeded))
        && here.task().word.abandon(generation) == Withdrawal::Withdrawn;
    let woken = if goes_on {
        Woken::Value
    } else {
        here.park(generation, true, || ())
    };
    if !countdown.is_over(woken == Woken::Cancelled) {
        for (job, node) in jobs.iter().zip(&nodes) {
            // SAFETY: linked above; or its job had completed, and then this does nothing; or it was not its turn.
            unsafe { leave(job.as_ref(), node) };
        }
    }
    if woken == Woken::Cancelled {
        return Err(here.cancelled());
    }
    let first = countdown.unhappy();
    let first = nodes
        .iter()
        .position(|node| std::ptr::eq(&raw const node.links, first));
    if let Some(at) = first.or(unhappy) {
        success_of(jobs[at].as_ref().task())?;
    }
    here.check()
}

/// # Safety
///
/// If the node is armed, its job has completed, or it was linked into its list.
unsafe fn leave(job: &Job, node: &Waiter) {
    if node.is_armed() {
        // SAFETY: passed on to the caller.
        unsafe { joiner::leave(&job.task().job, &node.links) };
    }
}
