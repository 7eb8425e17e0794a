//! A worker's own place in the pool of CPU workers: its queue, and what it has noticed about the others.

use std::cell::Cell;
use std::sync::atomic::{Ordering, fence};

use crate::scheduler::Fresh;
use crate::scheduler::apart::Watch;
use crate::scheduler::gate::Gate;
use crate::scheduler::own::{OwnQueue, retry};
use crate::scheduler::policy::{self, Lookout, Note, Queues};
use crate::scheduler::pool::{Pool, Seat, load};
use crate::scheduler::rounds::Rounds;
use crate::task::home::Home;

/// A worker's own place in the pool.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) pool: &'static Pool,
    index: usize,
    seat: &'static Seat,
    home: &'static Home,
    queue: OwnQueue<Fresh>,
    /// How often in a row it has looked for work and seen none.
    in_vain: Cell<u32>,
    /// What it has noticed about each worker.
    notes: Box<[Cell<Note>]>,
    robbed: Cell<Option<usize>>,
    lookout: Lookout,
    rounds: Rounds,
    watch: Watch,
    /// Whether the last to start in a while that is for that was one that others have given.
    was_given: Cell<bool>,
}

impl Member {
    pub(super) fn new(
        pool: &'static Pool,
        index: usize,
        home: &'static Home,
        queue: OwnQueue<Fresh>,
    ) -> Self {
        Self {
            pool,
            index,
            seat: &pool.seats[index],
            home,
            queue,
            in_vain: Cell::new(0),
            notes: pool.seats.iter().map(|_| Cell::default()).collect(),
            robbed: Cell::new(None),
            lookout: Lookout::new(index),
            rounds: Rounds::new(index),
            watch: Watch::new(pool.seats.len()),
            was_given: Cell::new(false),
        }
    }

    /// Queues a coroutine that was launched on this worker.
    #[inline(always)]
    pub(super) fn push(&self, fresh: Fresh) {
        self.queue.push(fresh, self.goes_deep());
    }

    /// Queues a coroutine once more that this worker has taken.
    pub(super) fn put_back(&self, fresh: Fresh) {
        self.push(fresh);
        // ORDERING: as in `Pool::dispatch`.
        fence(Ordering::SeqCst);
        policy::launched(self.pool);
    }

    /// Whether what this worker launches now starts first, and next.
    #[inline(always)]
    fn goes_deep(&self) -> bool {
        policy::goes_deep(self.home.hosted.load(Ordering::Relaxed))
    }

    /// The next coroutine to start.
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<Fresh> {
        policy::next(self)
    }

    /// The next coroutine to start in a while that is for that: neither what is to start here anyway nor what others have given
    /// waits for all of the other.
    pub(super) fn next_in_turn(&self) -> Option<Fresh> {
        let given = || Some((self.given()?, true));
        let own = || Some((self.next()?, false));
        let (next, is_given) = if self.was_given.get() {
            own().or_else(given)?
        } else {
            given().or_else(own)?
        };
        self.was_given.set(is_given);
        Some(next)
    }

    /// The next of what others have given to this worker.
    pub(crate) fn given(&self) -> Option<Fresh> {
        let given = self.seat.take_given()?;
        self.seat.count_taken();
        Some(given)
    }

    /// A coroutine that the pool's gate has counted starts here.
    pub(crate) fn arrived(&self) {
        if self.pool.gate.as_ref().is_some_and(Gate::arrived) {
            self.pool.drained();
        }
    }

    /// The worker has said that it is awake.
    pub(crate) fn is_up(&self) {
        self.seat.spot.arrive();
    }

    /// Once in a while looks whether another worker has yet to wake, perhaps since it waits for the processor on which this
    /// one runs.
    #[inline(always)]
    pub(crate) fn stay_apart(&self, now: u64) {
        if self.watch.is_due(now) {
            self.glance(now);
        }
    }

