//! What is measured of this library.

use std::sync::atomic::{AtomicU64, Ordering};

use switchback::prelude::*;

use crate::growth::{Kind, Meter};
use crate::peers::NOTHING_FAILS;

/// What a crowd of coroutines shares.
struct Crowd {
    count: u64,
    waiting: AtomicU64,
    /// Completed by the last one that comes.
    all_there: CompletableDeferred<()>,
    gate: CompletableDeferred<()>,
}

impl Crowd {
    fn new(count: u64) -> Self {
        Self {
            count,
            waiting: AtomicU64::new(0),
            all_there: CompletableDeferred::new(),
            gate: CompletableDeferred::new(),
        }
    }

    fn wait(&self) -> Result<()> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) + 1 == self.count {
            self.all_there.complete(());
        }
        self.gate.await_()
    }
}

fn finish(count: u64, meter: &mut Meter) -> Result<()> {
    meter.start();
    coroutine_scope(|s| {
        for _ in 0..count {
            s.launch(|_| ());
        }
        Ok(())
    })?;
    meter.stop(0);
    Ok(())
}

/// Each parks, and yields so often after it was woken.
fn park(count: u64, yields: u64, meter: &mut Meter) -> Result<()> {
    let crowd = Crowd::new(count);
    meter.start();
    coroutine_scope(|s| {
        for _ in 0..count {
            s.launch(|_| {
                crowd.wait()?;
                (0..yields).try_for_each(|_| yield_())
            });
        }
        crowd.all_there.await_()?;
        meter.stop(0);
        meter.look_at_memory();
        meter.start();
        crowd.gate.complete(());
        Ok(())
    })?;
    meter.stop(1);
    Ok(())
}

fn cancel(count: u64, meter: &mut Meter) -> Result<()> {
    let crowd = Crowd::new(count);
    coroutine_scope(|s| {
        for _ in 0..count {
            s.launch(|_| crowd.wait());
        }
        crowd.all_there.await_()?;
        meter.start();
        s.job().cancel_children();
        Ok(())
    })?;
    meter.stop(0);
    Ok(())
}

/// One batch, on the default dispatcher.
pub fn batch(kind: Kind, count: u64, yields: u64, meter: &mut Meter) {
    let done = with_context(Dispatchers::default(), |_| match kind {
        Kind::Finish => finish(count, meter),
        Kind::Park => park(count, 0, meter),
        Kind::Yield => park(count, yields, meter),
        Kind::Cancel => cancel(count, meter),
    });
    done.expect(NOTHING_FAILS);
}
