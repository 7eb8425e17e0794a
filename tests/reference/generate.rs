//! Random programs, each made from the number that is its seed.

use std::sync::Arc;

use crate::program::{
    Body, ByHand, JobId, Launch, Op, Program, ScopeKind, Start, Step, StepId, Watch,
};

/// After so many milliseconds a program is cancelled as a whole, so that what waits for nothing comes to an end.
const LIMIT: u64 = 1000;

pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let jobs = 2 + random.below(11);
    let mut generator = Generator {
        // The scope of the root and the limit around the program are jobs 0 and 1.
        next_job: 2,
        jobs,
        next_step: 1,
        steps_left: 4 + random.below(40),
        by_hand: Vec::new(),
        deferreds: Vec::new(),
        watching: Vec::new(),
        random,
    };
    let body = generator.body(0, 3);
    let limit = Step {
        id: 0,
        caught: true,
        op: Op::Scope {
            job: 1,
            kind: ScopeKind::TimeoutOrNone(LIMIT),
            shown: generator.random.one_in(2),
            body,
        },
    };
    let mut root = vec![limit];
    for job in generator.by_hand.clone() {
        let id = generator.step_id();
        let op = Op::Cancel(job);
        let caught = false;
        root.push(Step { id, caught, op });
    }
    Program {
        jobs,
        root: Arc::new(root),
    }
}

struct Generator {
    random: Random,
    next_job: JobId,
    jobs: usize,
    next_step: usize,
    steps_left: usize,
    by_hand: Vec<JobId>,
    deferreds: Vec<JobId>,
    /// The steps that register handlers.
    watching: Vec<StepId>,
}

impl Generator {
    fn body(&mut self, depth: usize, at_least: usize) -> Body {
        let length = at_least + self.random.below(5);
        let mut steps = Vec::new();
        while steps.len() < length && self.steps_left > 0 {
            self.steps_left -= 1;
            let id = self.step_id();
            let op = self.op(depth);
            let caught = self.random.one_in(3);
            steps.push(Step { id, caught, op });
        }
        // What a body fails with in the end, after its waits were cut short.
        if depth > 0 && self.random.one_in(5) {
            let id = self.step_id();
            let op = self.failure();
            let caught = false;
            steps.push(Step { id, caught, op });
        }
        Arc::new(steps)
    }

    fn step_id(&mut self) -> usize {
        self.next_step += 1;
        self.next_step - 1
    }

    fn op(&mut self, depth: usize) -> Op {
        // Half of the steps make jobs, as long as there are numbers left for them.
        if self.next_job < self.jobs && depth < 5 && self.random.one_in(2) {
            return self.op_with_job(depth);
        }
        match self.random.below(48) {
            0..=6 => Op::Delay(self.time()),
            7..=10 => Op::Yield,
            11 => Op::AwaitCancellation,
            12..=15 => Op::Join(self.job()),
            16 => Op::CancelAndJoin(self.job()),
            17..=21 => {
                let job = self.deferred();
                let takes = self.random.one_in(3);
                Op::Await { job, takes }
            }
            22..=23 => Op::Start(self.job()),
            24..=27 => Op::Cancel(self.job()),
            28 => Op::CancelBecause(self.job()),
            29..=30 => Op::CancelChildren(self.job()),
            31..=32 => Op::Complete(self.completable()),
            33 => Op::CompleteExceptionally(self.completable()),
            34..=36 => self.watch(),
            37 => match self.watching.len() {
                0 => self.watch(),
                count => Op::Dispose(self.watching[self.random.below(count)]),
            },
            38 => Op::EnsureActive,
            39 => Op::IsActive,
            40..=41 => Op::Look(self.job()),
            42 => Op::Children(self.job()),
            43 => Op::Parent(self.job()),
            44..=45 => Op::GetCompleted(self.deferred()),
            _ => self.failure(),
        }
    }

    fn watch(&mut self) -> Op {
        self.watching.push(self.next_step - 1);
        Op::Watch(Watch {
            job: self.job(),
            on_cancelling: self.random.one_in(2),
            cancels: self.random.one_in(3).then(|| self.job()),
        })
    }

    fn failure(&mut self) -> Op {
        match self.random.below(8) {
            0 => Op::FailCancelled,
            1..=5 => Op::Fail,
            _ => Op::Panic,
        }
    }

    fn op_with_job(&mut self, depth: usize) -> Op {
        let job = self.next_job;
        self.next_job += 1;
        match self.random.below(16) {
            0..=9 => Op::Launch(self.launch(job, depth)),
            10..=11 => {
                self.by_hand.push(job);
                let kind = match self.random.below(4) {
                    0..=1 => ByHand::Job,
                    2 => ByHand::Supervisor,
                    _ => ByHand::Deferred,
                };
                if kind == ByHand::Deferred {
                    self.deferreds.push(job);
                }
                let under = self.random.one_in(2).then(|| self.job());
                Op::ByHand { job, kind, under }
            }
            _ => {
                let kind = match self.random.below(8) {
                    0..=1 => ScopeKind::Coroutine,
                    2 => ScopeKind::Supervisor,
                    3 => ScopeKind::Timeout(self.limit()),
                    4 => ScopeKind::TimeoutOrNone(self.limit()),
                    5 => ScopeKind::NonCancellable,
                    6 => ScopeKind::WithContext,
                    _ => ScopeKind::RunBlocking,
                };
                let shown = self.random.one_in(2);
                let body = self.body(depth + 1, 1);
                Op::Scope {
                    job,
                    kind,
                    shown,
                    body,
                }
            }
        }
    }

    fn launch(&mut self, job: JobId, depth: usize) -> Launch {
        let is_async = self.random.one_in(3);
        if is_async {
            self.deferreds.push(job);
        }
        let start = match self.random.below(12) {
            0..=1 => Start::Lazy,
            2 => Start::Atomic,
            3 => Start::Undispatched,
            _ => Start::Default,
        };
        let under = match self.random.below(8) {
            0 => Some(self.job()),
            1..=2 if !self.by_hand.is_empty() => Some(self.completable()),
            _ => None,
        };
        Launch {
            job,
            is_async,
            // An owned scope has no lazy start.
            start,
            under,
            watched: self.random.one_in(2),
            body: self.body(depth + 1, 0),
        }
    }

    /// Few different times, so that some fall together.
    fn time(&mut self) -> u64 {
        [0, 1, 1, 2, 3, 5, 8, 13, 40][self.random.below(9)]
    }

    fn limit(&mut self) -> u64 {
        [0, 1, 2, 3, 5, 8, 30][self.random.below(7)]
    }

    fn job(&mut self) -> JobId {
        // Most often one of those that the text has named before.
        let count = if self.random.one_in(6) {
            self.jobs
        } else {
            self.next_job
        };
        self.random.below(count)
    }

    fn deferred(&mut self) -> JobId {
        match self.deferreds.len() {
            0 => self.job(),
            count => self.deferreds[self.random.below(count)],
        }
    }

    fn completable(&mut self) -> JobId {
        match self.by_hand.len() {
            0 => self.job(),
            count => self.by_hand[self.random.below(count)],
        }
    }
}

/// SplitMix64: small, and the same everywhere (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators").
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("less than a usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}
