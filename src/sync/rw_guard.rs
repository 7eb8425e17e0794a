//! The rights to what a lock with readers and writers protects.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

use crate::sync::mutex::Holder;
use crate::sync::rw_turns::Want;
use crate::sync::rwlock::RwLock;

/// The right to read the value of an [`RwLock`], until it is dropped.
///
/// It stays with the coroutine that has taken it, suspended or not; it is not `Send`.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// As noted in the lock, which counts as held by the coroutine that took it.
    me: Holder,
    stays: PhantomData<*const ()>,
}

// SAFETY: through a shared reference the guard only lends the value.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The caller is inside.
    pub(super) fn new(lock: &'a RwLock<T>, me: Holder) -> Self {
        Self {
            lock,
            me,
            stays: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: nobody writes while the guard lives.
        unsafe { &*self.lock.place_of_value() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.leave(Want::Read(self.me));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// The right to write the value of an [`RwLock`], until it is dropped.
///
/// It stays with the coroutine that has taken it, suspended or not; it is not `Send`.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// As noted in the lock, which counts as held by the coroutine that took it.
    me: Holder,
    stays: PhantomData<*const ()>,
}

// SAFETY: through a shared reference the guard only lends the value.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The caller is inside, alone.
    pub(super) fn new(lock: &'a RwLock<T>, me: Holder) -> Self {
        Self {
            lock,
            me,
            stays: PhantomData,
        }
    }

    /// Reads from now on, with no writer in between. Readers that wait at the front of the line come in.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// # use switchback::prelude::*;
    /// use switchback::sync::{RwLock, RwLockWriteGuard};
    ///
    /// # fn main() -> Result<()> {
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.write()?;
    /// *guard += 1;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!(*guard + *lock.read()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let guard = ManuallyDrop::new(guard);
        guard.lock.downgrade();
        RwLockReadGuard::new(guard.lock, guard.me)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &*self.lock.place_of_value() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &mut *self.lock.place_of_value() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.leave(Want::Write(self.me));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
