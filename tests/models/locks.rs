//! The crate's own locks.

use loom::sync::Arc;
use loom::thread;

use crate::check;
use crate::spin::biased::{BiasedLock, STRANGER};
use crate::spin::lock::SpinLock;
use crate::util::sync::Shared;

#[test]
fn lock_one_holder_at_a_time() {
    check(|| {
        let shared = Arc::new((SpinLock::new(), Shared::new(0)));
        let add = |shared: &(SpinLock, Shared<u32>)| {
            let _guard = shared.0.lock();
            // SAFETY: the lock is held; loom checks what that is worth.
            shared.1.with_mut(|count| unsafe { *count += 1 });
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                add(&shared);
                add(&shared);
            })
        };
        add(&shared);
        add(&shared);
        other.join().unwrap();
        // SAFETY: the other thread has ended.
        assert_eq!(shared.1.with(|count| unsafe { *count }), 4);
    });
}

/// Counts under the lock, as the thread of that name.
fn add(shared: &(BiasedLock, Shared<u32>), me: u64) {
    let _guard = shared.0.lock(me);
    // SAFETY: the lock is held; loom checks what that is worth.
    shared.1.with_mut(|count| unsafe { *count += 1 });
}

/// One thread is favoured from its first time on, until the other comes.
#[test]
fn bias_one_holder_at_a_time() {
    check(|| {
        let shared = Arc::new((BiasedLock::new(), Shared::new(0)));
        let favoured = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for _ in 0..3 {
                    add(&shared, 16);
                }
            })
        };
        add(&shared, STRANGER);
        add(&shared, STRANGER);
        favoured.join().unwrap();
        // SAFETY: the other thread has ended.
        assert_eq!(shared.1.with(|count| unsafe { *count }), 5);
    });
}

/// Each thread is favoured as soon as it comes, and loses that when the other does.
#[test]
fn bias_goes_to_and_fro() {
    check(|| {
        let shared = Arc::new((BiasedLock::new(), Shared::new(0)));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || (0..2).for_each(|_| add(&shared, 16)))
        };
        (0..2).for_each(|_| add(&shared, 24));
        other.join().unwrap();
        // SAFETY: the other thread has ended.
        assert_eq!(shared.1.with(|count| unsafe { *count }), 4);
    });
}
