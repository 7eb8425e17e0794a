//! Many readers or one writer.

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::mutex::{Holder, held_by_oneself};
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::sync::rw_guard::{RwLockReadGuard, RwLockWriteGuard};
use crate::sync::rw_turns::{self, RwTurns, Want};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::wait::Here;
use crate::task::word::Woken;

static READ: Label = Label("read");
static WRITE: Label = Label("write");

/// A lock that many may have in order to read, or one in order to write; for coroutines and plain threads alike.
///
/// It may be held across suspensions, it is not reentrant, and it is not poisoned by a panic.
///
/// # Fairness
///
/// First come, first served, whatever they want: a reader that comes while a writer waits, waits behind it. So neither
/// kind starves the other; and a coroutine that reads must not ask to read once more, since a writer may have come in
/// between. (It is told so where that is so.)
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::RwLock;
///
/// # fn main() -> Result<()> {
/// let settings = RwLock::new(vec!["verbose"]);
/// with_context(Dispatchers::default(), |s| {
///     for _ in 0..10 {
///         s.launch(|_| {
///             assert!(settings.read()?.contains(&"verbose"));
///             Ok(())
///         });
///     }
///     settings.write()?.push("colour");
///     Ok(())
/// })?;
/// assert_eq!(settings.into_inner().len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct RwLock<T: ?Sized> {
    turns: RwTurns<Task, Holder>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is moved along with the lock.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: the lock lends the value to many at once, or gives it to one, on whichever thread that is.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// Makes a lock that nobody holds.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = switchback::sync::RwLock::new(1);
    /// assert_eq!(*lock.read().unwrap(), 1);
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            turns: rw_turns::free(),
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
    /// assert_eq!(switchback::sync::RwLock::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits for leave to read. It is given up when the guard is dropped.
    ///
    /// # Suspension
    ///
    /// While somebody writes, or waits to write and came earlier. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; also if it was cancelled after the lock
    /// was handed to it and before it ran: it then goes on to the next.
    ///
    /// # Errors
    ///
    /// A cancellation; or an error that names both places if the coroutine itself is inside and so would wait for ever: it
    /// writes, or it reads and a writer waits that came earlier. (Of those who read at the same time, four are known.)
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let lock = switchback::sync::RwLock::new(1);
    /// let (a, b) = (lock.read()?, lock.try_read().unwrap());
    /// assert_eq!(*a + *b, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn read(&self) -> Result<RwLockReadGuard<'_, T>> {
        let here = thread::here();
        let me = Holder::new(&here, Location::caller());
        self.enter(&here, Want::Read(me))?;
        Ok(RwLockReadGuard::new(self, me))
    }

    /// Waits for leave to write. It is given up when the guard is dropped.
    ///
    /// # Suspension
    ///
    /// While somebody else reads or writes, or waits and came earlier. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// As for [`read`](RwLock::read).
    ///
    /// # Errors
    ///
    /// A cancellation; or an error that names both places if the coroutine itself writes or reads already and so would
    /// wait for ever. (Of those who read at the same time, four are known; who is none of them waits for ever.)
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let lock = switchback::sync::RwLock::new(1);
    /// *lock.write()? += 1;
    /// assert_eq!(*lock.read()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn write(&self) -> Result<RwLockWriteGuard<'_, T>> {
        let here = thread::here();
        let me = Holder::new(&here, Location::caller());
        self.enter(&here, Want::Write(me))?;
        Ok(RwLockWriteGuard::new(self, me))
    }

    /// Waits until the turn has come, which is had from now on.
    pub(super) fn enter(&self, here: &Here, want: Want<Holder>) -> Result<()> {
        here.check()?;
        let held = self.turns.lock();
        if held.enter(want) {
            return Ok(());
        }
        let (label, me) = match want {
            Want::Read(me) => (&READ, me),
            Want::Write(me) => (&WRITE, me),
        };
        // Whoever waits, waits for all who are inside, if only by way of others who wait.
        let own = here.task().id;
        if let Some(inside) = held.find(|holder| holder.id == own) {
            drop(held);
            return Err(held_by_oneself(inside, me));
        }
        let point = Point {
            label,
            place: me.place,
        };
        let waited = wait_in_line(here, held, point, want)?;
        if waited.woken == Woken::Cancelled {
            let claimed = Claimed::new();
            self.turns.lock().left(claimed.adder());
            claimed.hand_back();
            return Err(here.cancelled());
        }
        // Cancellation wins until the moment of resumption, so a turn that was handed over goes on.
        here.check().inspect_err(|_| self.leave(want))
    }

    /// Takes the turn if it need not wait for it.
    pub(super) fn try_enter(&self, want: Want<Holder>) -> bool {
        self.turns.lock().enter(want)
    }

    /// Gives up the turn that was had by this.
    pub(super) fn leave(&self, want: Want<Holder>) {
        let claimed = Claimed::new();
        let held = self.turns.lock();
        match want {
            Want::Read(me) => held.end_read(me, claimed.adder()),
            Want::Write(_) => held.end_write(claimed.adder()),
        }
        drop(held);
        claimed.hand_back();
    }

    /// Makes of the turn to write one to read.
    pub(super) fn downgrade(&self) {
        let claimed = Claimed::new();
        self.turns.lock().downgrade(claimed.adder());
        claimed.hand_back();
    }

    /// Where the value is, for whoever has a turn.
    #[inline(always)]
    pub(super) fn place_of_value(&self) -> *mut T {
        self.value.get()
    }

    /// Takes leave to read if nobody writes or waits.
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
    /// let lock = switchback::sync::RwLock::new(1);
    /// let writes = lock.try_write().unwrap();
    /// assert!(lock.try_read().is_none());
    /// # drop(writes);
    /// ```
    #[track_caller]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let me = Holder::new(&thread::here(), Location::caller());
        let entered = self.try_enter(Want::Read(me));
        entered.then(|| RwLockReadGuard::new(self, me))
    }

    /// Takes leave to write if nobody reads, writes or waits.
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
    /// let lock = switchback::sync::RwLock::new(1);
    /// let reads = lock.try_read().unwrap();
    /// assert!(lock.try_write().is_none());
    /// # drop(reads);
    /// ```
    #[track_caller]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let me = Holder::new(&thread::here(), Location::caller());
        let entered = self.try_enter(Want::Write(me));
        entered.then(|| RwLockWriteGuard::new(self, me))
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
    /// let mut lock = switchback::sync::RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("RwLock");
        if let Some(guard) = self.try_read() {
            return fields.field("value", &&*guard).finish();
        }
        // Copies: nothing is printed under the lock.
        let (readers, writer) = {
            let held = self.turns.lock();
            (held.readers(), held.writer())
        };
        match writer {
            Some(writer) => fields
                .field("written_at", &format_args!("{}", writer.place))
                .finish(),
            None => fields.field("readers", &readers).finish_non_exhaustive(),
        }
    }
}
