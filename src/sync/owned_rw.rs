//! The rights to what a lock with readers and writers protects, for coroutines that outlive the frame that has taken them.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr;
use std::sync::Arc;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::mutex::Holder;
use crate::sync::rw_turns::Want;
use crate::sync::rwlock::RwLock;

impl<T: ?Sized> RwLock<T> {
    /// As [`read`](RwLock::read), with a guard that keeps the lock alive and may go to another coroutine.
    ///
    /// Nobody in particular is inside then: a coroutine that has such a guard itself and would wait for it, does so.
    ///
    /// # Suspension
    ///
    /// As for [`read`](RwLock::read).
    ///
    /// # Cancellation
    ///
    /// As for [`read`](RwLock::read).
    ///
    /// # Errors
    ///
    /// As for [`read`](RwLock::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use switchback::prelude::*;
    /// use switchback::sync::RwLock;
    ///
    /// # fn main() -> Result<()> {
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.read_owned()?;
    /// let seen = GlobalScope.async_(move |_| Ok(*guard));
    /// assert_eq!(seen.await_()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn read_owned(self: &Arc<Self>) -> Result<OwnedRwLockReadGuard<T>> {
        let me = Holder::anybody(Location::caller());
        self.enter(&thread::here(), Want::Read(me))?;
        Ok(OwnedRwLockReadGuard {
            lock: Arc::clone(self),
            me,
        })
    }

    /// As [`write`](RwLock::write), with a guard as of [`read_owned`](RwLock::read_owned).
    ///
    /// # Suspension
    ///
    /// As for [`write`](RwLock::write).
    ///
    /// # Cancellation
    ///
    /// As for [`write`](RwLock::write).
    ///
    /// # Errors
    ///
    /// As for [`write`](RwLock::write).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use switchback::prelude::*;
    /// use switchback::sync::RwLock;
    ///
    /// # fn main() -> Result<()> {
    /// let lock = Arc::new(RwLock::new(1));
    /// let mut guard = lock.write_owned()?;
    /// GlobalScope.launch(move |_| *guard += 1).join()?;
    /// assert_eq!(*lock.read()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn write_owned(self: &Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>> {
        let me = Holder::anybody(Location::caller());
        self.enter(&thread::here(), Want::Write(me))?;
        Ok(OwnedRwLockWriteGuard {
            lock: Arc::clone(self),
            me,
        })
    }

    /// As [`try_read`](RwLock::try_read), with a guard as of [`read_owned`](RwLock::read_owned).
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
    /// let lock = std::sync::Arc::new(switchback::sync::RwLock::new(1));
    /// let (a, b) = (lock.try_read_owned(), lock.try_read_owned());
    /// assert!(a.is_some() && b.is_some());
    /// ```
    #[track_caller]
    pub fn try_read_owned(self: &Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        let me = Holder::anybody(Location::caller());
        self.try_enter(Want::Read(me))
            .then(|| OwnedRwLockReadGuard {
                lock: Arc::clone(self),
                me,
            })
    }

    /// As [`try_write`](RwLock::try_write), with a guard as of [`read_owned`](RwLock::read_owned).
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
    /// let lock = std::sync::Arc::new(switchback::sync::RwLock::new(1));
    /// let held = lock.try_write_owned();
    /// assert!(held.is_some() && lock.try_read_owned().is_none());
    /// ```
    #[track_caller]
    pub fn try_write_owned(self: &Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        let me = Holder::anybody(Location::caller());
        self.try_enter(Want::Write(me))
            .then(|| OwnedRwLockWriteGuard {
                lock: Arc::clone(self),
                me,
            })
    }
}

/// As an [`RwLockReadGuard`](crate::sync::RwLockReadGuard), but it keeps the lock alive, and may be sent.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    me: Holder,
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: nobody writes while the guard lives.
        unsafe { &*self.lock.place_of_value() }
    }
}

impl<T: ?Sized> Drop for OwnedRwLockReadGuard<T> {
    fn drop(&mut self) {
        self.lock.leave(Want::Read(self.me));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// As an [`RwLockWriteGuard`](crate::sync::RwLockWriteGuard), but it keeps the lock alive, and may be sent.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    me: Holder,
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// As [`RwLockWriteGuard::downgrade`](crate::sync::RwLockWriteGuard::downgrade).
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = std::sync::Arc::new(RwLock::new(1));
    /// let guard = lock.try_write_owned().unwrap();
    /// let guard = OwnedRwLockWriteGuard::downgrade(guard);
    /// assert!(lock.try_read().is_some());
    /// # drop(guard);
    /// ```
    pub fn downgrade(guard: Self) -> OwnedRwLockReadGuard<T> {
        let guard = ManuallyDrop::new(guard);
        guard.lock.downgrade();
        OwnedRwLockReadGuard {
            // SAFETY: what it is moved out of is not dropped, nor touched again.
            lock: unsafe { ptr::read(&raw const guard.lock) },
            me: guard.me,
        }
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &*self.lock.place_of_value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &mut *self.lock.place_of_value() }
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    fn drop(&mut self) {
        self.lock.leave(Want::Write(self.me));
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
