//! The right to what a mutex protects.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::sync::mutex::Mutex;

/// The right to the value of a [`Mutex`], until it is dropped.
///
/// It stays with the coroutine that has taken it, suspended or not; it is not `Send`.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// The turn of its thread in which the lock was taken, if that is known.
    since: Option<u32>,
    // The lock counts as held by the coroutine that took it.
    stays: PhantomData<*const ()>,
}

// SAFETY: through a shared reference the guard only lends the value.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// What the guard is of.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }

    /// The caller has the lock, since some turn or other.
    pub(super) fn handed(mutex: &'a Mutex<T>) -> Self {
        Self {
            mutex,
            since: None,
            stays: PhantomData,
        }
    }

    /// The caller has the lock, since this turn of its thread.
    #[inline(always)]
    pub(super) fn new(mutex: &'a Mutex<T>, turn: u32) -> Self {
        Self {
            mutex,
            since: Some(turn),
            stays: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &*self.mutex.place_of_value() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &mut *self.mutex.place_of_value() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.leave(self.since);
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
