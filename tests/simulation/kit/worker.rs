//! One worker: the loop of the library's, with jobs that take time in place of coroutines on stacks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;

use switchback::SequenceScope;

use crate::kit::costs;
use crate::kit::policy::{
    self, FRESH_EVERY, Idler, LONGEST_CHAIN, LOOK_EVERY, Lookout, Note, Queues,
};
use crate::kit::rivals;
use crate::kit::rounds::Rounds;
use crate::kit::tally::Tally;
use crate::kit::world::{Pause, Rules, Seat, Task, World};

/// A worker, inside its thread.
pub struct Worker<'a> {
    pub world: &'a World,
    pub seat: usize,
    thread: &'a SequenceScope<Pause>,
    ready: RefCell<VecDeque<Task>>,
    turn: Cell<u32>,
    given_at: Cell<u32>,
    in_vain: Cell<u32>,
    lookout: Lookout,
    rounds: Rounds,
    notes: Vec<Cell<Note>>,
    robbed: Cell<Option<usize>>,
}

impl<'a> Worker<'a> {
    pub fn new(world: &'a World, seat: usize, thread: &'a SequenceScope<Pause>) -> Self {
        Self {
            world,
            seat,
            thread,
            ready: RefCell::default(),
            turn: Cell::new(0),
            given_at: Cell::new(0),
            in_vain: Cell::new(0),
            lookout: Lookout::new(seat),
            rounds: Rounds::new(seat),
            notes: vec![Cell::default(); world.seats.len()],
            robbed: Cell::default(),
        }
    }

    /// `Worker::run` of the library.
    pub fn run(&self) {
        loop {
            let turn = self.turn.get().wrapping_add(1);
            self.turn.set(turn);
            let looks = turn.is_multiple_of(LOOK_EVERY);
            if looks {
                self.take_inbox();
                self.look_for_given();
            }
            // Who lives here and is not ready waits for a timer.
            let has_nothing_else = !self.has_ready()
                && self.here().hosted.get() == 0
                && self.here().inbox.borrow().is_empty()
                && self.here().given.borrow().is_empty();
            let prefers_fresh = (turn.is_multiple_of(FRESH_EVERY) || has_nothing_else)
                && !matches!(self.ready.borrow().front(), Some(Task::Fresh(_)));
            let mut fresh = None;
            if looks && (prefers_fresh || !self.has_ready()) {
                fresh = self.overdue();
            }
            if fresh.is_none() && prefers_fresh {
                fresh = self.next();
            }
            let task = match fresh {
                Some(job) => self.placed(job),
                None => self.ready.borrow_mut().pop_front(),
            };
            match task {
                Some(Task::Fresh(job)) => self.start(job),
                Some(Task::Started(job)) => self.resume(job),
                Some(Task::Launcher(jobs)) => self.launch(jobs),
                None if fresh.is_some() => {}
                None if self.world.over.get() => return,
                None => self.idle(),
            }
        }
    }

    /// Lets the time pass that everything since the last call has taken.
    pub fn settle(&self) {
        let until = self.world.now.get() + self.world.debt.take();
        if self.world.is_next(until) {
            self.world.now.set(until);
        } else {
            let went_on = self.thread.yield_(Pause::Until(until));
            went_on.expect("the run goes on");
        }
    }

    fn now(&self) -> u64 {
        self.world.now.get()
    }

