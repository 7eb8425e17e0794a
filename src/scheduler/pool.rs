//! The pool of CPU workers: as many threads as cores, at least two.
//!
//! Each worker has a queue of coroutines that were launched on it and have not started; the others may steal from it.
//! What other threads launch goes into one shared queue. A started coroutine stays (R1), so where it starts decides for
//! its life: a worker that is about to start one while it hosts many more than another hands it over.
//!
//! What was launched first starts first, as long as few coroutines live on the worker. Where many do, each with a stack, the
//! one that was launched last starts first: so a tree of coroutines that wait for their children goes into the depth, and
//! needs as many stacks as it is deep and not as it is wide. What is launched there goes into a queue of its own, because
//! each queue has one end that is cheap for its owner. Now and then the first of each has its turn all the same, so that it
//! comes to it however many are launched after it.

use std::io;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use crossbeam_deque::{Injector, Steal};

use crate::context::{Refused, Unstarted};
use crate::scheduler::gate::Gate;
use crate::scheduler::own::{OwnQueue, Stealers};
use crate::scheduler::worker::{HANDED, Worker};
use crate::scheduler::{Fresh, thread};
use crate::task::home::Home;
use crate::task::{Task, current, start};

/// A worker hands a coroutine over when it hosts this many more than another, and a quarter.
const SLACK: u32 = 8;

/// With more coroutines than this a worker starts first what was launched last.
const MANY: u32 = 32;

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) injected: Injector<Fresh>,
    pub(super) seats: Vec<Seat>,
    /// How many workers sleep or look for work.
    pub(super) idle: AtomicU32,
    /// One worker looks for work at a time.
    pub(super) searching: AtomicBool,
    /// A launch has woken a worker since a search was last in vain. A guess, on which nothing rests.
    pub(super) restless: AtomicBool,
    /// What lets a pool end that somebody owns; the default one never does.
    gate: Option<Gate>,
    /// Not one thread could be started.
    dead: AtomicBool,
}

/// What the others may touch of a worker.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) queue: Stealers<Fresh>,
    /// How many coroutines the worker has taken from its own queue.
    pub(super) taken: AtomicU32,
    home: OnceLock<&'static Home>,
}

/// A worker's own place in the pool.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) pool: &'static Pool,
    pub(super) index: usize,
    queue: OwnQueue<Fresh>,
}

static DEFAULT: OnceLock<Option<Pool>> = OnceLock::new();

/// The number of workers of the default pool.
pub(crate) fn default_size() -> usize {
    std::thread::available_parallelism()
        .map_or(2, NonZeroUsize::get)
        .max(2)
}

/// The default pool, started at the first call. `None` if no thread could be started.
pub(crate) fn default_pool() -> Option<&'static Pool> {
    if let Some(pool) = DEFAULT.get() {
        return pool.as_ref();
    }
    let mut seats = None;
    let pool = DEFAULT.get_or_init(|| {
        let queues: Vec<OwnQueue<Fresh>> = (0..default_size()).map(|_| OwnQueue::new()).collect();
        let pool = Pool::new(&queues, None);
        seats = Some(queues);
        Some(pool)
    });
    let (Some(pool), Some(queues)) = (pool.as_ref(), seats) else {
        return pool.as_ref();
    };
    if let Err(error) = pool.start("switchback-default", queues) {
        // One worker less, whose queue stays empty.
        crate::task::report::tell(format_args!(
            "a worker thread could not be started: {error}"
        ));
    }
    Some(pool)
}

/// A pool of so many threads that somebody owns. Its few words are never freed, since its homes point to them.
pub(crate) fn own_pool(name: &str, threads: usize) -> io::Result<&'static Pool> {
    let queues: Vec<OwnQueue<Fresh>> = (0..threads).map(|_| OwnQueue::new()).collect();
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(&queues, Some(Gate::new()))));
    let started = pool.start(name, queues);
    if started.is_err() {
        pool.shut();
    }
    started.map(|()| pool)
}

impl Pool {
    fn new(queues: &[OwnQueue<Fresh>], gate: Option<Gate>) -> Self {
        let seat = |queue: &OwnQueue<Fresh>| Seat {
            queue: queue.stealers(),
            taken: AtomicU32::new(0),
            home: OnceLock::new(),
        };
        Self {
            injected: Injector::new(),
            seats: queues.iter().map(seat).collect(),
            idle: AtomicU32::new(0),
            searching: AtomicBool::new(false),
            restless: AtomicBool::new(false),
            gate,
            dead: AtomicBool::new(false),
        }
    }

