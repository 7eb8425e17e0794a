//! A value that is made once, by whoever first asks for it.

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sync::line::Line;
use crate::sync::mutex::Holder;
use crate::sync::park::{Claimed, Point, wait_in_line};
use crate::task::Task;
use crate::task::label::Label;
use crate::task::word::Woken;

static INITIALISED: Label = Label("get_or_init");

/// How far the value is.
#[derive(Debug)]
enum Phase {
    /// Nobody makes it.
    Empty,
    /// Somebody does.
    Busy(Holder),
    /// It is made.
    Ready,
}

/// What a waiter has, or is given.
#[derive(Debug)]
enum Slot {
    Waits(Holder),
    /// It is its turn to make the value.
    Turn,
    /// The value is made.
    Ready,
}

/// A value that is made once, when it is first asked for, by an initialiser that may suspend; for coroutines and plain
/// threads alike.
///
/// Who asks while another one makes it, waits. If the initialiser fails, panics or is cancelled, the next of those who
/// wait runs its own; nothing is poisoned.
///
/// # Fairness
///
/// First come, first served.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::OnceCell;
///
/// # fn main() -> Result<()> {
/// let connection = OnceCell::new();
/// let connect = || -> Result<String> {
///     delay(ms(1))?;
///     Ok("connected".to_owned())
/// };
/// run_blocking(|s| {
///     for _ in 0..3 {
///         s.launch(|_| {
///             assert_eq!(connection.get_or_try_init(connect)?, "connected");
///             Ok(())
///         });
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct OnceCell<T> {
    line: Line<Task, Phase, Slot>,
    /// Goes ahead of the line: what is ready is had without the lock.
    is_ready: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is moved along with the cell.
unsafe impl<T: Send> Send for OnceCell<T> {}
// SAFETY: one makes the value, on whichever thread that is; from then on it is only lent.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    /// Makes an empty one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = switchback::sync::OnceCell::<i32>::new();
    /// assert!(cell.get().is_none());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            line: Line::new(Phase::Empty),
            is_ready: AtomicBool::new(false),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if it is made.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = switchback::sync::OnceCell::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn get(&self) -> Option<&T> {
        // ORDERING: acquire pairs with the release in `finish`, so the value is seen.
        if !self.is_ready.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: it is ready, so nobody writes it any more.
        unsafe { &*self.value.get() }.as_ref()
    }

    /// The value; if need be, waits for it or makes it.
    ///
    /// # Suspension
    ///
    /// While another one makes the value, and where the initialiser does. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the coroutine is cancelled, before or while it waits. The initialiser is run by whoever asks
    /// first, so if that one is cancelled in it, the turn goes on to the next.
    ///
    /// # Errors
    ///
    /// A cancellation; or an error that names both places if the initialiser asks for the value that it makes.
    ///
    /// # Panics
    ///
    /// If the initialiser does; the turn goes on then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let cell = switchback::sync::OnceCell::new();
    /// assert_eq!(cell.get_or_init(|| 1)?, &1);
    /// assert_eq!(cell.get_or_init(|| 2)?, &1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> Result<&T> {
        self.get_or_try_init(|| Ok(init()))
    }

    /// As [`get_or_init`](OnceCell::get_or_init), with an initialiser that may fail.
    ///
    /// # Suspension
    ///
    /// As for [`get_or_init`](OnceCell::get_or_init).
    ///
    /// # Cancellation
    ///
    /// As for [`get_or_init`](OnceCell::get_or_init).
    ///
    /// # Errors
    ///
    /// As for [`get_or_init`](OnceCell::get_or_init); and that of the initialiser that this call has run. Others who wait
    /// do not see it: the next of them runs its own.
    ///
    /// # Panics
    ///
    /// If the initialiser does; the turn goes on then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// # fn main() -> Result<()> {
    /// let cell = switchback::sync::OnceCell::new();
    /// assert!(cell.get_or_try_init(|| Err(Error::msg("not yet"))).is_err());
    /// assert_eq!(cell.get_or_try_init(|| Ok(2))?, &2);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn get_or_try_init(&self, init: impl FnOnce() -> Result<T>) -> Result<&T> {
        let here = thread::here();
        here.check()?;
        if let Some(value) = self.get() {
            return Ok(value);
        }
        if let Some(turn) = self.enter(Location::caller())? {
            // Cancellation wins until the moment of resumption; the turn goes on then.
            here.check()?;
            turn.finish(init()?);
        } else {
            here.check()?;
        }
        Ok(self.get().expect("the value is made"))
    }

    /// Waits until the value is made (`None`), or it is our turn to make it.
    fn enter(&self, place: &'static Location<'static>) -> Result<Option<Turn<'_, T>>> {
        let here = thread::here();
        let id = here.task().id;
        let me = Holder { id, place };
        let held = self.line.lock();
        let busy = held.state(|phase| match *phase {
            Phase::Busy(holder) => Err(Some(holder)),
            Phase::Ready => Err(None),
            Phase::Empty => {
                *phase = Phase::Busy(me);
                Ok(())
            }
        });
        match busy {
            Ok(()) => return Ok(Some(Turn(self))),
            Err(None) => return Ok(None),
            Err(Some(holder)) if holder.id == id => {
                drop(held);
                return Err(asked_by_its_maker(holder, me));
            }
            Err(Some(_)) => {}
        }
        let point = Point {
            label: &INITIALISED,
            place,
        };
        let waited = wait_in_line(&here, held, point, Slot::Waits(me))?;
        match (waited.woken, waited.slot) {
            (Woken::Cancelled, _) => Err(here.cancelled()),
            (Woken::Value, Slot::Turn) => Ok(Some(Turn(self))),
            (Woken::Value, _) => Ok(None),
        }
    }

    /// Gives the cell its value.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// Gives the value back if the cell has one, or if somebody is making it.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = switchback::sync::OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    #[track_caller]
    pub fn set(&self, value: T) -> std::result::Result<(), T> {
        let me = Holder {
            id: Holder::ANYBODY,
            place: Location::caller(),
        };
        let is_ours = self.line.lock().state(|phase| {
            let is_empty = matches!(phase, Phase::Empty);
            if is_empty {
                *phase = Phase::Busy(me);
            }
            is_empty
        });
        if !is_ours {
            return Err(value);
        }
        Turn(self).finish(value);
        Ok(())
    }

    /// Gives the value back, if it was made.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = switchback::sync::OnceCell::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.into_inner(), Some(1));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

