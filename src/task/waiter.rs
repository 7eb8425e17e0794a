//! What a suspended frame leaves in the list of what it waits for, and how those come back who were found there.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering;

use crate::job::joiner::Countdown;
use crate::task::Task;
use crate::task::home::Home;
use crate::task::inbox::Linked;
use crate::task::queue::Queue;
use crate::task::start;
use crate::task::word::Generation;
use crate::util::list::Links;
use crate::util::prefetch;

/// A node in a wait list. It stands in the frame of the one who waits, or in its block, and holds no count: whoever takes it out of
/// the list claims its word while holding the list's lock.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) links: Links,
    task: *const Task,
    generation: Cell<Generation>,
    linked: Cell<bool>,
    /// Null if the owner waits for this one thing.
    countdown: *const Countdown,
}

impl Waiter {
    pub(crate) fn new(task: *const Task) -> Self {
        Self {
            links: Links::new(),
            task,
            generation: Cell::new(Generation::NONE),
            linked: Cell::new(false),
            countdown: ptr::null(),
        }
    }

    /// Who waits.
    #[inline]
    pub(crate) fn task(&self) -> *const Task {
        self.task
    }

    /// One of the nodes of a frame that waits for many jobs, and leaves the countdown and them in place until the end.
    pub(crate) fn counted(task: *const Task, countdown: &Countdown) -> Self {
        Self {
            countdown,
            ..Self::new(task)
        }
    }

    /// Owner: names the suspension, just before the node is linked.
    #[inline]
    pub(crate) fn arm(&self, generation: Generation) {
        self.generation.set(generation);
        self.linked.set(true);
    }

    /// Whether the node stands in its list; asked under the list's lock.
    pub(crate) fn is_linked(&self) -> bool {
        self.linked.get()
    }

    /// Owner: whether it has named a suspension with this node.
    pub(crate) fn is_armed(&self) -> bool {
        self.generation.get() != Generation::NONE
    }

    /// The waiter whose links these are.
    pub(crate) fn of(links: *const Links) -> *const Waiter {
        links.cast()
    }

    /// Claims the one who waits, and puts it into `chain` if that succeeds.
    ///
    /// # Safety
    ///
    /// `waiter` was just taken out of a list whose lock is held.
    #[inline]
    pub(crate) unsafe fn claim(waiter: *const Waiter, chain: &Queue) -> bool {
        // SAFETY: a node stands until its owner was handed back, or has taken the list's lock.
        let waiter = unsafe { &*waiter };
        waiter.linked.set(false);
        let generation = waiter.generation.get();
        // SAFETY: the waiting task is alive as long as its frame is.
        let task = unsafe { &*waiter.task };
        let claimed = task.word.claim_value(generation);
        if claimed {
            // SAFETY: a claimed task is in no queue, and nobody resumes it before it is handed back.
            unsafe { chain.push(task) };
        }
        claimed
    }
}

/// Claims the one who waits for a job that completes, unless it waits for others as well.
///
/// # Safety
///
/// As for [`Waiter::claim`], of the list of a job's joiners.
#[inline]
pub(crate) unsafe fn claim_joiner(waiter: *const Waiter, succeeded: bool, chain: &Queue) {
    // SAFETY: as in `claim`.
    let countdown = unsafe { (*waiter).countdown };
    // SAFETY: it stands as long as the node.
    if let Some(countdown) = unsafe { countdown.as_ref() }
        && !countdown.arrive(waiter.cast(), succeeded)
    {
        return;
    }
    // SAFETY: passed on to the caller.
    unsafe { Waiter::claim(waiter, chain) };
}

/// Asks for the memory of many waiters, which have not been touched for long.
///
/// Where one is, is known from the one before it only. But many who wait for one thing have mostly been launched one after another,
/// and their blocks lie so: then one that comes after a few others is as many blocks further on. (Two workers that have started them
/// in turns were some dozens apart, so that is looked ahead, too.) If not, somebody else's memory comes, or none, and nothing else
/// happens.
#[derive(Debug)]
pub(crate) struct Foresight {
    before: usize,
    /// The least distance of two that followed each other: that of two blocks.
    step: usize,
}

impl Foresight {
    /// How many blocks ahead.
    const AHEAD: [usize; 2] = [4, 32];
    /// No block is larger.
    const MOST: usize = 1024;

    pub(crate) fn new() -> Self {
        Self {
            before: 0,
            step: Self::MOST,
        }
    }

    /// Asks for what a claim of this one's owner will touch, and of one to come.
    ///
    /// # Safety
    ///
    /// As for [`Waiter::claim`].
    #[inline(always)]
    pub(crate) unsafe fn ask(&mut self, waiter: *const Waiter) {
        // SAFETY: as in `claim`.
        let task = unsafe { (*waiter).task };
        let apart = task.addr().wrapping_sub(self.before);
        self.before = task.addr();
        // It may also wait twice, by two nodes.
        if apart > 0 {
            self.step = self.step.min(apart);
        }
        if self.step < Self::MOST {
            for blocks in Self::AHEAD {
                let ahead = blocks * self.step;
                prefetch::line_to_write(task.wrapping_byte_add(ahead + Task::SWITCHED));
                prefetch::line_to_write(waiter.wrapping_byte_add(ahead));
                prefetch::line_to_write(waiter.wrapping_byte_add(ahead + size_of::<Waiter>() - 1));
            }
        }
        prefetch::line_to_write(task.wrapping_byte_add(Task::SWITCHED));
    }
}