    pub fn here(&self) -> &'a Seat {
        &self.world.seats[self.seat]
    }

    /// Runs somebody's code for so long.
    fn work(&self, nanos: u64) {
        let is_last = self.seat + 1 == self.world.seats.len();
        let nanos = if is_last {
            nanos * self.world.plan.slowness
        } else {
            nanos
        };
        self.settle();
        self.world.tally.works(self.seat, self.now());
        self.world.spend(nanos);
        self.settle();
        let busy = &self.world.tally.busy[self.seat];
        busy.set(busy.get() + nanos);
    }

    /// `start_with` and `goes_on` of the library: what ends gives its stack to the next.
    fn start(&self, mut job: usize) {
        for chain in 1.. {
            if !self.run_first(job) || chain >= LONGEST_CHAIN {
                return;
            }
            if !self.has_ready() {
                self.take_fresh();
            }
            let mut ready = self.ready.borrow_mut();
            match ready.front() {
                Some(&Task::Fresh(next)) => job = next,
                _ => return,
            }
            ready.pop_front();
        }
    }

    /// True if it has ended.
    fn run_first(&self, job: usize) -> bool {
        let here = self.here();
        if self.world.given[job].get() {
            here.handed.set(here.handed.get() - 1);
        }
        here.hosted.set(here.hosted.get() + 1);
        self.settle();
        self.world.tally.starts(job, self.now());
        let plan = self.world.plan.jobs[job];
        self.work(costs::START + plan.first);
        if plan.wait == 0 {
            self.ended();
            return true;
        }
        let at = self.now() + plan.wait;
        self.world.tally.waits(job, at);
        self.world.plan_news(self.seat, at, Task::Started(job));
        false
    }

    fn resume(&self, job: usize) {
        self.settle();
        self.world.tally.goes_on(job, self.now());
        self.work(costs::RESUME + self.world.plan.jobs[job].second);
        self.ended();
    }

    fn ended(&self) {
        let here = self.here();
        here.hosted.set(here.hosted.get() - 1);
        self.world.tally.ends(self.now());
    }

    fn launch(&self, jobs: Range<usize>) {
        for job in jobs {
            self.work(costs::LAUNCH);
            self.world.tally.launched(job, self.now());
            if self.world.rules == Rules::RoundRobin {
                rivals::launch_round(self.world, job);
            } else {
                let here = self.here();
                here.queue.push(job, policy::goes_deep(here.hosted.get()));
            }
            if self.world.rules == Rules::Ours {
                policy::launched(self.world);
            }
        }
    }

    pub fn take_inbox(&self) {
        self.ready
            .borrow_mut()
            .append(&mut self.here().inbox.borrow_mut());
    }

    fn given(&self) -> Option<usize> {
        let here = self.here();
        if here.given.borrow().is_empty() {
            return None;
        }
        let job = self.take_given(self.seat)?;
        here.taken.set(here.taken.get().wrapping_add(1));
        Some(job)
    }

    /// `Worker::take_given` of the library.
    fn look_for_given(&self) {
        let turn = self.turn.get();
        let turns = LOOK_EVERY - turn % LOOK_EVERY;
        let last = self.given_at.replace(turn);
        for _ in 0..policy::given_at_once(last, turn, turns, self.has_ready()) {
            let Some(job) = self.given() else { break };
            self.ready.borrow_mut().push_back(Task::Fresh(job));
        }
    }

    /// `Member::overdue` of the library.
    fn overdue(&self) -> Option<usize> {
        let now = self.now();
        if self.world.rules != Rules::Ours || !self.rounds.are_due(now) {
            return None;
        }
        self.rounds.visit(self, now)
    }

    pub fn take_fresh(&self) {
        if let Some(job) = self.next() {
            self.place(job);
        }
    }

    fn next(&self) -> Option<usize> {
        match self.world.rules {
            Rules::Ours => policy::next(self),
            Rules::RoundRobin => self.own(),
            Rules::RandomStealing => self.own().or_else(|| self.injected()),
        }
    }

    /// `Worker::placed` of the library: what is to start here, unless it was given to another.
    fn placed(&self, job: usize) -> Option<Task> {
        let here = self.here();
        let mine = here.hosted.get() + here.handed.get();
        let is_given = &self.world.given[job];
        let target = match self.world.rules {
            Rules::Ours if !is_given.get() && self.lookout.looks(mine) => {
                self.lookout.lighter(self.world, mine)
            }
            _ => None,
        };
        let Some(target) = target else {
            return Some(Task::Fresh(job));
        };
        is_given.set(true);
        self.world.spend(costs::SEND);
        self.settle();
        Tally::count(&self.world.tally.handed);
        let there = &self.world.seats[target];
        there.handed.set(there.handed.get() + 1);
        there.given.borrow_mut().push_back(job);
        if !self.world.notify(target) {
            policy::launched(self.world);
        }
        None
    }

    /// `Worker::idle` of the library.
    fn idle(&self) {
        self.settle();
        self.world.tally.idles(self.seat, self.now());
        self.take_inbox();
        self.look_for_given();
        if self.has_ready() {
            return;
        }
        self.take_fresh();
        if self.has_ready() {
            return;
        }
        match self.world.rules {
            Rules::Ours => policy::search(self),
            Rules::RoundRobin => self.sleep(None, || false),
            Rules::RandomStealing => rivals::steal_at_random(self),
        }
    }

    /// `Worker::sleep_unless` of the library.
    pub fn sleep(&self, nanos: Option<u64>, wanted: impl FnOnce() -> bool) {
        self.settle();
        let here = self.here();
        here.asleep.set(true);
        let has_news = !here.inbox.borrow().is_empty()
            || self.world.rules == Rules::Ours && self.has_injected()
            || !here.given.borrow().is_empty()
            || self.world.over.get();
        let stays_awake = has_news || wanted();
        // What a look takes before a sleep is part of the sleep.
        self.world.debt.set(0);
        if !stays_awake {
            let until = nanos.map(|nanos| self.now() + nanos);
            if until.is_some() {
                Tally::count(&self.world.tally.naps);
            }
            let woke = self.thread.yield_(Pause::Asleep(until));
            woke.expect("the run goes on");
        }
        here.asleep.set(false);
        self.take_inbox();
        self.look_for_given();
    }

    fn take_given(&self, seat: usize) -> Option<usize> {
        self.world.spend(costs::POP_INJECTED);
        self.settle();
        let there = &self.world.seats[seat];
        there.given.borrow_mut().pop_front()
    }

    fn has_injected(&self) -> bool {
        !self.world.injected.borrow().is_empty()
    }
}

