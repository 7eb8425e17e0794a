//! Plays a short program on several coroutines and threads at once, and writes down when each call began and ended.

use std::hint;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex as Records, OnceLock};

use switchback::prelude::*;

use crate::checker::{Act, Call, History, Spec};

/// How many act; the one who gives the orders comes on top.
pub const ACTORS: usize = 3;
pub const USERS: usize = ACTORS + 1;

type OperationOf<T> = <<T as Tool>::Spec as Spec>::Operation;
type OutcomeOf<T> = <<T as Tool>::Spec as Spec>::Outcome;
type CallOf<T> = Call<OperationOf<T>, OutcomeOf<T>>;

/// What is tested.
pub trait Tool: Sync {
    type Spec: Spec<Operation: Clone + Send + Sync, Outcome: Send>;
    /// What an actor holds.
    type Hands<'a>: Default
    where
        Self: 'a;

    /// Performs it, if it makes sense with what the actor holds.
    fn perform<'a>(
        &'a self,
        hands: &mut Self::Hands<'a>,
        operation: &OperationOf<Self>,
    ) -> Option<OutcomeOf<Self>>;

    /// What an actor does at its end.
    fn farewell() -> Option<OperationOf<Self>>;
}

/// Where an actor acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seat {
    /// A plain thread: it cannot be cancelled.
    Thread,
    /// A coroutine on a loop of its own.
    Loop,
    /// A coroutine on the default dispatcher.
    Pool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seats {
    /// All are coroutines of one loop.
    Together,
    Apart([Seat; ACTORS]),
}

impl Seats {
    pub fn has_threads(self) -> bool {
        matches!(self, Self::Apart(seats) if seats.contains(&Seat::Thread))
    }
}

/// What an actor does next.
#[derive(Clone, Debug)]
pub enum Step<O> {
    Do(O),
    Yield,
}

/// What the one does who gives the orders.
#[derive(Clone, Debug)]
pub enum Order<O> {
    Do(O),
    Cancel(usize),
    Rest(u64),
}

/// Who does what, and where.
#[derive(Clone, Debug)]
pub struct Plan<O> {
    pub seats: Seats,
    pub programs: [Vec<Step<O>>; ACTORS],
    pub orders: Vec<Order<O>>,
}

/// Plays it. All calls must return.
pub fn play<T: Tool>(tool: &T, plan: &Plan<OperationOf<T>>) -> History<T::Spec> {
    let play = Play {
        tool,
        plan,
        clock: AtomicU64::new(1),
        ready: AtomicUsize::new(0),
        jobs: Default::default(),
        waits: Default::default(),
        records: Default::default(),
    };
    match plan.seats {
        Seats::Together => run_blocking(|s| {
            for who in 0..ACTORS {
                let play = &play;
                let job = s.launch(move |_| play.act(who));
                play.introduce(who, job);
            }
            play.give_orders();
            Ok(())
        })
        .expect("nobody fails"),
        Seats::Apart(seats) => std::thread::scope(|threads| {
            for (who, seat) in seats.into_iter().enumerate() {
                let play = &play;
                threads.spawn(move || play.act_on(seat, who));
            }
            play.give_orders();
        }),
    }
    play.records
        .into_iter()
        .map(|calls| calls.into_inner().expect("nobody panics"))
        .collect()
}

struct Play<'a, T: Tool> {
    tool: &'a T,
    plan: &'a Plan<OperationOf<T>>,
    clock: AtomicU64,
    ready: AtomicUsize,
    jobs: [OnceLock<Job>; ACTORS],
    /// Who is in a call: outside 0; inside 1, and once another coroutine of the loop has run meanwhile, since when it is
    /// known to wait.
    waits: [AtomicU64; USERS],
    records: [Records<Vec<CallOf<T>>>; USERS],
}

/// Lets others go on, on this loop and on this processor.
fn pass() {
    hint::spin_loop();
    let _ = yield_();
    std::thread::yield_now();
}

impl<T: Tool> Play<'_, T> {
    fn introduce(&self, who: usize, job: Job) {
        assert!(self.jobs[who].set(job).is_ok(), "each once");
    }

    fn act_on(&self, seat: Seat, who: usize) {
        match seat {
            Seat::Thread => {
                self.act(who);
                Ok(())
            }
            Seat::Loop => run_blocking(|s| {
                self.introduce(who, s.launch(|_| self.act(who)));
                Ok(())
            }),
            Seat::Pool => with_context(Dispatchers::default(), |s| {
                self.introduce(who, s.launch(|_| self.act(who)));
                Ok(())
            }),
        }
        .expect("nobody fails");
    }

    /// All begin at the same time, as far as that goes.
    fn meet(&self) {
        while self.ready.load(Ordering::Acquire) < ACTORS {
            pass();
        }
    }

    fn act(&self, who: usize) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        self.meet();
        let mut hands = T::Hands::default();
        for step in &self.plan.programs[who] {
            match step {
                Step::Do(operation) => self.call(who, &mut hands, operation),
                // Cancelled or not: the next call will tell.
                Step::Yield => drop(yield_()),
            }
        }
        if let Some(operation) = T::farewell() {
            self.call(who, &mut hands, &operation);
        }
    }

    fn give_orders(&self) {
        self.meet();
        let me = ACTORS;
        let mut hands = T::Hands::default();
        for order in &self.plan.orders {
            match order {
                Order::Do(operation) => self.call(me, &mut hands, operation),
                Order::Cancel(who) => self.cancel(*who),
                Order::Rest(rounds) => (0..*rounds).for_each(|_| pass()),
            }
        }
    }

    fn cancel(&self, who: usize) {
        if matches!(self.plan.seats, Seats::Apart(seats) if seats[who] == Seat::Thread) {
            return;
        }
        let job = loop {
            match self.jobs[who].get() {
                Some(job) => break job,
                None => pass(),
            }
        };
        let begin = self.tick();
        job.cancel();
        let call = Call {
            begin,
            asked: None,
            end: self.tick(),
            act: Act::Cancel(who),
        };
        self.record(ACTORS, call);
    }

    fn call<'a>(&'a self, who: usize, hands: &mut T::Hands<'a>, operation: &OperationOf<T>) {
        let begin = self.tick();
        if self.plan.seats == Seats::Together {
            self.notice_who_waits(begin);
            self.waits[who].store(1, Ordering::Relaxed);
        }
        let outcome = self.tool.perform(hands, operation);
        let asked = self.waits[who].swap(0, Ordering::Relaxed);
        let end = self.tick();
        if let Some(outcome) = outcome {
            let call = Call {
                begin,
                asked: Some(asked).filter(|asked| *asked > 1),
                end,
                act: Act::Do(operation.clone(), outcome),
            };
            self.record(who, call);
        }
    }

    /// On one loop, whoever is in a call while another runs has asked for something and waits for it.
    fn notice_who_waits(&self, now: u64) {
        for wait in &self.waits {
            let _ = wait.compare_exchange(1, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn record(&self, who: usize, call: CallOf<T>) {
        self.records[who].lock().expect("nobody panics").push(call);
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}
