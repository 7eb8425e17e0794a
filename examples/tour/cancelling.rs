//! A cancelled coroutine is not torn down: its suspending calls return `Err`, `?` carries that out, and on the way
//! destructors run. Cleanup that must itself wait does so in `non_cancellable`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use switchback::prelude::*;

use crate::output::{row, time};

/// A file that goes when its owner does.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn create(path: &Path) -> Result<Self> {
        fs::write(path, "half of the data")?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Sends a file to a server that takes its time.
fn upload(path: &Path, log: &Mutex<Vec<&str>>) -> Result<()> {
    let _file = TemporaryFile::create(path)?;
    log.lock().unwrap().push("begun");
    let sent = delay(ms(10_000));
    if sent.is_err() {
        // Elsewhere in this coroutine a suspending call now returns at once; in here it waits.
        non_cancellable(|_| delay(ms(20)))?;
        log.lock().unwrap().push("rolled back");
    }
    sent
}

pub fn stop() -> Result<()> {
    let path = std::env::temp_dir().join(format!("switchback-tour-{}", std::process::id()));
    let log = Mutex::new(Vec::new());
    let start = Instant::now();

    run_blocking(|s| {
        let job = s.launch(|_| upload(&path, &log));
        delay(ms(30))?;
        assert!(path.exists());

        job.cancel();
        assert!(job.is_cancelled() && !job.is_completed()); // it cleans up
        job.join()?;
        assert!(job.is_completed());
        Ok(())
    })?;

    let took = start.elapsed();
    assert!(took >= ms(50) && took < ms(5_000));
    assert_eq!(*log.lock().unwrap(), ["begun", "rolled back"]);
    assert!(!path.exists());
    row("an upload of 10 s, cancelled after 30 ms", "Err(Cancelled)");
    row(
        "its rollback of 20 ms, in non_cancellable",
        "ran to its end",
    );
    row("its temporary file, by a destructor", "removed");
    row("all of it took", time(took));
    Ok(())
}
