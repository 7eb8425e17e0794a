//! Two other policies, to compare with.

use crate::kit::costs;
use crate::kit::policy::{Floor, Idler, Queues};
use crate::kit::worker::Worker;
use crate::kit::world::{Task, World};

/// How long an idle worker of [`steal_at_random`] sleeps between two rounds.
const NAP: u64 = 50_000;

/// Sends a job to the next worker, which is woken if it sleeps, and from which nobody takes it.
pub fn launch_round(world: &World, job: usize) {
    let seat = world.next.get();
    world.next.set((seat + 1) % world.seats.len());
    world.spend(costs::SEND);
    let task = Task::Fresh(job);
    world.seats[seat].inbox.borrow_mut().push_back(task);
    world.notify(seat);
}

/// Looks at as many random victims as there are workers, and sleeps for a while if they have nothing.
pub fn steal_at_random(me: &Worker<'_>) {
    let world = me.world;
    for _ in 0..world.seats() {
        let victim = world.random.borrow_mut().below(world.seats());
        if victim != me.seat
            && world.waiting(victim) > 0
            && let Some(job) = me.steal_from(victim, true)
        {
            me.place(job);
            return;
        }
    }
    me.sleep(Some(NAP), || false);
}
