//! A thread as its coroutines know it: the queue of those that are ready, and the way in for everybody else.
//!
//! Every thread that ever suspends has a home, be it a worker of a pool, the loop of `run_blocking` or a plain thread
//! that parks. Homes are pooled and never freed, so whoever holds one's address may always send to it; what it then finds
//! is decided by the inbox and, for coroutines that have not started, by the gate of the dispatcher that sent it.
//!
//! The *local* half belongs to the thread that the home is given to, and only that thread touches it.

use std::cell::Cell;
use std::fmt;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::task::blocks::{self, Blocks};
use crate::task::inbox::Inbox;
use crate::task::leaving::Leaving;
use crate::task::queue::Queue;
use crate::task::sleep::{SleepWord, Wake};
use crate::task::{Task, current, report};
use crate::util::prefetch::Need;

/// Runs the thread's loop until the thread's own task has been taken from the queue.
pub(crate) type Pump = unsafe fn(&'static Home, *const Task);

/// Runs a task of the calling thread in place, if that is possible, else queues it.
pub(crate) type Nest = unsafe fn(&'static Home, *const Task);

/// What a host is called by.
pub(crate) type HostCall = Arc<dyn Fn() + Send + Sync>;

/// What other threads may touch of a thread, and beside it what they may not.
#[repr(C, align(128))]
pub(crate) struct Home {
    inbox: Inbox<Task>,
    pub(crate) sleep: SleepWord,
    event: AtomicI32,
    /// How many started coroutines live here: written by the owner, read by those who place new ones.
    pub(crate) hosted: AtomicU32,
    /// Free for the scheduler that owns the thread: how much unstarted work it was handed.
    pub(crate) handed: AtomicU32,
    /// A host drives this thread's loop, and wants to be called when there is something to run.
    has_host: AtomicBool,
    host: Mutex<Option<HostCall>>,
    pub(crate) local: Local,
}

/// The half that only the owner thread touches.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Local {
    /// The task that runs now: a coroutine, or the thread's own. Between two that the loop resumes it may still be the first.
    pub(crate) current: Cell<*const Task>,
    pub(crate) ready: Queue,
    pub(crate) leaving: Leaving,
    /// What is left of the [`BUDGET`].
    pub(crate) budget: Cell<i32>,
    /// For so many turns the memory of the next ready tasks is asked for in advance.
    cold: Cell<u32>,
    /// Of what is ready so many have slept for a while.
    slept: Cell<u32>,
    /// Stands for the runtime's own frames on this thread: it is current where one of them may call what is not the loop's own
    /// ([`be_loop`](Home::be_loop)), and while a coroutine is being completed that may be freed meanwhile (R6).
    pub(crate) loop_task: Cell<*const Task>,
    /// The thread's own task, which has a word but no stack.
    pub(crate) thread_task: Cell<*const Task>,
    pub(crate) pump: Cell<Option<Pump>>,
    pub(crate) nest: Cell<Option<Nest>>,
    /// The thread is inside its loop.
    pub(crate) turning: Cell<bool>,
    /// How many loops and workers run on this thread: 0 on a plain thread, which only parks.
    pub(crate) loops: Cell<u32>,
    /// What the driver keeps for this thread; its type is the driver's own affair.
    pub(crate) driver: Cell<*const ()>,
    /// What the scheduler keeps for this thread.
    pub(crate) worker: Cell<*const ()>,
    ids: Cell<(u64, u64)>,
    /// Memory for the next tasks.
    pub(super) blocks: Blocks,
    /// The job of a scope that was closed as loose as it was opened, for the next one that is opened. Null if there is none.
    pub(super) kept: Cell<*mut Task>,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("inbox", &self.inbox)
            .field("sleep", &self.sleep)
            .field("hosted", &self.hosted)
            .finish_non_exhaustive()
    }
}

// SAFETY: the shared half is made of atomics and a mutex; `local` is touched by the owner thread alone, which every access states.
unsafe impl Sync for Home {}
// SAFETY: as above: a home changes its owner only through the pool, whose mutex orders the two.
unsafe impl Send for Home {}

static FREE: Mutex<Vec<&'static Home>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
const ID_BLOCK: u64 = 1024;
/// So many tasks that become ready together are many.
const MANY: u32 = 8;
/// So many tasks that live on one thread need more memory than the nearest one holds, each some eight lines.
const CROWD: u32 = 64;
/// How much may be done without a wait until somebody else has a turn.
pub(crate) const BUDGET: i32 = 256;