    /// Starts the threads, all that can be started, and waits until they can be sent to. The error is the last of those
    /// that could not. Without a single one the pool gives back what it is sent.
    fn start(&'static self, name: &str, queues: Vec<OwnQueue<Fresh>>) -> io::Result<()> {
        let mut missing = 0;
        let mut outcome = Ok(());
        for (index, queue) in queues.into_iter().enumerate() {
            let work = move || {
                self.work(Member {
                    pool: self,
                    index,
                    queue,
                })
            };
            let name = format!("{name}-{index}");
            match std::thread::Builder::new().name(name).spawn(work) {
                Ok(_) => {
                    self.seats[index].home.wait();
                }
                Err(error) => {
                    outcome = Err(error);
                    missing += 1;
                }
            }
        }
        if missing == self.seats.len() {
            self.dead.store(true, Ordering::SeqCst);
            // What others have sent meanwhile; whoever comes later sees the flag.
            while let Err(refused) = self.refuse_if_dead() {
                start::refuse(refused, &"a pool without a single thread");
            }
        }
        outcome
    }

    /// Gives back something that was sent to a pool without threads.
    #[cold]
    fn refuse_if_dead(&self) -> Result<(), Refused> {
        match retry(|| self.injected.steal()) {
            Some(fresh) => Err(Refused(fresh.into_unstarted())),
            None => Ok(()),
        }
    }

    /// What a worker thread does.
    fn work(&'static self, member: Member) {
        let _alternate = crate::stack::overflow::AltStack::install();
        let here = thread::here();
        let home = here.home();
        let _ = self.seats[member.index].home.set(home);
        home.local.loops.set(1);
        let worker = Worker::of(home);
        *worker.member.borrow_mut() = Some(member);
        worker.run(|popped| popped.is_null() && self.is_over(home));
        *worker.member.borrow_mut() = None;
        home.local.loops.set(0);
    }

    /// Takes no more coroutines; the threads end when those that it has have ended.
    pub(crate) fn shut(&self) {
        if let Some(gate) = &self.gate {
            gate.shut();
            self.homes().for_each(Home::notify);
        }
    }

    /// Whether the pool was shut, nothing is on its way, and this worker hosts nothing.
    fn is_over(&self, home: &Home) -> bool {
        let drained = self.gate.as_ref().is_some_and(Gate::is_drained);
        drained && home.hosted.load(Ordering::Relaxed) == 0
    }

    /// Whether the calling thread is one of its workers.
    pub(crate) fn is_here(&'static self) -> bool {
        self.worker_here().is_some()
    }

    /// Queues a coroutine.
    pub(crate) fn dispatch(&'static self, unstarted: Unstarted) -> Result<(), Refused> {
        let unstarted = match &self.gate {
            Some(gate) => gate.enter(unstarted)?,
            None => unstarted,
        };
        let fresh = Fresh::new(unstarted);
        if let Some(worker) = self.worker_here() {
            let member = worker.member.borrow();
            let member = member.as_ref().expect("a worker of the pool has a seat");
            member.queue.push(fresh, hosts_many(worker.home()));
        } else {
            self.injected.push(fresh);
        }
        // ORDERING: the push comes before the look at the idle and searching words; a worker that goes to sleep writes
        // those before it looks at the queues (search.rs).
        fence(Ordering::SeqCst);
        if self.dead.load(Ordering::Relaxed) {
            return self.refuse_if_dead();
        }
        if self.idle.load(Ordering::Relaxed) > 0 && !self.searching.load(Ordering::Relaxed) {
            self.wake_one();
        }
        Ok(())
    }

    /// The worker that hosts least, as a number for [`dispatch_to`](Pool::dispatch_to).
    pub(crate) fn choose_lane(&self) -> usize {
        let homes = self.seats.iter().map(|seat| seat.home.get().copied());
        let loads = homes
            .enumerate()
            .filter_map(|(index, home)| Some((load(home?), index)));
        loads.min().map_or(0, |(_, index)| index)
    }

