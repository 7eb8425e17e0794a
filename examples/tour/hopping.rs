//! `with_context` runs a block on another dispatcher while the caller is suspended. The block may borrow all the same,
//! and the caller goes on in its own thread.

use std::thread;

use switchback::prelude::*;

use crate::output::row;

fn thread_name() -> String {
    thread::current()
        .name()
        .unwrap_or("a thread without a name")
        .to_owned()
}

/// Reads a file on a thread that is there to be blocked. Gives its length, and the thread's name.
fn read(path: &str) -> Result<(usize, String)> {
    with_context(Dispatchers::io(), |_| {
        let text = std::fs::read_to_string(path)?;
        Ok((text.len(), thread_name()))
    })
}

pub fn stop() -> Result<()> {
    run_blocking(|s| {
        let path = String::from("/proc/self/status");
        let before = thread_name();

        let ticks = s.async_(|_| {
            // Meanwhile this thread has other things to do.
            delay(ms(1))?;
            Ok(thread_name())
        });
        let (length, there) = read(&path)?;
        let after = thread_name();

        assert!(length > 0 && there != before);
        assert_eq!(after, before);
        assert_eq!(ticks.await_()?, before);
        row("before", before);
        row(&format!("read {path}"), there);
        row("after", after);
        Ok(())
    })
}