impl Home {
    /// Takes a home from the pool, or makes one.
    pub(crate) fn obtain() -> &'static Home {
        let pooled = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        pooled.unwrap_or_else(|| {
            Box::leak(Box::new(Home {
                inbox: Inbox::new(),
                sleep: SleepWord::new(),
                event: AtomicI32::new(-1),
                hosted: AtomicU32::new(0),
                handed: AtomicU32::new(0),
                has_host: AtomicBool::new(false),
                host: Mutex::new(None),
                local: Local {
                    current: Cell::new(ptr::null()),
                    ready: Queue::new(),
                    leaving: Leaving::new(),
                    budget: Cell::new(BUDGET),
                    cold: Cell::new(0),
                    slept: Cell::new(0),
                    loop_task: Cell::new(ptr::null()),
                    thread_task: Cell::new(ptr::null()),
                    pump: Cell::new(None),
                    nest: Cell::new(None),
                    turning: Cell::new(false),
                    loops: Cell::new(0),
                    driver: Cell::new(ptr::null()),
                    worker: Cell::new(ptr::null()),
                    ids: Cell::new((0, 0)),
                    blocks: Blocks::new(),
                    kept: Cell::new(ptr::null_mut()),
                },
            }))
        })
    }

    /// Gives a home back whose thread ends and that hosts nothing.
    pub(crate) fn give_back(&'static self) {
        // SAFETY: the calling thread is the owner until the home is in the list.
        unsafe {
            if let Some(kept) = NonNull::new(self.local.kept.replace(ptr::null_mut())) {
                blocks::give_bare(self, kept);
            }
            self.local.blocks.clear();
        }
        self.local.current.set(ptr::null());
        self.local.leaving.expect(false);
        self.local.loop_task.set(ptr::null());
        self.local.thread_task.set(ptr::null());
        self.local.pump.set(None);
        self.local.nest.set(None);
        self.local.loops.set(0);
        self.local.driver.set(ptr::null());
        self.local.worker.set(ptr::null());
        // Of an event loop that was forgotten.
        self.set_host(false, None);
        FREE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self);
    }

    /// Any thread: sends a chain of tasks, linked from `newest` to `oldest`, and wakes the thread if it sleeps.
    ///
    /// # Safety
    ///
    /// The tasks belong to this home (or have not started), are in no queue, and stay alive until they are taken.
    pub(crate) unsafe fn send_chain(&self, newest: *const Task, oldest: *const Task) {
        // SAFETY: the caller vouches for the chain.
        if unsafe { self.inbox.push_chain(newest, oldest) } {
            self.notify();
        }
    }

    /// Any thread: wakes the thread if it sleeps or is about to.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.sleep.notify() {
            self.ring();
        }
        if self.has_host() {
            self.ask_host();
        }
    }

    /// Any thread: wakes the thread if it sleeps or is about to. False if it was awake, or somebody else wakes it: then it has
    /// perhaps found something else to do than what the caller has for it.
    pub(crate) fn wake_up(&self) -> bool {
        let wake = self.sleep.wake_up();
        if wake == Wake::Owed {
            self.ring();
        }
        wake != Wake::Needless
    }

    /// Whether a host drives this thread's loop.
    #[inline]
    pub(crate) fn has_host(&self) -> bool {
        self.has_host.load(Ordering::Acquire)
    }

    /// Owner: something is ready. If the thread is not inside its loop, whoever drives that is told.
    #[inline]
    pub(crate) fn call_host(&self) {
        if self.has_host.load(Ordering::Relaxed) && !self.local.turning.get() {
            self.ask_host();
        }
    }

    #[cold]
    fn ask_host(&self) {
        let host = self.host.lock();
        let call = host.unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(call) = call
            && let Err(panic) = current::closed(|| call())
        {
            report::handler_panicked("the wake callback of an event loop", panic);
        }
    }

    /// Says whether a host drives this thread's loop, and what it wants to be called by when there is something to run and
    /// nobody inside the loop to do it.
    pub(crate) fn set_host(&self, is_there: bool, call: Option<HostCall>) {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *host, call);
        self.has_host.store(is_there, Ordering::Release);
        drop(host);
        // Outside the lock: it is the user's.
        drop(old);
    }

    #[cold]
    fn ring(&self) {
        let event = self.event.load(Ordering::Acquire);
        if event >= 0 {
            let one = 1u64;
            // SAFETY: eight bytes of ours, to a descriptor that is never closed. It cannot fail but for a full counter,
            // which means that the thread has been told already.
            unsafe { libc::write(event, (&raw const one).cast(), 8) };
        }
    }

    /// Owner: the eventfd, made at the first call. `None` when there is no descriptor to be had; the owner then sleeps
    /// in short turns.
    pub(crate) fn event(&self) -> Option<RawFd> {
        let event = self.event.load(Ordering::Acquire);
        if event >= 0 {
            return Some(event);
        }
        // SAFETY: a plain system call.
        let event = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if event < 0 {
            return None;
        }
        self.event.store(event, Ordering::Release);
        Some(event)
    }

    /// Owner: empties the eventfd.
    pub(crate) fn silence(&self) {
        let event = self.event.load(Ordering::Relaxed);
        if event >= 0 {
            let mut count = 0u64;
            // SAFETY: eight bytes of ours.
            unsafe { libc::read(event, (&raw mut count).cast(), 8) };
        }
    }

    /// Owner: moves what others have sent into the queue of ready tasks.
    #[inline]
    pub(crate) fn take_inbox(&self) {
        if !self.inbox.looks_empty() {
            let mut count = 0;
            self.inbox.drain(|task| {
                // SAFETY: what was sent is alive and in no other queue.
                unsafe { self.local.ready.push(task) };
                count += 1;
            });
            self.were_woken(count);
        }
    }

    /// Owner: so many tasks have become ready together. Many that were woken by one event have slept for a while, and their
    /// memory is nowhere near.
    #[inline]
    pub(crate) fn were_woken(&self, count: u32) {
        if count >= MANY {
            let slept = self.local.slept.get().saturating_add(count);
            self.local.slept.set(slept);
            self.local.cold.set(self.local.cold.get().max(slept));
        }
    }

    /// Owner: what runs from here on is the runtime's own, until a task is resumed.
    #[inline(always)]
    pub(crate) fn be_loop(&self) {
        self.local.current.set(self.local.loop_task.get());
    }

    /// Owner: whether others of this thread are ready to run.
    #[inline(always)]
    pub(crate) fn has_ready(&self) -> bool {
        !self.local.ready.is_empty()
    }

    /// Owner: so many turns are about to come. If many tasks live here, they drive each other's memory out of the nearest
    /// one, and where they do not have their turns in the order in which it lies, the processor does not guess what comes next.
    /// Where they have, to ask for it costs more than it gains.
    #[inline]
    pub(crate) fn will_turn(&self, turns: u32) {
        if self.hosted.load(Ordering::Relaxed) >= CROWD && !self.local.ready.lies_in_order() {
            self.local.cold.set(self.local.cold.get().max(turns));
        }
    }

    /// Owner: whether the ready tasks have slept for a while, or are many.
    #[inline(always)]
    pub(crate) fn is_cold(&self) -> bool {
        self.local.cold.get() > 0
    }

    /// Owner: takes the first of the ready tasks, or gives null. If they have slept for a while, or are many, memory is asked
    /// for that those behind it need: for the block of a task, and in the next turn, by `fetch_more`, for the rest.
    #[inline(always)]
    pub(crate) fn pop_and_fetch(&self, fetch_more: impl Fn(&Task, Need)) -> *const Task {
        let task = self.local.ready.pop();
        let cold = self.local.cold.get();
        if cold > 0 {
            self.local.cold.set(cold - 1);
            let slept = self.local.slept.get();
            if slept > 0 {
                self.local.slept.set(slept - 1);
                let need = Need::Cold;
                self.local
                    .ready
                    .prefetch(need, |next| fetch_more(next, need));
            } else {
                let need = Need::Warm;
                self.local
                    .ready
                    .prefetch(need, |next| fetch_more(next, need));
            }
        }
        task
    }

    /// Owner: a cheap look that may miss what has just come.
    #[inline]
    pub(crate) fn inbox_looks_empty(&self) -> bool {
        self.inbox.looks_empty()
    }

    /// Owner, after it has announced sleep: is there still nothing?
    pub(crate) fn inbox_is_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Owner: puts a task at the end of the queue.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home; the task lives here, and is in no queue.
    #[inline(always)]
    pub(crate) unsafe fn push_ready(&self, task: *const Task) {
        // SAFETY: the caller vouches for the task.
        unsafe { self.local.ready.push(task) };
    }

    /// A number that no other home has: the name of the thread that it is given to.
    #[inline(always)]
    pub(crate) fn name(&self) -> u64 {
        ptr::from_ref(self).addr() as u64
    }

    /// Owner: the number of the next job, from a block of its own.
    #[inline]
    pub(crate) fn next_id(&self) -> u64 {
        let (mut next, mut end) = self.local.ids.get();
        if next == end {
            next = NEXT_ID.fetch_add(ID_BLOCK, Ordering::Relaxed);
            end = next + ID_BLOCK;
        }
        self.local.ids.set((next + 1, end));
        next
    }

    /// Owner: counts the coroutines that live here.
    #[inline]
    pub(crate) fn count_hosted(&self, by: i32) {
        // A plain store: there is one writer.
        let now = self.hosted.load(Ordering::Relaxed).wrapping_add_signed(by);
        self.hosted.store(now, Ordering::Relaxed);
    }
}

/// The number of a job that is made by a thread without a home.
pub(crate) fn stray_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}
