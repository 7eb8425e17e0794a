//! Mutual exclusion that suspends.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sync::park::{Claimed, prepare};
use crate::sync::permits::Permits;
use crate::sync::wait_list::Node;
use crate::task::Task;
use crate::task::label::Label;
use crate::task::wait::Here;
use crate::task::word::Woken;

static LOCK: Label = Label("lock");

/// Who has the lock, and since which line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) id: u64,
    pub(super) place: &'static Location<'static>,
}

/// A lock around a value, for coroutines and plain threads alike.
///
/// Whoever must wait for it is suspended, and its thread goes on with others; a plain thread parks. It may be held across
/// suspensions, which a lock of `std` should not. It is not reentrant, and it is not poisoned by a panic: the value is
/// seen as the panicking holder has left it.
///
/// # Fairness
///
/// First come, first served: a lock that is given up goes to whoever has waited longest, and nobody can take it in
/// between.
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
    pub(super) turn: Permits<Task, Holder>,
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
            turn: Permits::new(1),
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
    /// First come, first served.
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
        here.check()?;
        let me = Holder {
            id: here.task().id,
            place: Location::caller(),
        };
        let locked = self.turn.lock();
        if locked.take(me) {
            return Ok(MutexGuard::new(self));
        }
        if let Some(holder) = locked.holder().filter(|holder| holder.id == me.id) {
            drop(locked);
            return Err(held_by_oneself(holder, me));
        }
        let generation = match prepare(&here) {
            Ok(generation) => generation,
            Err(refusal) => {
                drop(locked);
                return Err(refusal);
            }
        };
        let node = Node::new(here.task(), me);
        here.mark(&LOCK, me.place);
        // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave` has unlinked it.
        unsafe { locked.wait(&node, generation, || here.publish(generation, true)) };
        let woken = here.park(generation, true, || {
            // SAFETY: linked above.
            unsafe { self.turn.lock().leave(&node) }
        });
        self.enter(&here, woken)
    }

    /// The wait is over. Cancellation wins until the moment of resumption, so a lock that was handed over goes on.
    #[inline(always)]
    fn enter(&self, here: &Here, woken: Woken) -> Result<MutexGuard<'_, T>> {
        if woken == Woken::Cancelled {
            return Err(here.cancelled());
        }
        let guard = MutexGuard::new(self);
        here.check()?;
        Ok(guard)
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
        let me = Holder {
            id: thread::here().task().id,
            place: Location::caller(),
        };
        let taken = self.turn.lock().take(me);
        taken.then(|| MutexGuard::new(self))
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
        self.turn.lock().free() == 0
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
        let holder = self.turn.lock().holder();
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
        let holder = self.turn.lock().holder();
        match holder {
            Some(holder) => fields
                .field("locked_at", &format_args!("{}", holder.place))
                .finish(),
            None => fields.finish_non_exhaustive(),
        }
    }
}

/// The right to the value of a [`Mutex`], until it is dropped.
///
/// It stays with the coroutine that has taken it, suspended or not; it is not `Send`.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    // The lock counts as held by the coroutine that took it.
    stays: PhantomData<*const ()>,
}

// SAFETY: through a shared reference the guard only lends the value.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The caller has the permit.
    #[inline(always)]
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        Self {
            mutex,
            stays: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let next = self.mutex.turn.lock().give_back();
        Claimed::hand_back_one(next);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
