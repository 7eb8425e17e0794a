//! Mutual exclusion that suspends.

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;

use crate::driver::clock;
use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sync::guard::MutexGuard;
use crate::sync::line::Held;
use crate::sync::park::{Claimed, prepare};
use crate::sync::turn::{self, Claimant, Found, Ticket, Turn, Turns, Worker};
use crate::sync::wait_list::Node;
use crate::task::home::Home;
use crate::task::label::LOCK;
use crate::task::wait::Here;
use crate::task::word::{Generation, Woken};
use crate::task::{Task, current};

/// Who has the lock, and since which line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) id: u64,
    pub(super) place: &'static Location<'static>,
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.place, other.place)
    }
}

impl Holder {
    pub(super) fn new(here: &Here, place: &'static Location<'static>) -> Self {
        let id = here.task().id;
        Self { id, place }
    }

    /// One that stands for no coroutine.
    pub(super) fn anybody(place: &'static Location<'static>) -> Self {
        let id = Self::ANYBODY;
        Self { id, place }
    }

    /// The id of one that stands for no coroutine: what it holds may be carried elsewhere.
    pub(super) const ANYBODY: u64 = 0;
}

/// A thread, as the lock tells it from others.
pub(super) fn worker(home: &'static Home) -> Worker {
    Worker(std::ptr::from_ref(home).addr())
}

fn claimant(here: &Here, id: u64, place: &'static Location<'static>) -> Claimant<Holder> {
    Claimant {
        holder: Holder { id, place },
        worker: worker(here.home()),
    }
}

type Waiting<'a> = Held<'a, Task, Turn<Holder>, Ticket<Holder>>;

