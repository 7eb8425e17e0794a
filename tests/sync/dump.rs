//! What the dump of a job tree says of those who wait here.

use switchback::prelude::*;
use switchback::sync::Mutex;

use crate::support::settle;

#[test]
fn the_dump_says_who_holds_the_lock_that_a_coroutine_waits_for() {
    let lock = Mutex::new(());
    run_blocking(|s| {
        let holder = s.launch(|_| {
            let _held = lock.lock()?;
            await_cancellation()
        });
        settle()?;
        let waits = s.builder().name("waits").launch(|_| lock.lock().map(drop));
        settle()?;
        let dump = s.job().dump();
        let line = dump
            .lines()
            .find(|line| line.contains("\"waits\""))
            .unwrap();
        let expected = format!("held by #{} when it came", holder.id());
        assert!(line.contains("lock at tests/sync/dump.rs"), "{line}");
        assert!(line.ends_with(&expected), "{line}");
        holder.cancel();
        waits.join()
    })
    .unwrap();
}
