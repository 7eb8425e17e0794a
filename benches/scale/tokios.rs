//! The same of tokio: tasks on its threads, as many as cores. Who waits for all of them has a `JoinSet`, as with us a scope.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};

use crate::growth::{Kind, Meter};
use crate::peers::NOTHING_FAILS;

/// What a crowd of tasks shares.
struct Crowd {
    count: u64,
    waiting: AtomicU64,
    all_there: Notify,
    gate: Notify,
}

impl Crowd {
    fn new(count: u64) -> Arc<Self> {
        Arc::new(Self {
            count,
            waiting: AtomicU64::new(0),
            all_there: Notify::new(),
            gate: Notify::new(),
        })
    }

    async fn wait(&self) {
        let opens = self.gate.notified();
        if self.waiting.fetch_add(1, Ordering::Relaxed) + 1 == self.count {
            self.all_there.notify_one();
        }
        opens.await;
    }
}

async fn finish(count: u64, mut meter: Meter) -> Meter {
    meter.start();
    let mut all = JoinSet::new();
    for _ in 0..count {
        all.spawn(async {});
    }
    while let Some(ended) = all.join_next().await {
        ended.expect(NOTHING_FAILS);
    }
    meter.stop(0);
    meter
}

async fn park(count: u64, yields: u64, mut meter: Meter) -> Meter {
    let crowd = Crowd::new(count);
    meter.start();
    let mut all = JoinSet::new();
    for _ in 0..count {
        let crowd = crowd.clone();
        all.spawn(async move {
            crowd.wait().await;
            for _ in 0..yields {
                yield_now().await;
            }
        });
    }
    crowd.all_there.notified().await;
    meter.stop(0);
    meter.look_at_memory();
    meter.start();
    crowd.gate.notify_waiters();
    while let Some(ended) = all.join_next().await {
        ended.expect(NOTHING_FAILS);
    }
    meter.stop(1);
    meter
}

async fn cancel(count: u64, mut meter: Meter) -> Meter {
    let crowd = Crowd::new(count);
    let mut all = JoinSet::new();
    for _ in 0..count {
        let crowd = crowd.clone();
        all.spawn(async move { crowd.wait().await });
    }
    crowd.all_there.notified().await;
    meter.start();
    all.abort_all();
    while let Some(ended) = all.join_next().await {
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
    meter.stop(0);
    meter
}

/// One batch, as a task of `runtime`.
pub fn batch(runtime: &Runtime, kind: Kind, count: u64, yields: u64, meter: &mut Meter) {
    let lent = std::mem::take(meter);
    let task = async move {
        match kind {
            Kind::Finish => finish(count, lent).await,
            Kind::Park => park(count, 0, lent).await,
            Kind::Yield => park(count, yields, lent).await,
            Kind::Cancel => cancel(count, lent).await,
        }
    };
    *meter = runtime
        .block_on(async { tokio::spawn(task).await })
        .expect(NOTHING_FAILS);
}