    /// Queues a coroutine for one worker, from which nobody takes it.
    pub(crate) fn dispatch_to(
        &'static self,
        lane: usize,
        unstarted: Unstarted,
    ) -> Result<(), Refused> {
        let Some(&home) = self.seats.get(lane).and_then(|seat| seat.home.get()) else {
            // Its thread could not be started.
            return self.dispatch(unstarted);
        };
        let unstarted = match &self.gate {
            Some(gate) => gate.enter(unstarted)?,
            None => unstarted,
        };
        let task: *const Task = unstarted.into_inner().cast().as_ptr();
        if current::home().is_some_and(|here| std::ptr::eq(here, home)) {
            // SAFETY: this thread owns the home, and has the only right to the task.
            unsafe { home.push_ready(task) };
        } else {
            // SAFETY: the task has not started, and this is the only right to it.
            unsafe { hand_over(home, task) };
        }
        Ok(())
    }

    /// The worker of this pool that the calling thread is.
    fn worker_here(&'static self) -> Option<&'static Worker> {
        let worker = Worker::of(current::home()?);
        let member = worker.member.borrow();
        let mine = member
            .as_ref()
            .is_some_and(|member| std::ptr::eq(member.pool, self));
        mine.then_some(worker)
    }

    /// Wakes one worker that sleeps.
    pub(super) fn wake_one(&self) {
        self.restless.store(true, Ordering::Relaxed);
        let asleep = self.homes().find(|home| home.sleep.is_drowsy());
        if let Some(home) = asleep {
            home.notify();
        }
    }

    fn homes(&self) -> impl Iterator<Item = &'static Home> {
        self.seats
            .iter()
            .filter_map(|seat| seat.home.get().copied())
    }
}

impl Member {
    /// The next coroutine to start: of one's own, or of those that other threads have launched.
    pub(crate) fn next(&self) -> Option<Fresh> {
        if let Some(fresh) = self.own() {
            return Some(fresh);
        }
        if self.pool.injected.is_empty() {
            return None;
        }
        retry(|| self.pool.injected.steal())
    }

    /// The next one of its own queue.
    fn own(&self) -> Option<Fresh> {
        if self.queue.is_empty() {
            return None;
        }
        let seat = &self.pool.seats[self.index];
        let taken = seat.taken.load(Ordering::Relaxed);
        let many = seat.home.get().is_some_and(|home| hosts_many(home));
        let fresh = self.queue.pop(many, taken)?;
        // A plain store: this worker is the one writer.
        seat.taken.store(taken.wrapping_add(1), Ordering::Relaxed);
        Some(fresh)
    }

    /// A coroutine that the pool's gate has counted starts here.
    pub(crate) fn arrived(&self) {
        let last = self.pool.gate.as_ref().is_some_and(Gate::arrived);
        if last {
            // The others may have waited for this before they end.
            self.pool.homes().for_each(Home::notify);
        }
    }

    /// Whether this worker has nothing left to do in a pool that was shut.
    pub(crate) fn is_over(&self, home: &Home) -> bool {
        self.pool.is_over(home)
    }

    pub(crate) fn has_injected(&self) -> bool {
        !self.pool.injected.is_empty()
    }

    /// Takes work from another worker: half of what it has if `many`, else one.
    pub(super) fn steal_from(&self, victim: usize, many: bool) -> Option<Fresh> {
        let queue = &self.pool.seats[victim].queue;
        if many {
            queue.steal_half(&self.queue)
        } else {
            queue.steal_one()
        }
    }

    /// A worker that hosts so much less that a coroutine about to start here had better start there.
    pub(crate) fn lighter(&self, home: &Home) -> Option<&'static Home> {
        let mine = load(home);
        if mine <= SLACK {
            return None;
        }
        let lightest = self.pool.homes().min_by_key(|home| load(home))?;
        let theirs = load(lightest);
        (mine > theirs + theirs / 4 + SLACK).then_some(lightest)
    }
}

/// Sends a coroutine to a worker, counted until it starts there.
///
/// # Safety
///
/// The caller has the only right to the task, which has not started.
pub(super) unsafe fn hand_over(home: &'static Home, task: *const Task) {
    home.handed.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the caller has the only right to it.
    let flags = unsafe { &(*task).flags };
    flags.set(flags.get() | HANDED);
    // SAFETY: as above.
    unsafe { home.send_chain(task, task) };
}

fn load(home: &Home) -> u32 {
    home.hosted.load(Ordering::Relaxed) + home.handed.load(Ordering::Relaxed)
}

/// Whether a worker hosts so many that the last one launched starts first.
fn hosts_many(home: &Home) -> bool {
    home.hosted.load(Ordering::Relaxed) > MANY
}

pub(super) fn retry<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(fresh) => return Some(fresh),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
