//! What is counted in a run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Unstarted work is overdue when it has waited for so long, in nanoseconds.
pub const OVERDUE: u64 = 100_000;

/// The counters of a run in progress.
#[derive(Debug)]
pub struct Tally {
    pub steals: Cell<u64>,
    pub looks: Cell<u64>,
    pub wakes: Cell<u64>,
    pub naps: Cell<u64>,
    pub handed: Cell<u64>,
    pub busy: Vec<Cell<u64>>,
    waits: RefCell<Vec<u64>>,
    /// When the wait of each job for the world is over; then, how much later it went on.
    late: RefCell<Vec<u64>>,
    /// When each job was launched, in this order, and whether it has started; from the oldest that has not.
    unstarted: RefCell<VecDeque<(usize, u64, bool)>>,
    /// The place in `unstarted` that each job was given, counted from the first of all.
    places: RefCell<Vec<usize>>,
    first: Cell<usize>,
    /// Since when each worker idles.
    idle_since: Vec<Cell<Option<u64>>>,
    neglect: Cell<u64>,
    /// Since when there has always been some overdue work.
    overdue_since: Cell<Option<u64>>,
    pub started: Cell<usize>,
    pub ended: Cell<usize>,
    last_end: Cell<u64>,
}

impl Tally {
    pub fn new(workers: usize, jobs: usize) -> Self {
        Self {
            steals: Cell::new(0),
            looks: Cell::new(0),
            wakes: Cell::new(0),
            naps: Cell::new(0),
            handed: Cell::new(0),
            busy: (0..workers).map(|_| Cell::new(0)).collect(),
            waits: RefCell::new(vec![u64::MAX; jobs]),
            late: RefCell::new(vec![0; jobs]),
            unstarted: RefCell::default(),
            places: RefCell::new(vec![usize::MAX; jobs]),
            first: Cell::new(0),
            idle_since: (0..workers).map(|_| Cell::new(None)).collect(),
            neglect: Cell::new(0),
            overdue_since: Cell::new(None),
            started: Cell::new(0),
            ended: Cell::new(0),
            last_end: Cell::new(0),
        }
    }

    pub fn count(counter: &Cell<u64>) {
        counter.set(counter.get() + 1);
    }

    pub fn launched(&self, job: usize, now: u64) {
        self.settle(now);
        let mut unstarted = self.unstarted.borrow_mut();
        self.places.borrow_mut()[job] = self.first.get() + unstarted.len();
        unstarted.push_back((job, now, false));
    }

    /// A job starts, which it may do once.
    pub fn starts(&self, job: usize, now: u64) {
        self.settle(now);
        let mut unstarted = self.unstarted.borrow_mut();
        let place = self.places.borrow()[job];
        let (_, born, started) = &mut unstarted[place - self.first.get()];
        assert!(!*started, "job {job} started twice");
        *started = true;
        self.waits.borrow_mut()[job] = now - *born;
        self.started.set(self.started.get() + 1);
        while let Some((_, _, true)) = unstarted.front() {
            unstarted.pop_front();
            self.first.set(self.first.get() + 1);
        }
        drop(unstarted);
        // The oldest is another one now, which may not be overdue.
        if self.overdue(now).is_none() && self.overdue_since.get().is_some() {
            for idle in &self.idle_since {
                self.neglected(idle.get(), now);
            }
            self.overdue_since.set(None);
        }
    }

    /// A job waits until a moment.
    pub fn waits(&self, job: usize, until: u64) {
        self.late.borrow_mut()[job] = until;
    }

    /// It goes on.
    pub fn goes_on(&self, job: usize, now: u64) {
        let mut late = self.late.borrow_mut();
        late[job] = now - late[job];
    }

    pub fn ends(&self, now: u64) {
        self.ended.set(self.ended.get() + 1);
        self.last_end.set(self.last_end.get().max(now));
    }

    pub fn idles(&self, worker: usize, now: u64) {
        if self.idle_since[worker].get().is_none() {
            self.idle_since[worker].set(Some(now));
        }
    }

    pub fn works(&self, worker: usize, now: u64) {
        self.settle(now);
        self.neglected(self.idle_since[worker].take(), now);
    }

    /// Since when the oldest work is overdue, if it is.
    fn overdue(&self, now: u64) -> Option<u64> {
        let unstarted = self.unstarted.borrow();
        let (_, born, _) = unstarted.front()?;
        (born + OVERDUE <= now).then_some(born + OVERDUE)
    }

    fn settle(&self, now: u64) {
        if self.overdue_since.get().is_none() {
            self.overdue_since.set(self.overdue(now));
        }
    }

    /// A worker that has been idle since a moment was so while work was overdue.
    fn neglected(&self, idle_since: Option<u64>, now: u64) {
        if let (Some(idle), Some(overdue)) = (idle_since, self.overdue_since.get()) {
            let both = now.saturating_sub(idle.max(overdue));
            self.neglect.set(self.neglect.get().max(both));
        }
    }

    /// The end of a run.
    pub fn report(&self, ideal: u64) -> Report {
        let took = self.last_end.get();
        let spread = |times: &RefCell<Vec<u64>>| {
            let mut times = times.borrow().clone();
            times.sort_unstable();
            [0.5, 0.99, 1.0].map(|share| times[((times.len() - 1) as f64 * share) as usize])
        };
        let busy: Vec<u64> = self.busy.iter().map(Cell::get).collect();
        let most = *busy.iter().max().expect("there are workers") as f64;
        let mean = busy.iter().sum::<u64>() as f64 / busy.len() as f64;
        let launched = self.waits.borrow().len();
        let launches = launched as f64;
        Report {
            launched,
            started: self.started.get(),
            ended: self.ended.get(),
            took,
            imbalance: most / mean,
            completion: took as f64 / ideal as f64,
            steals: self.steals.get() as f64 / launches,
            looks: self.looks.get() as f64 / launches,
            wakes: self.wakes.get() as f64 / launches,
            naps: self.naps.get() as f64 / launches,
            handed: self.handed.get() as f64 / launches,
            wait: spread(&self.waits),
            late: spread(&self.late),
            neglect: self.neglect.get(),
        }
    }
}

/// What came out of a run. Times in nanoseconds; counts by launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub launched: usize,
    pub started: usize,
    pub ended: usize,
    pub took: u64,
    /// The busiest worker's time over the mean.
    pub imbalance: f64,
    /// The time to the last end over what nobody could undercut.
    pub completion: f64,
    /// Work taken from another worker's queue, a batch or one.
    pub steals: f64,
    /// Looks into another worker's queue.
    pub looks: f64,
    /// Sleepers that another thread has told to wake, which costs that thread a system call.
    pub wakes: f64,
    /// Sleeps with a limit, of workers that look for work.
    pub naps: f64,
    /// Sent to a worker that hosts less.
    pub handed: f64,
    /// From the launch to the start: median, 99th percentile, longest.
    pub wait: [u64; 3],
    /// From the end of a wait for the world to the resumption, as above; zero for jobs that do not wait.
    pub late: [u64; 3],
    /// The longest that one worker idled while there was overdue work.
    pub neglect: u64,
}