/// The library's are in `pool.rs`.
impl Queues for Worker<'_> {
    type Floor = World;
    type Work = usize;

    fn floor(&self) -> &World {
        self.world
    }

    fn seat(&self) -> usize {
        self.seat
    }

    fn taken(&self) -> u32 {
        self.here().taken.get()
    }

    fn own(&self) -> Option<usize> {
        let here = self.here();
        if here.queue.is_empty() {
            return None;
        }
        self.world.spend(costs::POP);
        self.settle();
        let taken = here.taken.get();
        let deep = policy::goes_deep(here.hosted.get());
        let job = here.queue.pop(deep, taken)?;
        here.taken.set(taken.wrapping_add(1));
        Some(job)
    }

    fn injected(&self) -> Option<usize> {
        self.world.spend(costs::POP_INJECTED);
        self.settle();
        let job = self.world.injected.borrow_mut().pop_front()?;
        let taken = &self.here().taken;
        taken.set(taken.get().wrapping_add(1));
        Some(job)
    }

    fn steal_from(&self, victim: usize, many: bool) -> Option<usize> {
        self.world.spend(costs::STEAL);
        self.settle();
        let theirs = &self.world.seats[victim].stealers;
        let before = theirs.len();
        let job = if many {
            theirs.steal_half(&self.here().queue)
        } else {
            theirs.steal_one()
        }?;
        let further = before - theirs.len() - 1;
        self.world.spend(further as u64 * costs::MOVE);
        Tally::count(&self.world.tally.steals);
        Some(job)
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

    fn steal_given(&self, victim: usize) -> Option<usize> {
        let job = self.take_given(victim)?;
        let (there, here) = (&self.world.seats[victim], self.here());
        there.handed.set(there.handed.get() - 1);
        here.handed.set(here.handed.get() + 1);
        Tally::count(&self.world.tally.steals);
        Some(job)
    }
}

/// The library's are in `search.rs`.
impl Idler for Worker<'_> {
    type Queues = Self;

    fn with_queues<R>(&self, look: impl FnOnce(&Self) -> R) -> R {
        look(self)
    }

    fn floor(&self) -> &World {
        self.world
    }

    fn place(&self, job: usize) {
        if let Some(task) = self.placed(job) {
            self.ready.borrow_mut().push_back(task);
        }
    }

    fn poll(&self) {
        self.take_inbox();
    }

    fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    fn enter_idle(&self) {
        self.settle();
        self.world.idle.set(self.world.idle.get() + 1);
    }

    fn leave_idle(&self) {
        self.settle();
        self.world.idle.set(self.world.idle.get() - 1);
    }

    fn enter_search(&self, most: u32) -> bool {
        self.settle();
        let searching = self.world.searching.get();
        let enters = searching < most;
        self.world.searching.set(searching + u32::from(enters));
        enters
    }

    fn leave_search(&self) {
        self.settle();
        self.world.searching.set(self.world.searching.get() - 1);
    }

    fn nap(&self, nanos: u64) {
        self.sleep(Some(nanos), || false);
    }

    fn sleep_unless(&self, wanted: impl FnOnce() -> bool) {
        self.sleep(None, wanted);
    }
}
