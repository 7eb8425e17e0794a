//! The lock in the models of the job tree: loom's own.
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

    /// # Safety
    ///
    /// The caller holds this lock.
    pub(crate) unsafe fn assume_held(&self) -> ManuallyDrop<SpinGuard<'_>> {
        self.touched.with(|_| ());
        ManuallyDrop::new(SpinGuard {
            lock: self,
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
