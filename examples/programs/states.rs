//! Program 11. The states of a parent, a sibling and a child before, while and after the child fails.
//!
//! In Kotlin: `coroutineScope { launch { saveInDatabase(user) }; launch { saveInCache(user) } }`, where `commit()`
//! throws while `saveInCache` waits for two parts; `isActive`, `isCancelled`, `isCompleted` of all three, three times.

use std::sync::OnceLock;

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

fn commit() -> Result<()> {
    delay(ms(1000))?;
    Err(Error::msg("the commit has failed"))
}

fn save_in_database(log: &Log) -> Result<()> {
    say!(log, "database: written");
    commit()?;
    say!(log, "database: not reached");
    Ok(())
}

fn save_in_cache(log: &Log) -> Result<()> {
    let saved = coroutine_scope(|s| {
        for part in ["names", "faces"] {
            s.launch(move |_| {
                let stored = delay(ms(5000));
                if let Err(cancelled) = &stored {
                    say!(log, "cache, {part}: {cancelled:#}");
                }
                stored
            });
        }
        Ok(())
    });
    // What was begun is put in order, which takes a while: until then the job is Cancelling.
    non_cancellable(|_| delay(ms(300)))?;
    say!(log, "cache: put in order");
    saved
}

fn show(log: &Log, name: &str, job: &Job) {
    say!(
        log,
        "  {name}: active {}, cancelled {}, completed {}",
        job.is_active(),
        job.is_cancelled(),
        job.is_completed()
    );
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    // Bound outside, for the one who looks on.
    let family: OnceLock<[Job; 3]> = OnceLock::new();
    let look = |when: &str| {
        say!(log, "{when}");
        let [parent, child, sibling] = family.get().expect("they were launched");
        show(&log, "parent ", parent);
        show(&log, "child  ", child);
        show(&log, "sibling", sibling);
    };
    run_test(|s| {
        s.launch(|_| {
            delay(ms(500))?;
            look("before");
            delay(ms(600))?;
            look("while");
            Ok(())
        });
        let saved = coroutine_scope(|s| {
            let child = s.launch(|_| save_in_database(&log));
            let sibling = s.launch(|_| save_in_cache(&log));
            let _ = family.set([s.job(), child, sibling]);
            Ok(())
        });
        look("after");
        let error = saved.unwrap_err();
        say!(log, "the scope gives: {error}");

        let [parent, child, sibling] = family.get().unwrap();
        let failure = child.cause().unwrap();
        assert!(failure.ptr_eq(&error) && parent.cause().unwrap().ptr_eq(&error));
        // The sibling was not at fault: it was cancelled, and its cause is the failure.
        let cancellation = sibling.cause().unwrap();
        assert!(cancellation.is_cancelled() && !failure.is_cancelled());
        let cause = cancellation.downcast_ref::<Cancelled>().unwrap().cause();
        assert!(cause.unwrap().ptr_eq(&error));
        Ok(())
    })?;
    log.assert(&[
        "    0 ms  database: written",
        "  500 ms  before",
        "  500 ms    parent : active true, cancelled false, completed false",
        "  500 ms    child  : active true, cancelled false, completed false",
        "  500 ms    sibling: active true, cancelled false, completed false",
        " 1000 ms  cache, names: cancelled: the commit has failed",
        " 1000 ms  cache, faces: cancelled: the commit has failed",
        " 1100 ms  while",
        " 1100 ms    parent : active false, cancelled true, completed false",
        " 1100 ms    child  : active false, cancelled true, completed true",
        " 1100 ms    sibling: active false, cancelled true, completed false",
        " 1300 ms  cache: put in order",
        " 1300 ms  after",
        " 1300 ms    parent : active false, cancelled true, completed true",
        " 1300 ms    child  : active false, cancelled true, completed true",
        " 1300 ms    sibling: active false, cancelled true, completed true",
        " 1300 ms  the scope gives: the commit has failed",
    ]);
    Ok(log)
}
