//! The pool of CPU workers: as many threads as cores, at least two.
//!
//! Each worker has a queue of coroutines that were launched on it and have not started; the others may steal from it.
//! What other threads launch goes into one shared queue. A started coroutine stays (R1), so where it starts decides for
//! its life: a worker that is about to start one while it hosts many more than another gives it to that one.
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

use crossbeam_deque::Injector;

use crate::context::{Refused, Unstarted};
use crate::scheduler::apart::Spot;
use crate::scheduler::gate::Gate;
use crate::scheduler::member::Member;
use crate::scheduler::own::{OwnQueue, Stealers, retry};
use crate::scheduler::policy::{self, Floor};
use crate::scheduler::worker::{HANDED, Worker};
use crate::scheduler::{Fresh, search, thread};
use crate::task::home::Home;
use crate::task::{Task, current, start};

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) injected: Injector<Fresh>,
    pub(super) seats: Vec<Seat>,
    /// How many workers sleep or look for work.
    pub(super) idle: AtomicU32,
    /// How many workers look for work.
    pub(super) searching: AtomicU32,
    /// A launch has woken a worker since a search was last in vain. A guess, on which nothing rests.
    pub(super) restless: AtomicBool,
    /// What lets a pool end that somebody owns; the default one never does.
    pub(super) gate: Option<Gate>,
    /// Not one thread could be started.
    dead: AtomicBool,
}

/// What the others may touch of a worker.
#[repr(align(128))]
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) queue: Stealers<Fresh>,
    /// What others have given to this worker because it hosts so much less, counted as handed to it until it starts.
    pub(super) given: Injector<Fresh>,
    /// How many coroutines the worker has taken: from its own queue, of what it was given, or of what other threads have launched.
    pub(super) taken: AtomicU32,
    pub(super) home: OnceLock<&'static Home>,
    pub(super) spot: Spot,
}

static DEFAULT: OnceLock<Option<Pool>> = OnceLock::new();

/// The number of workers of the default pool.
pub(crate) fn default_size() -> usize {
    std::thread::available_parallelism()
        .map_or(2, NonZeroUsize::get)
        .max(2)
}

/// The default pool, started at the first call. `None` if no thread could be started.
#[inline]
pub(crate) fn default_pool() -> Option<&'static Pool> {
    match DEFAULT.get() {
        Some(pool) => pool.as_ref(),
        None => start_default_pool(),
    }
}

#[cold]
#[inline(never)]
fn start_default_pool() -> Option<&'static Pool> {
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
            given: Injector::new(),
            taken: AtomicU32::new(0),
            home: OnceLock::new(),
            spot: Spot::new(),
        };
        Self {
            injected: Injector::new(),
            seats: queues.iter().map(seat).collect(),
            idle: AtomicU32::new(0),
            searching: AtomicU32::new(0),
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
            let work = move || self.work(index, queue);
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
    fn work(&'static self, index: usize, queue: OwnQueue<Fresh>) {
        let _alternate = crate::stack::overflow::AltStack::install();
        search::sleep_exactly();
        let _spot = self.seats[index].spot.take();
        let here = thread::here();
        let home = here.home();
        let _ = self.seats[index].home.set(home);
        home.local.loops.set(1);
        let worker = Worker::of(home);
        let member = Member::new(self, index, home, queue);
        worker.seated(&member, || {
            worker.run(|popped| popped.is_null() && self.is_over(home));
        });
        home.local.loops.set(0);
    }

    /// Takes no more coroutines; the threads end when those that it has have ended.
    pub(crate) fn shut(&self) {
        if let Some(gate) = &self.gate {
            gate.shut();
            self.homes().for_each(Home::notify);
        }
    }

    /// The pool was shut, and what was on its way has arrived: the workers may have waited for that before they end.
    pub(super) fn drained(&self) {
        self.homes().for_each(Home::notify);
    }

    /// Whether the pool was shut, nothing is on its way, and this worker hosts nothing.
    pub(super) fn is_over(&self, home: &Home) -> bool {
        let drained = self.gate.as_ref().is_some_and(Gate::is_drained);
        drained && home.hosted.load(Ordering::Relaxed) == 0
    }

    /// Whether the calling thread is one of its workers.
    pub(crate) fn is_here(&'static self) -> bool {
        self.member_here().is_some()
    }

    /// Queues a coroutine.
    pub(crate) fn dispatch(&'static self, unstarted: Unstarted) -> Result<(), Refused> {
        let unstarted = match &self.gate {
            Some(gate) => gate.enter(unstarted, || self.drained())?,
            None => unstarted,
        };
        let fresh = Fresh::new(unstarted);
        match self.member_here() {
            Some(member) => member.push(fresh),
            None => self.injected.push(fresh),
        }
        // ORDERING: the push comes before the look at the idle and searching words, which a worker writes before its last look.
        fence(Ordering::SeqCst);
        if self.dead.load(Ordering::Relaxed) {
            return self.refuse_if_dead();
        }
        policy::launched(self);
        Ok(())
    }

    /// The worker that hosts least, as a number for [`dispatch_to`](Pool::dispatch_to).
    pub(crate) fn choose_lane(&self) -> usize {
        policy::lightest(self).unwrap_or(0)
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
            Some(gate) => gate.enter(unstarted, || self.drained())?,
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

    /// The seat in this pool that the calling thread has.
    #[inline(always)]
    fn member_here(&'static self) -> Option<&'static Member> {
        let member = Worker::of(current::home()?).member()?;
        std::ptr::eq(member.pool, self).then_some(member)
    }

    pub(super) fn home(&self, seat: usize) -> Option<&'static Home> {
        self.seats[seat].home.get().copied()
    }

    pub(super) fn homes(&self) -> impl Iterator<Item = &'static Home> {
        self.seats
            .iter()
            .filter_map(|seat| seat.home.get().copied())
    }
}

