//! Races between two threads, hit by chance: so many rounds as met each of them several times before it was closed.

use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::*;
use switchback::CoroutineStart;

static DROPPED_LATE: AtomicUsize = AtomicUsize::new(0);

/// A value that is slow to end, and then looks at what it has borrowed.
struct Borrows<'a>(&'a AtomicU64);

impl Drop for Borrows<'_> {
    fn drop(&mut self) {
        std::thread::sleep(ms(3));
        if self.0.load(Ordering::SeqCst) != 7 {
            DROPPED_LATE.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn spin_until(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
}

/// The caller of `with_context` is kept busy by the start of a thread, while another thread takes the block: so the caller
/// finds it completed when it comes to wait for it.
#[test]
fn a_value_that_with_context_does_not_give_is_gone_when_it_returns() {
    let _watchdog = Watchdog::new();
    for _ in 0..20 {
        let [go, runs]: [Arc<AtomicBool>; 2] = Default::default();
        let (end, begun) = (go.clone(), runs.clone());
        let io = || GlobalScope.builder().dispatcher(Dispatchers::io());
        let busy = io().launch(move |_| {
            begun.store(true, Ordering::SeqCst);
            spin_until(&end);
        });
        spin_until(&runs);
        let borrowed = AtomicU64::new(7);
        go.store(true, Ordering::SeqCst);
        let cancelled = with_context(Dispatchers::io(), |s| {
            s.cancel();
            Ok(Borrows(&borrowed))
        });
        borrowed.store(0, Ordering::SeqCst);
        assert!(cancelled.is_err());
        busy.join().unwrap();
        // Two more take the two threads for good; both are idle by now, or this round and the next are for nothing.
        for _ in 0..2 {
            std::thread::sleep(ms(3));
            io().launch(|_| delay(ms(600_000)));
        }
    }
    assert_eq!(DROPPED_LATE.load(Ordering::SeqCst), 0);
}

static MADE: AtomicUsize = AtomicUsize::new(0);
static GONE: AtomicUsize = AtomicUsize::new(0);

struct Counted(#[allow(dead_code)] Box<u8>);

impl Counted {
    fn new() -> Self {
        MADE.fetch_add(1, Ordering::SeqCst);
        Self(Box::new(1))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        GONE.fetch_add(1, Ordering::SeqCst);
    }
}

/// The launcher sees that its scope is cancelled; the canceller's walk finds the child, which is New.
#[test]
fn a_lazy_child_of_a_scope_that_is_cancelled_meanwhile_is_dropped_once() {
    let _watchdog = Watchdog::new();
    const ROUNDS: usize = 5_000;
    let round = AtomicUsize::new(0);
    let job: Mutex<Option<Job>> = Mutex::new(None);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for turn in 1..=ROUNDS {
                while round.load(Ordering::SeqCst) < turn {
                    std::hint::spin_loop();
                }
                let job = job.lock().unwrap().clone().unwrap();
                for _ in 0..(turn * 7 % 300) {
                    std::hint::spin_loop();
                }
                job.cancel();
            }
        });
        for turn in 1..=ROUNDS {
            let ended: Result<()> = coroutine_scope(|s| {
                *job.lock().unwrap() = Some(s.job());
                round.store(turn, Ordering::SeqCst);
                for _ in 0..30 {
                    let counted = Counted::new();
                    let builder = s.builder().start(CoroutineStart::Lazy);
                    builder.launch(move |_| drop(counted));
                }
                while s.is_active() {
                    std::hint::spin_loop();
                }
                Ok(())
            });
            assert!(ended.is_err());
            assert_eq!(MADE.load(Ordering::SeqCst), GONE.load(Ordering::SeqCst));
        }
    });
}

/// The context of the parent goes when it completes, at the moment in which the launcher copies it.
#[test]
fn a_job_that_completes_may_be_given_children() {
    let _watchdog = Watchdog::new();
    for round in 0..500 {
        let name = format!("a name on the heap, number {round}");
        let job = GlobalScope.builder().name(name).launch(|_| ());
        let scope = CoroutineScope::new(job.clone());
        // Not for ever: each child keeps it from completing.
        for _ in 0..100 {
            scope.launch(|_| ());
            if job.is_completed() {
                break;
            }
        }
        job.join().unwrap();
        assert!(scope.launch(|_| ()).is_cancelled());
    }
}
