//! Those who wait for a job to complete: [`wait_for`] follows that of `scope/job.rs` step by step.

use crate::block::{Block, Parked, park};
use crate::job::joiner;
use crate::job::state::COMPLETED;
use crate::task::word::Generation;
use crate::util::list::Links;
use crate::util::sync::Shared;
use crate::yard::Kept;

/// Under the lock of the job: claims one who waits for it.
pub fn claim(links: *const Links, ready: &mut Vec<Kept<Block>>) {
    let waiter: Kept<Waiter> = Kept::at(links.cast());
    if waiter.task.word.claim_value(waiter.generation()) {
        ready.push(waiter.task);
    }
}

/// A node in a list of joiners. It stands in the frame of the one who waits.
#[repr(C)]
#[derive(Debug)]
struct Waiter {
    links: Links,
    task: Kept<Block>,
    generation: Shared<Generation>,
}

impl Waiter {
    fn generation(&self) -> Generation {
        // SAFETY: armed before it was linked, and only read since.
        self.generation.with(|generation| unsafe { *generation })
    }
}

/// A wait for a job whose node is linked and whose suspension is published.
#[derive(Debug)]
pub struct Joining {
    task: Kept<Block>,
    job: Kept<Block>,
    waiter: Kept<Waiter>,
    generation: Generation,
}

impl Joining {
    /// Begins to wait, cancellably. `None` if the job has completed already.
    pub fn begin(task: Kept<Block>, job: Kept<Block>) -> Option<Self> {
        if job.state().has(COMPLETED) {
            return None;
        }
        let generation = task.word.next();
        let waiter = Kept::new(Waiter {
            links: Links::new(),
            task,
            generation: Shared::new(generation),
        });
        // SAFETY: the waiter stands until it was claimed, or was taken out by `park`.
        let linked = unsafe {
            joiner::join(&job.job, &waiter.links, || {
                task.word.publish(generation, true)
            })
        };
        if !linked {
            waiter.free();
        }
        linked.then_some(Self {
            task,
            job,
            waiter,
            generation,
        })
    }

    /// Waits for the claim, and leaves the frame with the node in it.
    pub fn park(self) -> Parked {
        let parked = park(self.task, self.generation, true, || {
            // SAFETY: linked by `begin`.
            unsafe { joiner::leave(&self.job.job, &self.waiter.links) };
        });
        self.waiter.free();
        parked
    }
}

/// Waits until a job has completed. `None` if it had already.
pub fn wait_for(task: Kept<Block>, job: Kept<Block>) -> Option<Parked> {
    Joining::begin(task, job).map(Joining::park)
}