    #[cold]
    #[inline(never)]
    fn glance(&self, now: u64) {
        let is_waking = |seat: usize| {
            let home = self.pool.home(seat);
            home.is_some_and(|home| home.sleep.is_waking())
        };
        if let Some(seat) = self.watch.glance(now, self.pool.seats.len(), is_waking) {
            self.pool.seats[seat].spot.vacate(|| is_waking(seat));
        }
    }

    /// Once in a while, what another worker does not get round to.
    pub(super) fn overdue(&self, now: u64) -> Option<Fresh> {
        if !self.rounds.are_due(now) {
            return None;
        }
        self.rounds.visit(self, now)
    }

    /// Whether this worker has nothing left to do in a pool that was shut.
    pub(crate) fn is_over(&self) -> bool {
        self.pool.is_over(self.home)
    }

    /// Whether others have given something to this worker.
    #[inline(always)]
    pub(crate) fn has_given(&self) -> bool {
        !self.seat.given.is_empty()
    }

    /// Whether other threads have launched something, or have given something to this worker.
    pub(crate) fn has_news(&self) -> bool {
        !self.pool.injected.is_empty() || self.has_given()
    }

    /// Whether this worker looks for one that hosts less before it starts a coroutine.
    #[inline(always)]
    pub(super) fn may_give(&self) -> bool {
        self.lookout.looks(load(self.home))
    }

    /// Gives a coroutine that is about to start here to a worker that hosts so much less that it had better start there.
    /// `None` if there was one.
    pub(super) fn give(&self, fresh: Fresh) -> Option<Fresh> {
        let lighter = self
            .lookout
            .lighter(self.pool, load(self.home))
            .and_then(|seat| Some((seat, self.pool.home(seat)?)));
        let Some((seat, other)) = lighter else {
            return Some(fresh);
        };
        other.handed.fetch_add(1, Ordering::Relaxed);
        self.pool.seats[seat].given.push(fresh);
        // ORDERING: the push comes before the looks at the sleep words and the idle ones; a worker that goes to sleep writes
        // those before it looks here (policy.rs).
        fence(Ordering::SeqCst);
        if !other.wake_up() {
            // It may compute for long.
            policy::launched(self.pool);
        }
        None
    }
}

impl Queues for Member {
    type Floor = Pool;
    type Work = Fresh;

    fn floor(&self) -> &Pool {
        self.pool
    }

    fn seat(&self) -> usize {
        self.index
    }

    #[inline(always)]
    fn taken(&self) -> u32 {
        self.seat.taken.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn own(&self) -> Option<Fresh> {
        if self.queue.is_empty() {
            return None;
        }
        let fresh = self.queue.pop(self.goes_deep(), self.taken())?;
        self.seat.count_taken();
        Some(fresh)
    }

    fn injected(&self) -> Option<Fresh> {
        let fresh = retry(|| self.pool.injected.steal())?;
        self.seat.count_taken();
        Some(fresh)
    }

    fn steal_from(&self, victim: usize, many: bool) -> Option<Fresh> {
        let queue = &self.pool.seats[victim].queue;
        if many {
            let stolen = queue.steal_half(&self.queue);
            // ORDERING: what was moved comes before the look for sleepers; pairs with that of one who goes to sleep (policy.rs).
            fence(Ordering::SeqCst);
            stolen
        } else {
            queue.steal_one()
        }
    }

    fn in_vain(&self) -> &Cell<u32> {
        &self.in_vain
    }

    fn notes(&self, victim: usize) -> &Cell<Note> {
        &self.notes[victim]
    }

    fn robbed(&self) -> &Cell<Option<usize>> {
        &self.robbed
    }

    fn steal_given(&self, victim: usize) -> Option<Fresh> {
        let victim = &self.pool.seats[victim];
        let stolen = victim.take_given()?;
        // It counts here until it starts.
        if let Some(home) = victim.home.get() {
            self.home.handed.fetch_add(1, Ordering::Relaxed);
            home.handed.fetch_sub(1, Ordering::Relaxed);
        }
        Some(stolen)
    }
}
