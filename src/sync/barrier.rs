//! So many meet, and go on together.

use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::line::Line;
use crate::sync::park::{Besides, Claimed, Point, wait_with};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static BARRIER: Label = Label("barrier");

/// A place where coroutines and plain threads wait for each other: when so many have come, all go on, and it begins anew.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::Barrier;
///
/// # fn main() -> Result<()> {
/// let barrier = Barrier::new(3);
/// let leaders = Mutex::new(0);
/// with_context(Dispatchers::default(), |s| {
///     for _ in 0..3 {
///         s.launch(|_| {
///             if barrier.wait()?.is_leader() {
///                 *leaders.lock()? += 1;
///             }
///             Ok(())
///         });
///     }
///     Ok(())
/// })?;
/// assert_eq!(leaders.into_inner(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Barrier {
    /// How many have arrived, all of whom wait or are about to leave.
    line: Line<Task, usize, ()>,
    needed: usize,
}

impl Barrier {
    /// Makes one where so many meet. With 0 or 1 nobody waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let barrier = switchback::sync::Barrier::new(1);
    /// assert!(barrier.wait().unwrap().is_leader());
    /// ```
    #[must_use]
    pub fn new(needed: usize) -> Self {
        Self {
            line: Line::new(0),
            needed,
        }
    }

    /// Arrives, and waits for the others. The last to arrive is the leader of its round, and does not wait.
    ///
    /// # Suspension
    ///
    /// Until enough have arrived. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits: it has not arrived then, and the others
    /// wait for one more. Also if it was cancelled after the last one had come and before it ran; the others have gone on
    /// then.
    ///
    /// # Errors
    ///
    /// Only a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::Barrier;
    ///
    /// # fn main() -> Result<()> {
    /// let barrier = Barrier::new(2);
    /// run_blocking(|s| {
    ///     let other = s.async_(|_| Ok(barrier.wait()?.is_leader()));
    ///     let we_lead = barrier.wait()?.is_leader();
    ///     assert_ne!(we_lead, other.await_()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Result<BarrierWaitResult> {
        let here = thread::here();
        here.check()?;
        let held = self.line.lock();
        let gone = held.pass_over_gone();
        let arrived = held.state(|arrived| {
            *arrived -= gone;
            *arrived + 1
        });
        if arrived >= self.needed {
            held.state(|arrived| *arrived = 0);
            let claimed = Claimed::new();
            held.claim_all(|()| (), claimed.adder());
            drop(held);
            claimed.hand_back();
            return Ok(BarrierWaitResult { leads: true });
        }
        let point = Point {
            label: &BARRIER,
            place: Location::caller(),
        };
        let besides = Besides {
            arrive: |count: &mut usize| *count = arrived,
            leave: |count: &mut usize| *count -= 1,
            meanwhile: || (),
        };
        let waited = wait_with(&here, held, point, (), besides)?;
        // Who was passed over has been taken back already, or went with the round.
        if waited.woken == Woken::Cancelled {
            return Err(here.cancelled());
        }
        here.check()?;
        Ok(BarrierWaitResult { leads: false })
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrived = self.line.lock().state(|arrived| *arrived);
        f.debug_struct("Barrier")
            .field("arrived", &arrived)
            .field("needed", &self.needed)
            .finish()
    }
}

/// What a [`Barrier`] tells who has passed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leads: bool,
}

impl BarrierWaitResult {
    /// True for one of each round: the last to arrive.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(switchback::sync::Barrier::new(1).wait().unwrap().is_leader());
    /// ```
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leads
    }
}
