//! The crate's own lock.

use loom::sync::Arc;
use loom::thread;

use crate::check;
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