#[cold]
fn asked_by_its_maker(makes: Holder, asks: Holder) -> Error {
    Error::msg(format_args!(
        "the value that is asked for at {} is being made by the same coroutine, since {}: it would wait for ever",
        asks.place, makes.place
    ))
}

/// The turn to make the value. Dropped without it, it goes on.
struct Turn<'a, T>(&'a OnceCell<T>);

impl<T> Turn<'_, T> {
    fn finish(self, value: T) {
        let cell = self.0;
        std::mem::forget(self);
        // SAFETY: the turn is ours alone, and nobody reads before `is_ready`.
        unsafe { *cell.value.get() = Some(value) };
        // ORDERING: release pairs with the acquire in `get`.
        cell.is_ready.store(true, Ordering::Release);
        let claimed = Claimed::new();
        let held = cell.line.lock();
        held.state(|phase| *phase = Phase::Ready);
        held.claim_all(|slot| *slot = Slot::Ready, claimed.adder());
        drop(held);
        claimed.hand_back();
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let held = self.0.line.lock();
        let next = held.claim_first(|phase, slot| {
            if let Slot::Waits(next) = *slot {
                *phase = Phase::Busy(next);
            }
            *slot = Slot::Turn;
        });
        if next.is_none() {
            held.state(|phase| *phase = Phase::Empty);
        }
        drop(held);
        Claimed::hand_back_one(next.map(|((), task)| task));
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self {
            line: Line::new(Phase::Ready),
            is_ready: AtomicBool::new(true),
            value: UnsafeCell::new(Some(value)),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("OnceCell");
        match self.get() {
            Some(value) => tuple.field(value).finish(),
            None => tuple.finish_non_exhaustive(),
        }
    }
}
