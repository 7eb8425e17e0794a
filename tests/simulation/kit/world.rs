//! Virtual time, and what the workers of a run share.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use switchback::{SequenceIterator, iterator};

use crate::kit::costs;
use crate::kit::own::{OwnQueue, Stealers};
use crate::kit::plan::{Origin, Plan};
use crate::kit::policy::{self, Floor};
use crate::kit::random::Random;
use crate::kit::rivals;
use crate::kit::tally::{Report, Tally};
use crate::kit::worker::Worker;

/// Which rules the workers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those of the library.
    Ours,
    /// Each launch goes to the next worker, which keeps it.
    RoundRobin,
    /// Each launch stays where it was made, and wakes nobody; who idles looks at random victims again and again.
    RandomStealing,
}

/// A run that takes longer than this, in virtual nanoseconds, does not end.
const TOO_LONG: u64 = 60_000_000_000;

/// What a worker waits for.
#[derive(Clone, Copy, Debug)]
pub enum Pause {
    /// Its own time passes.
    Until(u64),
    /// It sleeps, until it is woken or until a moment.
    Asleep(Option<u64>),
}

/// What is sent to a worker, or is ready there.
#[derive(Clone, Debug)]
pub enum Task {
    /// A job that has not started.
    Fresh(usize),
    /// A job that has, and whose wait is over.
    Started(usize),
    /// A coroutine that lives here and launches these.
    Launcher(Range<usize>),
}

#[derive(Debug)]
enum Event {
    /// A worker goes on, unless it has done so since.
    Turn { seat: usize, epoch: u64 },
    /// The world has something for a coroutine of this worker.
    News { seat: usize, task: Task },
    /// A thread that is no worker launches.
    Outside(Range<usize>),
}

/// Ordered by time, then by the order in which they were made.
#[derive(Debug)]
struct Due {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What the others may touch of a worker.
#[derive(Debug)]
pub struct Seat {
    pub(super) queue: OwnQueue<usize>,
    pub(super) stealers: Stealers<usize>,
    pub inbox: RefCell<VecDeque<Task>>,
    /// Jobs that have not started, and that other workers have given to this one.
    pub given: RefCell<VecDeque<usize>>,
    pub taken: Cell<u32>,
    pub hosted: Cell<u32>,
    pub handed: Cell<u32>,
    pub asleep: Cell<bool>,
    epoch: Cell<u64>,
}

impl Seat {
    fn new() -> Self {
        let queue = OwnQueue::new();
        Self {
            stealers: queue.stealers(),
            queue,
            inbox: RefCell::default(),
            given: RefCell::default(),
            taken: Cell::new(0),
            hosted: Cell::new(0),
            handed: Cell::new(0),
            asleep: Cell::new(false),
            epoch: Cell::new(0),
        }
    }
}

/// One run.
#[derive(Debug)]
pub struct World {
    pub rules: Rules,
    pub plan: Plan,
    pub seats: Vec<Seat>,
    pub injected: RefCell<VecDeque<usize>>,
    pub idle: Cell<u32>,
    pub searching: Cell<u32>,
    pub restless: Cell<bool>,
    pub over: Cell<bool>,
    pub random: RefCell<Random>,
    pub next: Cell<usize>,
    pub tally: Tally,
    /// Which jobs some worker has given to another.
    pub given: Vec<Cell<bool>>,
    pub now: Cell<u64>,
    /// What the looks of whoever runs now have taken, and has not been paid for.
    pub debt: Cell<u64>,
    due: RefCell<BinaryHeap<Reverse<Due>>>,
    numbers: Cell<u64>,
}

/// Runs a plan to its end, and tells what came out.
pub fn run(workers: usize, rules: Rules, plan: &Plan, seed: u64) -> Report {
    let world = Rc::new(World {
        rules,
        plan: plan.clone(),
        seats: (0..workers).map(|_| Seat::new()).collect(),
        injected: RefCell::default(),
        idle: Cell::new(0),
        searching: Cell::new(0),
        restless: Cell::new(false),
        over: Cell::new(false),
        random: RefCell::new(Random::new(seed)),
        next: Cell::new(0),
        tally: Tally::new(workers, plan.jobs.len()),
        given: vec![Cell::new(false); plan.jobs.len()],
        now: Cell::new(0),
        debt: Cell::new(0),
        due: RefCell::default(),
        numbers: Cell::new(0),
    });
    let mut threads: Vec<SequenceIterator<Pause>> = (0..workers)
        .map(|seat| {
            let world = Rc::clone(&world);
            iterator(move |thread| {
                Worker::new(&world, seat, thread).run();
                Ok(())
            })
        })
        .collect();
    for seat in 0..workers {
        world.plan_turn(seat, 0);
    }
    for arrival in &plan.arrivals {
        let jobs = arrival.jobs.clone();
        let event = match arrival.origin {
            Origin::Outside => Event::Outside(jobs),
            Origin::Worker(seat) => Event::News {
                seat,
                task: Task::Launcher(jobs),
            },
        };
        world.plan_event(arrival.at, event);
    }
    if let Err(stuck) = world.turn_round(&mut threads) {
        // Nobody would end them.
        std::mem::forget(threads);
        panic!("{workers} workers, {rules:?}, seed {seed}: {stuck}");
    }
    world.tally.report(plan.ideal(workers))
}

impl World {
    fn turn_round(&self, threads: &mut [SequenceIterator<Pause>]) -> Result<(), String> {
        while self.tally.ended.get() < self.plan.jobs.len() {
            let due = self.due.borrow_mut().pop();
            let Some(Reverse(due)) = due else {
                let ended = self.tally.ended.get();
                return Err(format!("all sleep, and {ended} jobs have ended"));
            };
            if due.at > TOO_LONG {
                return Err(String::from("it comes to no end"));
            }
            assert!(due.at >= self.now.get(), "time goes on");
            self.now.set(due.at);
            self.happen(due.event, threads);
        }
        self.over.set(true);
        for thread in threads {
            for _ in thread {}
        }
        Ok(())
    }

