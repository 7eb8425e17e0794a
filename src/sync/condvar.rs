//! Waiting, with a lock given up meanwhile, until a condition holds.

use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::guard::MutexGuard;
use crate::sync::line::Line;
use crate::sync::notices::{Notice, Notices};
use crate::sync::park::{Besides, Claimed, Point, wait_with};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static WAIT: Label = Label("wait");

/// Lets who holds a [`Mutex`](crate::sync::Mutex) wait until somebody else has changed what it protects.
///
/// The guard stays with the waiter: [`wait`](Condvar::wait) gives the lock up while it waits and has it again when it
/// returns, *also when it returns an error*. So a guard is always what it says, and what was noted under the lock can be
/// taken back after a cancellation.
///
/// There is no poisoning. It does not matter which lock is used with it, nor whether it is always the same.
///
/// # Fairness
///
/// [`notify_one`](Condvar::notify_one) wakes who has waited longest, and nobody is woken without a notice. But between a
/// notice and the return of `wait` others may have the lock: look at the condition again, as
/// [`wait_while`](Condvar::wait_while) does.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::Condvar;
///
/// # fn main() -> Result<()> {
/// let (stock, arrived) = (Mutex::new(0), Condvar::new());
/// with_context(Dispatchers::default(), |s| {
///     s.launch(|_| {
///         let mut apples = stock.lock()?;
///         arrived.wait_while(&mut apples, |apples| *apples < 3)?;
///         *apples -= 3;
///         Ok(())
///     });
///     for _ in 0..4 {
///         *stock.lock()? += 1;
///         arrived.notify_one();
///     }
///     Ok(())
/// })?;
/// assert_eq!(stock.into_inner(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Condvar {
    notices: Notices<Task>,
}

impl Condvar {
    /// Makes one that nobody waits at.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let _changed = switchback::sync::Condvar::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            notices: Line::new(false),
        }
    }

    /// Gives the lock up, waits for a notice, and takes the lock again. A notice that is given after the lock was given up
    /// is not missed.
    ///
    /// # Suspension
    ///
    /// Always, until somebody notifies; then until the lock is free. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits for the notice. The lock is held then all
    /// the same: it is taken again, and that wait is not cut short by the cancellation. If it was cancelled after
    /// [`notify_one`](Condvar::notify_one) has chosen it and before it ran, the notice goes on to the next. A cancellation
    /// that comes after that is met by the next suspending call.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Condvar;
    ///
    /// # fn main() -> Result<()> {
    /// let (is_open, opened) = (Mutex::new(false), Condvar::new());
    /// run_blocking(|s| {
    ///     s.launch(|_| {
    ///         *is_open.lock()? = true;
    ///         opened.notify_all();
    ///         Ok(())
    ///     });
    ///     let mut guard = is_open.lock()?;
    ///     while !*guard {
    ///         opened.wait(&mut guard)?;
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) -> Result<()> {
        let place = Location::caller();
        let here = thread::here();
        here.check()?;
        let mutex = guard.mutex();
        let held = self.notices.lock();
        let point = Point {
            label: &WAIT,
            place,
        };
        // The wait can be seen before the lock is given up, so no notice falls in between.
        let besides = Besides {
            arrive: |_: &mut bool| (),
            leave: |_: &mut bool| (),
            meanwhile: || mutex.leave(None),
        };
        let waited = wait_with(&here, held, point, Notice::None, besides)?;
        let result = match waited.woken {
            Woken::Cancelled => Err(here.cancelled()),
            Woken::Value => here.check(),
        };
        if result.is_err() && waited.slot == Notice::One {
            self.notify_one();
        }
        mutex.enter_again(&here, place);
        result
    }

    /// Waits as long as `condition` says so. It is asked with the lock held, first before any wait.
    ///
    /// # Suspension
    ///
    /// As for [`wait`](Condvar::wait); not at all if the condition is false at once.
    ///
    /// # Cancellation
    ///
    /// As for [`wait`](Condvar::wait); checked even if it need not wait. The lock is held in any case.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Panics
    ///
    /// If the condition does. The lock is held then, and given up as the guard is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let (count, changed) = (Mutex::new(1), switchback::sync::Condvar::new());
    /// let mut guard = count.lock()?;
    /// changed.wait_while(&mut guard, |count| *count == 0)?;
    /// assert_eq!(*guard, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Result<()> {
        thread::here().check()?;
        while condition(guard) {
            self.wait(guard)?;
        }
        Ok(())
    }

    /// Wakes the one that has waited longest. If nobody waits, nothing happens.
    ///
    /// The lock need not be held.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// switchback::sync::Condvar::new().notify_one(); // nobody waits
    /// ```
    pub fn notify_one(&self) {
        let next = self.notices.lock().notify_one(false);
        Claimed::hand_back_one(next);
    }

    /// Wakes all who wait at this moment; they take the lock one after another, in the order of their coming.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// switchback::sync::Condvar::new().notify_all(); // nobody waits
    /// ```
    pub fn notify_all(&self) {
        let claimed = Claimed::new();
        self.notices.lock().notify_all(claimed.adder());
        claimed.hand_back();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_waiters = self.notices.lock().has_waiters();
        f.debug_struct("Condvar")
            .field("has_waiters", &has_waiters)
            .finish()
    }
}
