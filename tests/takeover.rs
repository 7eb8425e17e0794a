//! Work that waits behind a blocked worker is taken over by another one.
//!
//! In a process of its own: it blocks one of the workers, of which there may be only two.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use switchback::prelude::*;

/// Both were taken from the shared queue by one worker, perhaps; the one that waits behind must be taken over.
#[test]
fn what_was_sent_from_outside_starts_although_a_worker_is_blocked() {
    for _ in 0..2000 {
        let ran = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                with_context(Dispatchers::default(), |_| {
                    let start = Instant::now();
                    while !ran.load(Ordering::Acquire) {
                        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
                        std::thread::sleep(Duration::from_micros(50));
                    }
                    Ok(())
                })
                .unwrap();
            });
            threads.spawn(|| {
                with_context(Dispatchers::default(), |_| {
                    ran.store(true, Ordering::Release);
                    Ok(())
                })
                .unwrap();
            });
        });
    }
}
