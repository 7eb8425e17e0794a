//! Every wait at the tools beside channel, mutex and semaphore, cancelled at every moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::{Barrier, Condvar, OnceCell, broadcast, oneshot, watch};

use crate::support::{settle, until};

/// One tool, about which one waits and to which another brings what is waited for.
trait Case: Sync {
    /// Waits. It is called once.
    fn wait(&self) -> Result<()>;

    /// Brings it. What has to be held until then is held from the making of the case on, by nobody in particular.
    fn bring(&self);

    /// Whether what was brought has been had although its receiver was cancelled before it ran.
    fn is_received(&self) -> bool {
        false
    }

    /// At the end: nothing is held, and what was not had is there for the next.
    fn demand_whole(&self, had: bool);
}

/// What is taken once.
struct Once<T>(std::sync::Mutex<Option<T>>);

impl<T> Once<T> {
    fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(Some(value)))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap().take()
    }
}

struct Lock {
    lock: Arc<Mutex<()>>,
    held: Once<switchback::sync::OwnedMutexGuard<()>>,
}

impl Case for Lock {
    fn wait(&self) -> Result<()> {
        self.lock.lock_owned().map(drop)
    }

    fn bring(&self) {
        drop(self.held.take());
    }

    fn demand_whole(&self, _: bool) {
        assert!(!self.lock.is_locked());
    }
}

struct Rw {
    lock: Arc<RwLock<()>>,
    held: Once<switchback::sync::OwnedRwLockWriteGuard<()>>,
    writes: bool,
}

impl Case for Rw {
    fn wait(&self) -> Result<()> {
        if self.writes {
            self.lock.write().map(drop)
        } else {
            self.lock.read_owned().map(drop)
        }
    }

    fn bring(&self) {
        drop(self.held.take());
    }

    fn demand_whole(&self, _: bool) {
        assert!(self.lock.try_write().is_some());
    }
}

struct Notice(Notify);

impl Case for Notice {
    fn wait(&self) -> Result<()> {
        self.0.notified()
    }

    fn bring(&self) {
        self.0.notify_one();
    }

    fn demand_whole(&self, had: bool) {
        // It is kept, and once, if it was not had.
        let next = || with_timeout_or_none(ms(0), |_| self.0.notified());
        assert_eq!(format!("{:?}", self.0).contains("true"), !had);
        if !had {
            self.0.notified().unwrap();
        }
        assert!(next().unwrap().is_none());
    }
}

struct Condition {
    lock: Mutex<bool>,
    changed: Condvar,
}

impl Case for Condition {
    fn wait(&self) -> Result<()> {
        let mut is_so = self.lock.lock()?;
        let result = self.changed.wait_while(&mut is_so, |is_so| !*is_so);
        // Cancelled or not, the lock is ours.
        assert!(self.lock.is_held_here());
        result
    }

    fn bring(&self) {
        *non_cancellable(|_| self.lock.lock()).unwrap() = true;
        self.changed.notify_one();
    }

    fn demand_whole(&self, _: bool) {
        assert!(self.lock.try_lock().is_some());
    }
}

struct Meeting(Barrier);

impl Case for Meeting {
    fn wait(&self) -> Result<()> {
        self.0.wait().map(drop)
    }

    fn bring(&self) {
        // Who comes while nobody waits would wait for ever himself.
        if format!("{:?}", self.0).contains("arrived: 1") {
            let _ = with_timeout_or_none(ms(1), |_| self.0.wait());
        }
    }

    fn demand_whole(&self, _: bool) {
        assert!(
            format!("{:?}", self.0).contains("arrived: 0"),
            "{:?}",
            self.0
        );
    }
}

struct Making {
    cell: OnceCell<u8>,
    may_end: Notify,
    tries: AtomicUsize,
}

impl Case for Making {
    fn wait(&self) -> Result<()> {
        self.cell
            .get_or_try_init(|| {
                self.tries.fetch_add(1, Ordering::Relaxed);
                self.may_end.notified()?;
                Ok(7)
            })
            .map(drop)
    }

    fn bring(&self) {
        self.may_end.notify_one();
    }

    fn demand_whole(&self, had: bool) {
        assert_eq!(self.cell.get().is_some(), had);
        assert_eq!(self.cell.get_or_init(|| 7).unwrap(), &7);
        assert!(self.tries.load(Ordering::Relaxed) <= 1);
    }
}

struct Single {
    tx: Once<oneshot::Sender<Arc<()>>>,
    rx: Once<oneshot::Receiver<Arc<()>>>,
    value: Arc<()>,
}

impl Case for Single {
    fn wait(&self) -> Result<()> {
        let rx = self.rx.take().unwrap();
        rx.recv().map(drop)
    }

    fn bring(&self) {
        let tx = self.tx.take().unwrap();
        let _ = tx.send(Arc::clone(&self.value));
    }

    fn is_received(&self) -> bool {
        true
    }

    fn demand_whole(&self, _: bool) {
        assert_eq!(Arc::strong_count(&self.value), 1, "had or dropped, once");
    }
}

struct Broadcast {
    tx: broadcast::Sender<u8>,
    rx: std::sync::Mutex<Option<broadcast::Receiver<u8>>>,
    other: std::sync::Mutex<broadcast::Receiver<u8>>,
}

impl Case for Broadcast {
    fn wait(&self) -> Result<()> {
        let mut rx = self.rx.lock().unwrap().take().unwrap();
        let result = rx.recv().map(|value| assert_eq!(value, 7));
        *self.rx.lock().unwrap() = Some(rx);
        Ok(result?)
    }

