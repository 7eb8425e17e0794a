//! So many at a time.

use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::park::{Claimed, prepare};
use crate::sync::permits::Permits;
use crate::sync::wait_list::Node;
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static ACQUIRE: Label = Label("acquire");

/// A number of permits, for coroutines and plain threads alike: it limits how many do something at the same time.
///
/// # Fairness
///
/// First come, first served: a permit that is given back goes to whoever has waited longest.
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
    pub(super) permits: Permits<Task, ()>,
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
            permits: Permits::new(permits),
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
        let here = thread::here();
        here.check()?;
        let locked = self.permits.lock();
        if locked.take(()) {
            return Ok(Permit { semaphore: self });
        }
        let generation = match prepare(&here) {
            Ok(generation) => generation,
            Err(refusal) => {
                drop(locked);
                return Err(refusal);
            }
        };
        let node = Node::new(here.task(), ());
        here.mark(&ACQUIRE, Location::caller());
        // SAFETY: the node stands in this frame until the claimant has handed us back, or `leave` has unlinked it.
        unsafe { locked.wait(&node, generation, || here.publish(generation, true)) };
        let woken = here.park(generation, true, || {
            // SAFETY: linked above.
            unsafe { self.permits.lock().leave(&node) }
        });
        if woken == Woken::Cancelled {
            return Err(here.cancelled());
        }
        // Cancellation wins until the moment of resumption: the permit that was handed over goes on then.
        let permit = Permit { semaphore: self };
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
        let taken = self.permits.lock().take(());
        taken.then(|| Permit { semaphore: self })
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
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.limit)
            .field("available", &self.available_permits())
            .finish()
    }
}

/// A permit of a [`Semaphore`], given back when it is dropped.
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
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        let next = self.semaphore.permits.lock().give_back();
        Claimed::hand_back_one(next);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("of", self.semaphore)
            .finish()
    }
}
