//! How an idle worker of the CPU pool finds work.
//!
//! Work that has just been launched is left to the worker that launched it: it is warm there, and what it talks to
//! probably lives there too. So an idle worker takes it only when it has waited a while (50 us without the owner having
//! taken anything), or when there is more of it than the owner could start soon (over 2). Only one worker searches at a
//! time, and a launch wakes nobody while one does; so a worker that launches and joins in a loop pays for a wake-up only
//! when the searcher has given up, which it does after a few looks in vain. Nobody searches before a launch has woken
//! somebody: a worker that is idle because its coroutines wait for each other or for the world goes to sleep at once, and
//! without a timer.
//!
//! Nobody sleeps while work waits: whoever gives up searching clears `searching`, announces its sleep, and only then looks
//! at all queues once more; whoever launches pushes first and then reads `searching` and looks for a sleeper. With a
//! fence between on both sides one of the two sees the other. While somebody searches the others may sleep: one who stops
//! because it has found something to do wakes the next if more work waits.

use std::sync::atomic::{Ordering, fence};

use crate::driver::Driver;
use crate::scheduler::pool::{Member, Pool};
use crate::scheduler::worker::Worker;

/// How long work waits before it is taken from a worker that does not get round to it, in nanoseconds.
const PATIENCE: u64 = 50_000;
/// How many looks in vain end a search.
const LOOKS: u32 = 3;
/// How much unstarted work a worker may keep for itself.
const KEEP: usize = 2;

impl Worker {
    /// Searches for work, or sleeps until there is some. True if the loop should look again.
    pub(super) fn search(&self) -> bool {
        let pool = self.member.borrow().as_ref().map(|member| member.pool);
        let Some(pool) = pool else { return false };
        // ORDERING: before the look at the queues; pairs with the fence of `dispatch`.
        pool.idle.fetch_add(1, Ordering::SeqCst);
        self.search_as_idle(pool);
        pool.idle.fetch_sub(1, Ordering::SeqCst);
        true
    }

    fn search_as_idle(&self, pool: &'static Pool) {
        while pool.is_restless() {
            // What lives here comes before what others have.
            Driver::of(self.home()).poll_reactor();
            if !self.home().local.ready.is_empty() {
                return;
            }
            if pool.searching.swap(true, Ordering::SeqCst) {
                break;
            }
            let found = self.hunt(pool);
            pool.searching.store(false, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if found {
                // What is left waits behind what was found, and those who launched it woke nobody: another one watches.
                if pool.idle.load(Ordering::Relaxed) > 1 && pool.has_work() {
                    pool.wake_one();
                }
                return;
            }
            pool.restless.store(false, Ordering::Relaxed);
        }
        // ORDERING: the look at `searching` comes after the announcement, so that a searcher who stops sees this sleeper.
        self.sleep_unless(None, || {
            !pool.searching.load(Ordering::SeqCst) && pool.has_work()
        });
    }

    /// True if something is ready to run here now.
    fn hunt(&self, pool: &'static Pool) -> bool {
        let mut in_vain = 0;
        while in_vain < LOOKS {
            if self.take_from_anybody(pool, |_, waiting| waiting > KEEP) {
                return true;
            }
            let before: Vec<u32> = pool.taken().collect();
            in_vain = if pool.has_work() { 0 } else { in_vain + 1 };
            let until = Driver::of(self.home()).clock.now() + PATIENCE;
            self.sleep(Some(until));
            if !self.home().local.ready.is_empty() {
                return true;
            }
            let stuck = |victim: usize, waiting: usize| {
                waiting > 0 && pool.seats[victim].taken.load(Ordering::Relaxed) == before[victim]
            };
            if self.take_from_anybody(pool, stuck) {
                return true;
            }
        }
        false
    }

    fn take_from_anybody(
        &self,
        pool: &'static Pool,
        wanted: impl Fn(usize, usize) -> bool,
    ) -> bool {
        let fresh = {
            let member = self.member.borrow();
            let Some(member) = member.as_ref() else {
                return false;
            };
            member.next().or_else(|| steal(member, pool, wanted))
        };
        match fresh {
            Some(fresh) => {
                self.place(fresh);
                true
            }
            None => false,
        }
    }
}

fn steal(
    member: &Member,
    pool: &Pool,
    wanted: impl Fn(usize, usize) -> bool,
) -> Option<crate::scheduler::Fresh> {
    let count = pool.seats.len();
    // Each thief begins behind its own seat, so that thieves spread over the victims.
    for offset in 1..count {
        let victim = (member.index + offset) % count;
        let waiting = pool.seats[victim].queue.len();
        if wanted(victim, waiting)
            && let Some(fresh) = member.steal_from(victim, waiting > KEEP)
        {
            return Some(fresh);
        }
    }
    None
}

impl Pool {
    fn taken(&self) -> impl Iterator<Item = u32> {
        self.seats
            .iter()
            .map(|seat| seat.taken.load(Ordering::Relaxed))
    }

    /// Whether there is reason to search: something waits, or launches have woken somebody since a search was in vain.
    fn is_restless(&self) -> bool {
        self.restless.load(Ordering::Relaxed) || self.has_work()
    }

    /// Whether anything has not started anywhere.
    fn has_work(&self) -> bool {
        !self.injected.is_empty() || self.seats.iter().any(|seat| seat.queue.len() > 0)
    }
}
