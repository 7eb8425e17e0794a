//! The seam made of loom's types, of the same shape as `src/util/sync.rs`. It adds two things.
//!
//! **Lifetimes.** A cell or an atomic that is dropped checks that every access to it happened before, and refuses any
//! later one: what a protocol touches after it was freed is a panic here (the memory itself is kept, see `yard.rs`).
//!
//! **Sequential consistency.** loom takes a sequentially consistent access for an acquire or a release, which is too weak
//! for Dekker's argument. So between a sequentially consistent store and the next sequentially consistent load of the
//! same thread, and nowhere else, stands a fence: weaken either of the two and it is gone. The fence is an exchange on
//! one location that all share, and not loom's own, which is no point at which loom lets another thread go first.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;

pub(crate) use loom::sync::atomic::Ordering;

loom::thread_local! {
    static HAS_STORED: Cell<bool> = Cell::new(false);
}

loom::lazy_static! {
    static ref ORDER: loom::sync::atomic::AtomicU32 = loom::sync::atomic::AtomicU32::new(0);
}

fn before_load(order: Ordering) {
    if order == Ordering::SeqCst && HAS_STORED.with(|stored| stored.replace(false)) {
        ORDER.fetch_add(1, Ordering::AcqRel);
    }
}

fn after_store(order: Ordering) {
    if order == Ordering::SeqCst {
        HAS_STORED.with(|stored| stored.set(true));
    }
}

/// A full fence: all of them are in one order.
pub(crate) fn full_fence() {
    ORDER.fetch_add(1, Ordering::AcqRel);
}

/// As in the library, where it is more.
pub(crate) const BIAS_AFTER: u32 = 1;

/// As above.
pub(crate) const BIAS_AGAIN: u32 = 1;

/// As above.
pub(crate) const BATCH: usize = 2;

/// Whether a thing has been dropped. All threads of a model run on one thread of the system, so this is no atomic of
/// the model.
#[derive(Debug, Default)]
struct Life(AtomicBool);

impl Life {
    #[track_caller]
    fn demand(&self) {
        let is_over = self.0.load(Ordering::Relaxed);
        assert!(
            !is_over || std::thread::panicking(),
            "touched after it was freed"
        );
    }

    fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A cell that a protocol gives to one thread at a time; loom checks that it does.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    cell: loom::cell::UnsafeCell<T>,
    life: Life,
}

// SAFETY: as for the library's own seam, and loom panics where two threads meet.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            cell: loom::cell::UnsafeCell::new(value),
            life: Life::default(),
        }
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        self.life.demand();
        self.cell.with(read)
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        self.life.demand();
        self.cell.with_mut(write)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cell.with_mut(|_| ());
        }
        self.life.end();
    }
}

/// The three atomics have no common trait, neither loom's nor std's.
macro_rules! atomic {
    ($name:ident $(<$T:ident>)?, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name $(<$T>)? {
            cell: loom::sync::atomic::$name $(<$T>)?,
            life: Life,
        }

        impl $(<$T>)? $name $(<$T>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self {
                    cell: loom::sync::atomic::$name::new(value),
                    life: Life::default(),
                }
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.life.demand();
                before_load(order);
                self.cell.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.life.demand();
                self.cell.store(value, order);
                after_store(order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.life.demand();
                before_load(order);
                let old = self.cell.swap(value, order);
                after_store(order);
                old
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                order: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.life.demand();
                before_load(order);
                let result = self.cell.compare_exchange(old, new, order, failure);
                if result.is_ok() {
                    after_store(order);
                }
                result
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                order: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(old, new, order, failure)
            }
        }

        impl $(<$T>)? Drop for $name $(<$T>)? {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    self.cell.with_mut(|_| ());
                }
                self.life.end();
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicPtr<T>, *mut T);

impl AtomicU32 {
    #[track_caller]
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.life.demand();
        self.cell.fetch_add(value, order)
    }

    #[track_caller]
    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.life.demand();
        self.cell.fetch_sub(value, order)
    }

    #[track_caller]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.life.demand();
        self.cell.fetch_or(value, order)
    }

    #[track_caller]
    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.life.demand();
        self.cell.fetch_and(value, order)
    }
}

/// Lets the other threads of the model go on.
pub(crate) fn pause(_round: u32) {
    loom::thread::yield_now();
}

/// A word to sleep on. The lock stands for the kernel's: the word is compared under it, and who wakes takes it.
#[derive(Debug)]
pub(crate) struct Futex {
    word: AtomicU32,
    woken: loom::sync::Mutex<u64>,
    bell: loom::sync::Condvar,
}

impl Futex {
    pub(crate) fn new(value: u32) -> Self {
        Self {
            word: AtomicU32::new(value),
            woken: loom::sync::Mutex::new(0),
            bell: loom::sync::Condvar::new(),
        }
    }

    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// In the models no moment ever comes.
    pub(crate) fn wait(&self, expected: u32, _until: Option<u64>) {
        let mut woken = self.woken.lock().unwrap();
        let before = *woken;
        if self.word.load(Ordering::Relaxed) != expected {
            return;
        }
        while *woken == before {
            woken = self.bell.wait(woken).unwrap();
        }
    }

    pub(crate) fn wake(&self) {
        *self.woken.lock().unwrap() += 1;
        self.bell.notify_one();
    }
}
