//! A notice without a value.

use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::line::Line;
use crate::sync::notices::{Notice, Notices};
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static NOTIFIED: Label = Label("notified");

/// Tells coroutines and plain threads that something has happened; what, they look up themselves.
///
/// It keeps at most one permit: [`notify_one`](Notify::notify_one) wakes the one that has waited longest, or, if nobody
/// waits, lets the next [`notified`](Notify::notified) go through. [`notify_waiters`](Notify::notify_waiters) wakes those
/// who wait at that moment, and keeps nothing.
///
/// # Fairness
///
/// First come, first served.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use switchback::prelude::*;
/// use switchback::sync::Notify;
///
/// # fn main() -> Result<()> {
/// let (is_ready, ready) = (AtomicBool::new(false), Notify::new());
/// with_context(Dispatchers::default(), |s| {
///     s.launch(|_| {
///         ready.notified()?;
///         assert!(is_ready.load(Ordering::Acquire));
///         Ok(())
///     });
///     is_ready.store(true, Ordering::Release);
///     ready.notify_one();
///     Ok(())
/// })
/// # }
/// ```
pub struct Notify {
    notices: Notices<Task>,
}

impl Notify {
    /// Makes one without a permit.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let _changed = switchback::sync::Notify::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            notices: Line::new(false),
        }
    }

    /// Waits for a notice, or takes the one that was kept.
    ///
    /// # Suspension
    ///
    /// Until somebody notifies, if no permit is kept. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. If it was cancelled after
    /// [`notify_one`](Notify::notify_one) has chosen it and before it ran, the notice goes on to the next, or is kept.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let tick = switchback::sync::Notify::new();
    /// tick.notify_one();
    /// tick.notify_one(); // one is kept, not two
    /// tick.notified()?;
    /// assert!(with_timeout_or_none(ms(1), |_| tick.notified())?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn notified(&self) -> Result<()> {
        let here = thread::here();
        here.check()?;
        let held = self.notices.lock();
        if held.take() {
            return Ok(());
        }
        let point = Point {
            label: &NOTIFIED,
            place: Location::caller(),
        };
        let waited = wait_in_line(&here, held, point, Notice::None)?;
        if waited.woken == Woken::Cancelled {
            return Err(here.cancelled());
        }
        // Cancellation wins until the moment of resumption: what was for one goes on then.
        here.check().inspect_err(|_| {
            if waited.slot == Notice::One {
                self.notify_one();
            }
        })
    }

    /// Wakes the one that has waited longest, or keeps one permit for who comes next.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let tick = switchback::sync::Notify::new();
    /// tick.notify_one();
    /// assert!(tick.notified().is_ok());
    /// ```
    pub fn notify_one(&self) {
        let next = self.notices.lock().notify_one(true);
        Claimed::hand_back_one(next);
    }

    /// Wakes all who wait at this moment. Who comes later waits for the next notice.
    ///
    /// Whoever looks at a condition and then calls [`notified`](Notify::notified) may miss it in between; a
    /// [`Condvar`](crate::sync::Condvar) has no such gap.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Notify;
    ///
    /// # fn main() -> Result<()> {
    /// let start = Notify::new();
    /// run_blocking(|s| {
    ///     for _ in 0..3 {
    ///         s.launch(|_| start.notified());
    ///     }
    ///     yield_()?; // they wait now
    ///     start.notify_waiters();
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn notify_waiters(&self) {
        let claimed = Claimed::new();
        self.notices.lock().notify_all(claimed.adder());
        claimed.hand_back();
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_permit = self.notices.lock().state(|has_permit| *has_permit);
        f.debug_struct("Notify")
            .field("has_permit", &has_permit)
            .finish()
    }
}