    fn happen(&self, event: Event, threads: &mut [SequenceIterator<Pause>]) {
        match event {
            Event::Turn { seat, epoch } => {
                if epoch != self.seats[seat].epoch.get() {
                    return;
                }
                self.seats[seat].epoch.set(epoch + 1);
                match threads[seat].next() {
                    Some(Pause::Until(at)) => self.plan_turn(seat, at),
                    Some(Pause::Asleep(Some(until))) => {
                        self.plan_turn(seat, until + costs::OVERSLEEP);
                    }
                    Some(Pause::Asleep(None)) | None => {}
                }
            }
            Event::News { seat, task } => {
                self.seats[seat].inbox.borrow_mut().push_back(task);
                self.rouse(seat);
            }
            Event::Outside(jobs) => {
                for job in jobs {
                    self.launch_outside(job);
                }
                // It has a processor of its own, and nothing else to do.
                self.debt.set(0);
            }
        }
    }

    fn launch_outside(&self, job: usize) {
        self.tally.launched(job, self.now.get());
        match self.rules {
            Rules::RoundRobin => rivals::launch_round(self, job),
            Rules::RandomStealing => self.injected.borrow_mut().push_back(job),
            Rules::Ours => {
                self.injected.borrow_mut().push_back(job);
                policy::launched(self);
            }
        }
    }

    fn plan_event(&self, at: u64, event: Event) {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        let due = Due { at, number, event };
        self.due.borrow_mut().push(Reverse(due));
    }

    fn plan_turn(&self, seat: usize, at: u64) {
        let epoch = self.seats[seat].epoch.get();
        self.plan_event(at, Event::Turn { seat, epoch });
    }

    /// A job's wait for the world begins.
    pub fn plan_news(&self, seat: usize, at: u64, task: Task) {
        self.plan_event(at, Event::News { seat, task });
    }

    /// Whether nothing else happens before this moment.
    pub fn is_next(&self, at: u64) -> bool {
        let due = self.due.borrow();
        due.peek().is_none_or(|Reverse(first)| first.at > at)
    }

    pub fn spend(&self, nanos: u64) {
        self.debt.set(self.debt.get() + nanos);
    }

    /// A thread that sleeps is made to run after a while.
    pub fn rouse(&self, seat: usize) -> bool {
        let was_asleep = self.seats[seat].asleep.replace(false);
        if was_asleep {
            self.plan_turn(seat, self.now.get() + self.debt.get() + costs::AWAKENING);
        }
        was_asleep
    }

    /// The same, by another thread, which pays for it.
    pub fn notify(&self, seat: usize) -> bool {
        let was_asleep = self.rouse(seat);
        if was_asleep {
            Tally::count(&self.tally.wakes);
            self.spend(costs::WAKE);
        }
        was_asleep
    }
}

impl Floor for World {
    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn waiting(&self, seat: usize) -> usize {
        self.spend(costs::LOOK);
        Tally::count(&self.tally.looks);
        self.seats[seat].stealers.len()
    }

    fn taken(&self, seat: usize) -> u32 {
        self.spend(costs::LOOK);
        self.seats[seat].taken.get()
    }

    fn load(&self, seat: usize) -> Option<u32> {
        self.spend(costs::LOOK);
        let seat = &self.seats[seat];
        Some(seat.hosted.get() + seat.handed.get())
    }

    fn given(&self, seat: usize) -> usize {
        self.spend(costs::LOOK);
        self.seats[seat].given.borrow().len()
    }

    fn has_injected(&self) -> bool {
        !self.injected.borrow().is_empty()
    }

    fn idle(&self) -> u32 {
        self.idle.get()
    }

    fn is_searched(&self) -> bool {
        self.searching.get() > 0
    }

    fn is_restless(&self) -> bool {
        self.restless.get()
    }

    fn set_restless(&self, restless: bool) {
        self.restless.set(restless);
    }

    fn is_asleep(&self, seat: usize) -> bool {
        self.spend(costs::LOOK);
        self.seats[seat].asleep.get()
    }

    fn is_awake(&self, seat: usize) -> bool {
        !self.seats[seat].asleep.get()
    }

    fn wake(&self, seat: usize) -> bool {
        self.notify(seat)
    }
}