/// A lock around a value, for coroutines and plain threads alike.
///
/// Whoever must wait for it is suspended, and its thread goes on with others; a plain thread parks. It may be held across
/// suspensions, which a lock of `std` should not. It is not reentrant, and it is not poisoned by a panic: the value is
/// seen as the panicking holder has left it.
///
/// # Fairness
///
/// First come, first served while those who want the lock are all of one thread: it goes to whoever has waited longest
/// when it is given up, and nobody can take it in between.
///
/// Among threads, those of one thread get it in the order of their coming, for 1 ms while some of them wait, before it
/// goes to the next thread, which must be woken first. Until the one whose turn it is runs, though not once it has waited for
/// about 1 ms, a running coroutine may take the lock ahead of it: one of another thread, or, of its own thread, one that
/// finds it given up by a holder which has not suspended while it held it. So a coroutine that takes the lock often and
/// briefly goes on until it suspends for another reason, and none of its turns at the lock costs a suspension.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::Mutex;
///
/// # fn main() -> Result<()> {
/// let total = Mutex::new(0);
/// with_context(Dispatchers::default(), |s| {
///     for n in 1..=100 {
///         let total = &total;
///         s.launch(move |_| {
///             *total.lock()? += n;
///             Ok(())
///         });
///     }
///     Ok(())
/// })?;
/// assert_eq!(total.into_inner(), 5050);
/// # Ok(())
/// # }
/// ```
pub struct Mutex<T: ?Sized> {
    pub(super) turns: Turns<Task, Holder>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is moved along with the mutex.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: the lock gives the value to one holder at a time, on whichever thread that is.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Makes a lock that nobody holds.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = switchback::sync::Mutex::new("value");
    /// assert!(!lock.is_locked());
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            turns: turn::free(),
            value: UnsafeCell::new(value),
        }
    }

    /// Gives the value back.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = switchback::sync::Mutex::new(7);
    /// assert_eq!(lock.into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock. It is given up when the guard is dropped.
    ///
    /// # Suspension
    ///
    /// While somebody else holds the lock. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; also if it was cancelled after the lock
    /// was handed to it and before it ran: the lock then goes on to the next.
    ///
    /// # Fairness
    ///
    /// As said of [`Mutex`]: those who wait get it first come, first served on each thread, and in turns between threads.
    ///
    /// # Errors
    ///
    /// A cancellation; or an error that names both places if the coroutine holds the lock itself and so would wait for
    /// ever. (A lock counts as held by the coroutine that has taken it.)
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Mutex;
    ///
    /// # fn main() -> Result<()> {
    /// let names = Mutex::new(vec!["a"]);
    /// names.lock()?.push("b");
    /// let held = names.lock()?;
    /// assert_eq!(*held, ["a", "b"]);
    /// assert!(names.lock().is_err(), "we hold it ourselves");
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>> {
        let here = thread::here();
        let id = here.task().id;
        self.enter(&here, id, Location::caller())?;
        Ok(MutexGuard::new(self, thread::turn(here.home())))
    }

    /// Waits for the turn, which is held from now on.
    #[inline(always)]
    pub(super) fn enter(
        &self,
        here: &Here,
        id: u64,
        place: &'static Location<'static>,
    ) -> Result<()> {
        here.check()?;
        let me = claimant(here, id, place);
        let held = self.turns.lock_by(here.thread());
        if held.take(me) {
            return Ok(());
        }
        let own = here.task().id;
        if let Some(holder) = held.holder().filter(|holder| holder.id == own) {
            drop(held);
            return Err(held_by_oneself(holder, me.holder));
        }
        let generation = match prepare(here) {
            Ok(generation) => generation,
            Err(refusal) => {
                drop(held);
                return Err(refusal);
            }
        };
        if self.wait(here, held, me, generation, true) == Woken::Cancelled {
            return Err(here.cancelled());
        }
        // Cancellation wins until the moment of resumption, so a lock that was handed over goes on.
        here.check().inspect_err(|_| self.leave(None))
    }

    #[inline(always)]
    fn wait(
        &self,
        here: &Here,
        held: Waiting<'_>,
        me: Claimant<Holder>,
        mut generation: Generation,
        cancellable: bool,
    ) -> Woken {
        let node = Node::new(here.task(), held.ticket(me, clock::now));
        match held.holder() {
            Some(holder) => here.mark_lock(holder.id, me.holder.place),
            None => here.mark(&LOCK, me.holder.place),
        }
        // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave` has unlinked it.
        unsafe {
            held.queue_up(&node, me.worker, generation, || {
                here.publish(generation, cancellable)
            });
        }
        loop {
            let woken = here.park(generation, cancellable, || {
                // SAFETY: linked above.
                unsafe { self.turns.lock().leave(&node) };
            });
            // SAFETY: handed back, or out of the line: the node is idle.
            let has_turn = unsafe { node.with_slot(|ticket| ticket.has_turn) };
            if woken == Woken::Cancelled || has_turn {
                return woken;
            }
            // Summoned.
            let held = self.turns.lock();
            let Found::Taken(ticket) = held.come() else {
                return woken;
            };
            // SAFETY: as above.
            unsafe { node.with_slot(|slot| *slot = ticket) };
            generation = here.task().word.next();
            // SAFETY: as for the first time.
            unsafe { held.wait_first(&node, generation, || here.publish(generation, cancellable)) };
        }
    }

    /// Takes the turn again, whatever is cancelled meanwhile: for a frame that has just been suspended, and so may be.
    pub(super) fn enter_again(&self, here: &Here, place: &'static Location<'static>) {
        let me = claimant(here, here.task().id, place);
        let held = self.turns.lock();
        if !held.take(me) {
            let generation = here.task().word.next();
            let _ = self.wait(here, held, me, generation, false);
        }
    }

    /// Takes the turn if nobody has it.
    #[inline(always)]
    pub(super) fn try_enter(
        &self,
        here: &Here,
        id: u64,
        place: &'static Location<'static>,
    ) -> bool {
        let me = claimant(here, id, place);
        self.turns.lock().take(me)
    }

    /// Gives the turn up. The caller has it, and has had it since that turn of its thread, if it knows.
    #[inline(always)]
    pub(super) fn leave(&self, since: Option<u32>) {
        let worker = || current::home().map_or(Worker::NOBODY, worker);
        let is_brief = || since.is_some() && current::home().map(thread::turn) == since;
        let next = self.turns.lock().give_up(is_brief, worker, clock::now);
        Claimed::hand_back_one(next);
    }

    /// Where the value is, for whoever has the turn.
    #[inline(always)]
    pub(super) fn place_of_value(&self) -> *mut T {
        self.value.get()
    }

    /// Takes the lock if it is free.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Cancellation
    ///
    /// Not checked.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::Mutex;
    ///
    /// let lock = Mutex::new(1);
    /// let held = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// drop(held);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[track_caller]
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let here = thread::here();
        let taken = self.try_enter(&here, here.task().id, Location::caller());
        taken.then(|| MutexGuard::new(self, thread::turn(here.home())))
    }

    /// Runs `body` with the lock held. The body may suspend.
    ///
    /// # Suspension
    ///
    /// As for [`lock`](Mutex::lock), and where the body does.
    ///
    /// # Cancellation
    ///
    /// As for [`lock`](Mutex::lock). The lock is given up however the body ends: by a value, an error, a cancellation or a
    /// panic.
    ///
    /// # Errors
    ///
    /// As for [`lock`](Mutex::lock); the body's own.
    ///
    /// # Panics
    ///
    /// If the body does.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Mutex;
    ///
    /// # fn main() -> Result<()> {
    /// let visits = Mutex::new(0);
    /// let number = visits.with_lock(|count| {
    ///     *count += 1;
    ///     delay(ms(1))?;
    ///     Ok(*count)
    /// })?;
    /// assert_eq!(number, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn with_lock<R>(&self, body: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let mut guard = self.lock()?;
        body(&mut guard)
    }

    /// Whether somebody holds the lock at this moment.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::Mutex;
    ///
    /// let lock = Mutex::new(());
    /// let held = lock.try_lock();
    /// assert!(lock.is_locked());
    /// # drop(held);
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.turns.lock().holder().is_some()
    }

    /// Whether the running coroutine, or the calling plain thread, has taken the lock and not given it up.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::Mutex;
    ///
    /// let lock = Mutex::new(());
    /// let held = lock.try_lock();
    /// assert!(lock.is_held_here());
    /// std::thread::scope(|threads| {
    ///     threads.spawn(|| assert!(!lock.is_held_here()));
    /// });
    /// # drop(held);
    /// ```
    #[must_use]
    pub fn is_held_here(&self) -> bool {
        let me = thread::here().task().id;
        let holder = self.turns.lock().holder();
        holder.is_some_and(|holder| holder.id == me)
    }

    /// The value, without locking: nobody else can have it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = switchback::sync::Mutex::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

#[cold]
pub(super) fn held_by_oneself(held: Holder, wanted: Holder) -> Error {
    Error::msg(format_args!(
        "the lock that is wanted at {} is held by the same coroutine, which took it at {}: it would wait for ever",
        wanted.place, held.place
    ))
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Mutex");
        if let Some(guard) = self.try_lock() {
            return fields.field("value", &&*guard).finish();
        }
        // A copy: nothing is printed under the lock.
        let holder = self.turns.lock().holder();
        match holder {
            Some(holder) => {
                if holder.id != Holder::ANYBODY {
                    fields.field("locked_by", &format_args!("#{}", holder.id));
                }
                fields
                    .field("locked_at", &format_args!("{}", holder.place))
                    .finish()
            }
            None => fields.finish_non_exhaustive(),
        }
    }
}
