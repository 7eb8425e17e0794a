//! The locks in most models: loom's own.
//!
//! loom cannot bound the turns of three threads that spin, so the crate's lock is checked by itself (`locks.rs`), and
//! whatever stands under it with a lock of the same meaning. Holding and releasing it touches a cell, so that a lock
//! that is released after its block was freed is noticed.

use std::mem::ManuallyDrop;

use loom::sync::{Mutex, MutexGuard};

use crate::util::sync::Shared;

#[derive(Debug)]
pub(crate) struct SpinLock {
    lock: Mutex<()>,
    touched: Shared<()>,
}

impl SpinLock {
    pub(crate) fn new() -> Self {
        Self {
            lock: Mutex::new(()),
            touched: Shared::new(()),
        }
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> SpinGuard<'_> {
        self.touched.with(|_| ());
        let guard = self.lock.lock().unwrap();
        SpinGuard {
            lock: self,
            _guard: Some(guard),
        }
    }
}

/// In place of the lock that favours a thread.
#[derive(Debug)]
pub(crate) struct BiasedLock(SpinLock);

pub(crate) type BiasedGuard<'a> = SpinGuard<'a>;

impl BiasedLock {
    pub(crate) fn new() -> Self {
        Self(SpinLock::new())
    }

    #[track_caller]
    pub(crate) fn lock(&self, _me: u64) -> BiasedGuard<'_> {
        self.0.lock()
    }

    /// # Safety
    ///
    /// The caller holds this lock.
    pub(crate) unsafe fn assume_held(&self) -> ManuallyDrop<BiasedGuard<'_>> {
        self.0.touched.with(|_| ());
        ManuallyDrop::new(SpinGuard {
            lock: &self.0,
            _guard: None,
        })
    }
}

#[derive(Debug)]
#[must_use]
pub(crate) struct SpinGuard<'a> {
    lock: &'a SpinLock,
    _guard: Option<MutexGuard<'a, ()>>,
}

impl Drop for SpinGuard<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.lock.touched.with(|_| ());
        }
    }
}