    fn bring(&self) {
        self.tx.send(7).unwrap();
    }

    fn is_received(&self) -> bool {
        true
    }

    fn demand_whole(&self, had: bool) {
        // What was not had is in the ring, for each.
        let mut rx = self.rx.lock().unwrap();
        let rest = rx.as_mut().unwrap().try_recv();
        assert_eq!(rest.is_err(), had);
        assert_eq!(self.other.lock().unwrap().try_recv(), Ok(7));
    }
}

struct Watching {
    tx: watch::Sender<u8>,
    rx: std::sync::Mutex<Option<watch::Receiver<u8>>>,
}

impl Case for Watching {
    fn wait(&self) -> Result<()> {
        let mut rx = self.rx.lock().unwrap().take().unwrap();
        let result = rx.changed();
        *self.rx.lock().unwrap() = Some(rx);
        result
    }

    fn bring(&self) {
        self.tx.send(7).unwrap();
    }

    fn demand_whole(&self, had: bool) {
        let rx = self.rx.lock().unwrap();
        assert_eq!(rx.as_ref().unwrap().has_changed().unwrap(), !had);
    }
}

/// A new case of each kind.
fn cases() -> Vec<(&'static str, Box<dyn Case>)> {
    let lock = Arc::new(Mutex::new(()));
    let rw = |writes| {
        let lock = Arc::new(RwLock::new(()));
        let held = Once::new(lock.try_write_owned().unwrap());
        Box::new(Rw { lock, held, writes })
    };
    let (tx, rx) = oneshot::channel();
    let single = Single {
        tx: Once::new(tx),
        rx: Once::new(rx),
        value: Arc::new(()),
    };
    let (tx, rx) = broadcast::channel(2);
    let broadcast = Broadcast {
        other: std::sync::Mutex::new(tx.subscribe()),
        tx,
        rx: std::sync::Mutex::new(Some(rx)),
    };
    let (tx, rx) = watch::channel(1);
    let watching = Watching {
        tx,
        rx: std::sync::Mutex::new(Some(rx)),
    };
    let making = Making {
        cell: OnceCell::new(),
        may_end: Notify::new(),
        tries: AtomicUsize::new(0),
    };
    let condition = Condition {
        lock: Mutex::new(false),
        changed: Condvar::new(),
    };
    vec![
        (
            "lock",
            Box::new(Lock {
                held: Once::new(lock.try_lock_owned().unwrap()),
                lock,
            }),
        ),
        ("read", rw(false)),
        ("write", rw(true)),
        ("notify", Box::new(Notice(Notify::new()))),
        ("condvar", Box::new(condition)),
        ("barrier", Box::new(Meeting(Barrier::new(2)))),
        ("once_cell", Box::new(making)),
        ("oneshot", Box::new(single)),
        ("broadcast", Box::new(broadcast)),
        ("watch", Box::new(watching)),
    ]
}

/// When the one who waits is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Never,
    Before,
    Waiting,
    /// After it was brought, and before it has run.
    Brought,
}

const MOMENTS: [Moment; 4] = [
    Moment::Never,
    Moment::Before,
    Moment::Waiting,
    Moment::Brought,
];

fn attempt(case: &dyn Case, what: &str, moment: Moment, is_shielded: bool) {
    let had = AtomicBool::new(false);
    let ran = run_blocking(|s| {
        let waiter = s.launch(|s| {
            if moment == Moment::Before {
                s.cancel();
            }
            let result = if is_shielded {
                non_cancellable(|_| case.wait())
            } else {
                case.wait()
            };
            had.store(result.is_ok(), Ordering::Relaxed);
            if let Err(error) = &result {
                assert!(error.is_cancelled(), "{what}: {error}");
            }
        });
        settle()?;
        if moment == Moment::Waiting {
            waiter.cancel();
            settle()?;
        }
        case.bring();
        if moment == Moment::Brought {
            waiter.cancel();
        }
        waiter.join()
    });
    ran.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let had = had.into_inner();
    let expected = match moment {
        Moment::Never => true,
        Moment::Before | Moment::Waiting => is_shielded,
        Moment::Brought => is_shielded || case.is_received(),
    };
    assert_eq!(had, expected, "{what}");
    case.demand_whole(had);
}

#[test]
fn every_wait_meets_a_cancellation_at_every_moment_and_nothing_is_lost() {
    for moment in MOMENTS {
        for is_shielded in [false, true] {
            for (name, case) in cases() {
                let what = format!("{name} {moment:?} shielded: {is_shielded}");
                attempt(&*case, &what, moment, is_shielded);
            }
        }
    }
}

/// The same against another thread: whichever comes first, what was brought is had once or is there.
#[test]
fn every_wait_meets_a_cancellation_from_another_thread_and_nothing_is_lost() {
    for round in 0..100 {
        for (name, case) in cases() {
            let (starts, had) = (AtomicBool::new(false), AtomicBool::new(false));
            std::thread::scope(|threads| {
                let bringer = threads.spawn(|| {
                    until(|| starts.load(Ordering::Acquire));
                    for _ in 0..round {
                        std::hint::spin_loop();
                    }
                    case.bring();
                });
                with_context(Dispatchers::default(), |s| {
                    let waiter = s.launch(|_| {
                        starts.store(true, Ordering::Release);
                        had.store(case.wait().is_ok(), Ordering::Relaxed);
                    });
                    until(|| starts.load(Ordering::Acquire));
                    if round % 3 != 0 {
                        yield_()?;
                    }
                    waiter.cancel();
                    waiter.join()
                })
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
                bringer.join().unwrap();
            });
            case.demand_whole(had.into_inner());
        }
    }
}