/// Hands one claimed task back to its thread, where it waits for its turn even if it could run in place.
///
/// # Safety
///
/// The caller has just claimed it.
pub(crate) unsafe fn queue(task: &Task) {
    let home = task.home().expect("only a started task can be claimed");
    if crate::task::current::home().is_some_and(|here| std::ptr::eq(here, home)) {
        // SAFETY: this thread owns the home, and the task was claimed by the caller.
        unsafe { home.push_ready(task) };
        home.call_host();
    } else {
        // SAFETY: a claimed task is in no queue, and alive until it is taken from this one.
        unsafe { home.send_chain(task, task) };
    }
}

/// Hands one claimed task back to its thread.
///
/// # Safety
///
/// The caller has just claimed it, and it goes nowhere else.
#[inline]
pub(crate) unsafe fn hand_back_one(task: *const Task) {
    // SAFETY: a claimed task is alive until it is handed back.
    let task = unsafe { &*task };
    if let Some(home) = give(crate::task::current::home(), task) {
        // SAFETY: a task of that home, claimed by the caller, in no queue.
        unsafe { home.send_chain(task, task) };
    }
}

/// Hands claimed tasks back to their threads, in order; those of one foreign thread go together.
#[inline(always)]
pub(crate) fn hand_back(chain: &Queue) {
    if !chain.is_empty() {
        hand_back_all(chain);
    }
}

#[inline(never)]
fn hand_back_all(chain: &Queue) {
    // SAFETY: what is in the chain was claimed by us, and is alive until it is handed back.
    let Some(first) = (unsafe { chain.pop().as_ref() }) else {
        return;
    };
    let here = crate::task::current::home();
    if !chain.is_empty() {
        hand_back_many(here, first, chain);
    } else if let Some(home) = give(here, first) {
        // SAFETY: a task of that home, claimed by us, in no queue.
        unsafe { home.send_chain(first, first) };
    }
}

/// Hands a task back, unless it lives on another thread, whose home it then gives.
#[inline(always)]
fn give(here: Option<&'static Home>, task: &Task) -> Option<&'static Home> {
    let Some(home) = task.home() else {
        start::wake_stackless(task);
        return None;
    };
    if !here.is_some_and(|here| std::ptr::eq(here, home)) {
        return Some(home);
    }
    if task.is_unconfined()
        && let Some(nest) = home.local.nest.get()
    {
        // SAFETY: this thread owns the home, and the task was claimed by the caller.
        unsafe { nest(home, task) };
        return None;
    }
    // SAFETY: this thread owns the home, and the task was claimed by the caller.
    unsafe { home.push_ready(task) };
    home.call_host();
    None
}

#[cold]
#[inline(never)]
fn hand_back_many(here: Option<&'static Home>, first: &Task, chain: &Queue) {
    let mut parcel = Parcel::new();
    let mut own = 0;
    let mut next = Some(first);
    while let Some(task) = next {
        // Those that are not queued here may run in place, and take long.
        if task.home().is_none() || task.is_unconfined() {
            parcel.send();
        }
        match give(here, task) {
            Some(home) => parcel.add(home, task),
            None => own += 1,
        }
        // SAFETY: what is in the chain was claimed by us, and is alive until it is handed back.
        next = unsafe { chain.pop().as_ref() };
    }
    parcel.send();
    if let Some(here) = here {
        here.were_woken(own);
    }
}

/// How many tasks go together at most, so that the other thread need not wait for the last.
const PARCEL: u32 = 64;

/// Claimed tasks of one foreign thread, linked from newest to oldest: sent with one exchange.
struct Parcel {
    home: Option<&'static Home>,
    newest: *const Task,
    oldest: *const Task,
    count: u32,
}

impl Parcel {
    fn new() -> Self {
        Self {
            home: None,
            newest: std::ptr::null(),
            oldest: std::ptr::null(),
            count: 0,
        }
    }

    /// Adds a task that the caller has claimed and taken out of every queue.
    #[inline]
    fn add(&mut self, home: &'static Home, task: &Task) {
        let same = self.home.is_some_and(|other| std::ptr::eq(other, home));
        if !same || self.count == PARCEL {
            self.send();
            self.home = Some(home);
            self.oldest = task;
        }
        task.link().store(self.newest.cast_mut(), Ordering::Relaxed);
        self.newest = task;
        self.count += 1;
    }

    /// Sends what there is.
    #[inline]
    fn send(&mut self) {
        if let Some(home) = self.home.take() {
            // SAFETY: all were claimed by the one who has added them, and are of that home.
            unsafe { home.send_chain(self.newest, self.oldest) };
            self.newest = std::ptr::null();
            self.count = 0;
        }
    }
}