impl Seat {
    pub(super) fn take_given(&self) -> Option<Fresh> {
        if self.given.is_empty() {
            return None;
        }
        retry(|| self.given.steal())
    }

    /// The owner has taken something: it does get round to what waits.
    #[inline(always)]
    pub(super) fn count_taken(&self) {
        // A plain store: the owner is the one writer.
        let taken = self.taken.load(Ordering::Relaxed).wrapping_add(1);
        self.taken.store(taken, Ordering::Relaxed);
    }
}

impl Floor for Pool {
    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn waiting(&self, seat: usize) -> usize {
        self.seats[seat].queue.len()
    }

    fn taken(&self, seat: usize) -> u32 {
        self.seats[seat].taken.load(Ordering::Relaxed)
    }

    fn load(&self, seat: usize) -> Option<u32> {
        self.home(seat).map(load)
    }

    fn given(&self, seat: usize) -> usize {
        self.seats[seat].given.len()
    }

    fn has_injected(&self) -> bool {
        !self.injected.is_empty()
    }

    fn idle(&self) -> u32 {
        self.idle.load(Ordering::Relaxed)
    }

    fn is_searched(&self) -> bool {
        // ORDERING: seq-cst, after a worker has announced its sleep, so that a searcher who stops sees that sleeper.
        self.searching.load(Ordering::SeqCst) > 0
    }

    fn is_restless(&self) -> bool {
        self.restless.load(Ordering::Relaxed)
    }

    fn set_restless(&self, restless: bool) {
        self.restless.store(restless, Ordering::Relaxed);
    }

    fn is_asleep(&self, seat: usize) -> bool {
        self.home(seat).is_some_and(|home| home.sleep.is_drowsy())
    }

    fn is_awake(&self, seat: usize) -> bool {
        self.home(seat).is_some_and(|home| home.sleep.is_awake())
    }

    fn wake(&self, seat: usize) -> bool {
        self.home(seat).is_some_and(Home::wake_up)
    }
}

/// Sends a coroutine to a worker, counted until it starts there.
///
/// # Safety
///
/// The caller has the only right to the task, which has not started.
unsafe fn hand_over(home: &'static Home, task: *const Task) {
    home.handed.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the caller has the only right to it.
    let flags = unsafe { &(*task).flags };
    flags.set(flags.get() | HANDED);
    // SAFETY: as above.
    unsafe { home.send_chain(task, task) };
}

/// How much a worker hosts, with what is on its way to it.
#[inline(always)]
pub(super) fn load(home: &Home) -> u32 {
    home.hosted.load(Ordering::Relaxed) + home.handed.load(Ordering::Relaxed)
}
