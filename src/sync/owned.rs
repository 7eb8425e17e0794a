//! Guards and permits that own what they are of: for coroutines that outlive the frame that has taken them.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;

use crate::error::Result;
use crate::scheduler::thread;
use crate::sync::mutex::{Holder, Mutex};
use crate::sync::semaphore::Semaphore;

impl<T: ?Sized> Mutex<T> {
    /// As [`lock`](Mutex::lock), with a guard that keeps the lock alive and may go to another coroutine.
    ///
    /// Nobody in particular holds the lock then: [`is_held_here`](Mutex::is_held_here) is false, and a coroutine that has
    /// such a guard itself and locks again waits for ever.
    ///
    /// # Suspension
    ///
    /// As for [`lock`](Mutex::lock).
    ///
    /// # Cancellation
    ///
    /// As for [`lock`](Mutex::lock).
    ///
    /// # Errors
    ///
    /// As for [`lock`](Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let count = Arc::new(Mutex::new(0));
    /// let mut guard = count.lock_owned()?;
    /// let job = GlobalScope.launch(move |_| *guard += 1);
    /// job.join()?;
    /// assert_eq!(*count.lock()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn lock_owned(self: &Arc<Self>) -> Result<OwnedMutexGuard<T>> {
        self.enter(&thread::here(), Holder::ANYBODY, Location::caller())?;
        Ok(OwnedMutexGuard {
            mutex: Arc::clone(self),
        })
    }

    /// As [`try_lock`](Mutex::try_lock), with a guard as of [`lock_owned`](Mutex::lock_owned).
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
    /// let lock = std::sync::Arc::new(switchback::sync::Mutex::new(1));
    /// let held = lock.try_lock_owned().unwrap();
    /// assert!(lock.try_lock_owned().is_none());
    /// # drop(held);
    /// ```
    #[track_caller]
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        let taken = self.try_enter(&thread::here(), Holder::ANYBODY, Location::caller());
        taken.then(|| OwnedMutexGuard {
            mutex: Arc::clone(self),
        })
    }
}

/// As a [`MutexGuard`](crate::sync::MutexGuard), but it keeps the lock alive, and may be sent.
#[must_use = "the lock is given up when the guard is dropped"]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
}

// SAFETY: through a shared reference the guard lends the value, to several at once, and no longer than `Mutex` may be
// shared; without this it would do for a value that must not be shared.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &*self.mutex.place_of_value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the one holder of the lock.
        unsafe { &mut *self.mutex.place_of_value() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        self.mutex.leave(None);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl Semaphore {
    /// As [`acquire`](Semaphore::acquire), with a permit that keeps the semaphore alive.
    ///
    /// # Suspension
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let slots = Arc::new(Semaphore::new(2));
    /// let permit = slots.acquire_owned()?;
    /// GlobalScope.launch(move |_| drop(permit)).join()?;
    /// assert_eq!(slots.available_permits(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit> {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), with a permit that keeps the semaphore alive.
    ///
    /// # Suspension
    ///
    /// As for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Examples
    ///
    /// ```
    /// let slots = std::sync::Arc::new(switchback::sync::Semaphore::new(3));
    /// let two = slots.acquire_many_owned(2).unwrap();
    /// assert_eq!(slots.available_permits(), 1);
    /// # drop(two);
    /// ```
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Self>, count: usize) -> Result<OwnedPermit> {
        let count = self.acquire_many(count)?.forget();
        Ok(OwnedPermit {
            semaphore: Arc::clone(self),
            count,
        })
    }

    /// As [`try_acquire`](Semaphore::try_acquire), with a permit that keeps the semaphore alive.
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
    /// let slots = std::sync::Arc::new(switchback::sync::Semaphore::new(1));
    /// let permit = slots.try_acquire_owned();
    /// assert!(permit.is_some() && slots.try_acquire_owned().is_none());
    /// ```
    pub fn try_acquire_owned(self: &Arc<Self>) -> Option<OwnedPermit> {
        let count = self.try_acquire()?.forget();
        Some(OwnedPermit {
            semaphore: Arc::clone(self),
            count,
        })
    }
}

/// As a [`Permit`](crate::sync::Permit), but it keeps the semaphore alive.
#[must_use = "the permit is given back when it is dropped"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("count", &self.count)
            .field("of", &self.semaphore)
            .finish()
    }
}
