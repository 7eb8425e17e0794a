//! So many at a time.

use std::fmt;
use std::panic::Location;

use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sync::line::Line;
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::sync::permits::Permits;
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static ACQUIRE: Label = Label("acquire");

/// A number of permits, for coroutines and plain threads alike: it limits how many do something at the same time.
///
/// # Fairness
///
/// First come, first served: a permit that is given back goes to whoever has waited longest. Who wants many is not
/// overtaken by those who want few.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::Semaphore;
///
/// # fn main() -> Result<()> {
/// let downloads = Semaphore::new(2);
/// coroutine_scope(|s| {
///     for _ in 0..10 {
///         s.launch(|_| downloads.with_permit(|| delay(ms(1))));
///     }
///     Ok(())
/// })?;
/// assert_eq!(downloads.available_permits(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Semaphore {
    pub(super) permits: Permits<Task>,
    limit: usize,
}

impl Semaphore {
    /// Makes a semaphore with so many permits, all of them free.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Panics
    ///
    /// If `permits` is 0: nobody could ever go on.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(switchback::sync::Semaphore::new(3).available_permits(), 3);
    /// ```
    #[must_use]
    pub fn new(permits: usize) -> Self {
        assert!(permits > 0, "a semaphore has at least one permit");
        Self {
            permits: Line::new(permits),
            limit: permits,
        }
    }

    /// Waits for a permit. It is given back when it is dropped.
    ///
    /// # Suspension
    ///
    /// While no permit is free. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits; also if it was cancelled after a permit
    /// was handed to it and before it ran: the permit then goes on to the next.
    ///
    /// # Fairness
    ///
    /// First come, first served.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Semaphore;
    ///
    /// # fn main() -> Result<()> {
    /// let tables = Semaphore::new(1);
    /// let table = tables.acquire()?;
    /// assert_eq!(tables.available_permits(), 0);
    /// drop(table);
    /// assert_eq!(tables.available_permits(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.enter(1, Location::caller())
    }

    /// Waits for so many permits at once. They are given back together.
    ///
    /// # Suspension
    ///
    /// While so many are not free, or somebody waits who came earlier. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// A cancellation; or an error if the semaphore has not so many, and one would wait for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let memory = Semaphore::new(10);
    /// let block = memory.acquire_many(7)?;
    /// assert_eq!(memory.available_permits(), 3);
    /// drop(block);
    /// assert!(memory.acquire_many(11).is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Result<Permit<'_>> {
        thread::here().check()?;
        if count > self.limit {
            return Err(too_many(count, self.limit));
        }
        self.enter(count, Location::caller())
    }

    #[inline(always)]
    fn enter(&self, count: usize, place: &'static Location<'static>) -> Result<Permit<'_>> {
        let here = thread::here();
        here.check()?;
        let held = self.permits.lock_by(here.thread());
        let permit = || Permit {
            semaphore: self,
            count,
        };
        if held.take(count) {
            return Ok(permit());
        }
        let point = Point {
            label: &ACQUIRE,
            place,
        };
        let waited = wait_in_line(&here, held, point, count)?;
        if waited.woken == Woken::Cancelled {
            let claimed = Claimed::new();
            self.permits.lock().left(claimed.adder());
            claimed.hand_back();
            return Err(here.cancelled());
        }
        // Cancellation wins until the moment of resumption: what was handed over goes on then.
        let permit = permit();
        here.check()?;
        Ok(permit)
    }

    /// Takes a permit if one is free.
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
    /// use switchback::sync::Semaphore;
    ///
    /// let seats = Semaphore::new(1);
    /// let seat = seats.try_acquire();
    /// assert!(seat.is_some());
    /// assert!(seats.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are free and nobody waits.
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
    /// let memory = switchback::sync::Semaphore::new(10);
    /// let block = memory.try_acquire_many(7);
    /// assert!(block.is_some() && memory.try_acquire_many(4).is_none());
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Option<Permit<'_>> {
        let taken = self.permits.lock().take(count);
        taken.then(|| Permit {
            semaphore: self,
            count,
        })
    }

    /// Runs `body` with a permit. The body may suspend.
    ///
    /// # Suspension
    ///
    /// As for [`acquire`](Semaphore::acquire), and where the body does.
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire). The permit is given back however the body ends: by a value, an error, a
    /// cancellation or a panic.
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Semaphore::acquire); the body's own.
    ///
    /// # Panics
    ///
    /// If the body does.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Semaphore;
    ///
    /// # fn main() -> Result<()> {
    /// let printers = Semaphore::new(2);
    /// let pages = printers.with_permit(|| {
    ///     delay(ms(1))?;
    ///     Ok(3)
    /// })?;
    /// assert_eq!(pages, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn with_permit<R>(&self, body: impl FnOnce() -> Result<R>) -> Result<R> {
        let _permit = self.acquire()?;
        body()
    }

    /// How many permits are free at this moment.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::Semaphore;
    ///
    /// let seats = Semaphore::new(2);
    /// let seat = seats.try_acquire();
    /// assert_eq!(seats.available_permits(), 1);
    /// # drop(seat);
    /// ```
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.permits.lock().free()
    }

    /// Gives so many permits back, which the caller has.
    #[inline]
    pub(super) fn give_back(&self, count: usize) {
        let claimed = Claimed::new();
        self.permits.lock().give_back(count, claimed.adder());
        claimed.hand_back();
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.limit)
            .field("available", &self.available_permits())
            .finish()
    }
}

#[cold]
fn too_many(wanted: usize, limit: usize) -> Error {
    Error::msg(format_args!(
        "{wanted} permits were asked for of a semaphore that has {limit}: it would wait for ever"
    ))
}

/// A permit of a [`Semaphore`], or several that were taken together; given back when it is dropped.
///
/// It may be sent to another coroutine or thread.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::Semaphore;
///
/// # fn main() -> Result<()> {
/// let slots = Semaphore::new(4);
/// coroutine_scope(|s| {
///     for _ in 0..20 {
///         let permit = slots.acquire()?; // before the launch: never more than four children
///         s.launch(move |_| {
///             let _permit = permit;
///             delay(ms(1))
///         });
///     }
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit<'a> {
    pub(super) semaphore: &'a Semaphore,
    pub(super) count: usize,
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

impl Permit<'_> {
    /// The caller has the permits from now on: so many.
    pub(super) fn forget(self) -> usize {
        std::mem::ManuallyDrop::new(self).count
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("count", &self.count)
            .field("of", self.semaphore)
            .finish()
    }
}
