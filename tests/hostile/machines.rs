//! State machines and futures that mean no good.

use std::any::Any;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll};

use super::*;
use switchback::CompletableJob;
use switchback::future::block_on;
use switchback::machine::{Slot, StateMachine, Step, Turn};

/// Resumes what it holds when it is taken off a thread.
#[derive(Debug)]
struct Resumes(Arc<Mutex<Option<Continuation<u32>>>>);

impl Element for Resumes {
    fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
        Some(self)
    }
}

impl ThreadContextElement for Resumes {
    fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
        Box::new(())
    }

    fn restore_thread_context(&self, _: &CoroutineContext, _: Box<dyn Any>) {
        if let Some(me) = self.0.lock().unwrap().take() {
            me.resume(7);
        }
    }
}

struct Stores(Arc<Mutex<Option<Continuation<u32>>>>, Slot<u32>);

impl StateMachine for Stores {
    type Output = u32;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u32>> {
        if label == 1 {
            return Ok(Step::Return(self.1.take()?));
        }
        let place = self.0.clone();
        let store = move |me| {
            *place.lock().unwrap() = Some(me);
            Ok(())
        };
        turn.at(1).suspend(store, |me| &mut me.1)
    }
}

#[test]
fn a_machine_is_resumed_by_what_is_restored_as_it_parks() {
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let place = Arc::default();
        let builder = s.builder().context(Resumes(Arc::clone(&place)));
        let value = builder.async_machine(Stores(place, Slot::new()));
        assert_eq!(value.await_()?, 7);
        Ok(())
    })
    .unwrap();
}

/// Ends with a child that somebody else completes.
struct Leaves(Arc<Mutex<Option<CompletableJob>>>);

impl StateMachine for Leaves {
    type Output = ();

    fn resume(&mut self, _: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        *self.0.lock().unwrap() = Some(Job::by_hand_under(&turn.job()));
        Ok(Step::Return(()))
    }
}

/// Whether a thread, named by its folder in `/proc`, waits in the kernel.
fn is_asleep(thread: &Path) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(thread).join("stat")).unwrap();
    // The state follows the name, which stands in parentheses and may contain any.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.trim_start().starts_with('S')
}

#[test]
fn a_host_is_told_of_the_end_of_a_machine_whose_last_child_ends_elsewhere() {
    let _watchdog = Watchdog::new();
    event_loop(|host| {
        let place: Arc<Mutex<Option<CompletableJob>>> = Arc::default();
        let machine = Leaves(place.clone());
        let builder = GlobalScope.builder().dispatcher(host.dispatcher());
        let job = builder.launch_machine(machine);
        host.run_until_idle();
        let child = place.lock().unwrap().take().unwrap();
        let host_thread = std::fs::read_link("/proc/thread-self").unwrap();
        let other = std::thread::spawn(move || {
            // A host that does not sleep yet is not put to the test.
            while !is_asleep(&host_thread) {
                std::thread::yield_now();
            }
            child.complete();
        });
        while !job.is_completed() {
            host.wait(None);
        }
        other.join().unwrap();
    })
    .unwrap();
}

/// Yields until a flag is set.
struct Spins<'a>(&'a AtomicBool);

impl StateMachine for Spins<'_> {
    type Output = ();

    fn resume(&mut self, _: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        turn.woken()?;
        if self.0.load(Ordering::SeqCst) {
            return Ok(Step::Return(()));
        }
        turn.at(1).yield_()
    }
}

#[test]
fn an_unconfined_machine_that_yields_lets_others_run() {
    let _watchdog = Watchdog::new();
    let flag = AtomicBool::new(false);
    run_blocking(|s| {
        let unconfined = s.builder().dispatcher(Dispatchers::unconfined());
        unconfined.launch_machine(Spins(&flag));
        s.launch(|_| flag.store(true, Ordering::SeqCst));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_unconfined_machine_that_yields_gives_a_plain_thread_back() {
    let _watchdog = Watchdog::new();
    static FLAG: AtomicBool = AtomicBool::new(false);
    let job = GlobalScope
        .builder()
        .dispatcher(Dispatchers::unconfined())
        .launch_machine(Spins(&FLAG));
    FLAG.store(true, Ordering::SeqCst);
    job.join().unwrap();
}

/// A future that is never ready before the flag is set, and wakes itself at each poll.
struct WakesItself<'a>(&'a AtomicBool, &'a AtomicU32);

impl Future for WakesItself<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        self.1.fetch_add(1, Ordering::SeqCst);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_future_that_wakes_itself_lets_others_run() {
    let _watchdog = Watchdog::new();
    for by_machine in [false, true] {
        let (flag, polls) = (AtomicBool::new(false), AtomicU32::new(0));
        run_blocking(|s| {
            let future = WakesItself(&flag, &polls);
            if by_machine {
                s.launch_future(future);
            } else {
                s.launch(|_| block_on(future));
            }
            s.launch(|_| flag.store(true, Ordering::SeqCst));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_future_that_wakes_itself_lets_others_run_on_a_plain_thread() {
    let _watchdog = Watchdog::new();
    let (flag, polls) = (AtomicBool::new(false), AtomicU32::new(0));
    run_blocking(|s| {
        s.launch(|_| flag.store(true, Ordering::SeqCst));
        block_on(WakesItself(&flag, &polls))
    })
    .unwrap();
    let (late, polls) = (AtomicBool::new(false), AtomicU32::new(0));
    let waited = std::thread::scope(|threads| {
        threads.spawn(|| {
            while polls.load(Ordering::SeqCst) < 10 {
                std::thread::yield_now();
            }
            late.store(true, Ordering::SeqCst);
        });
        block_on(WakesItself(&late, &polls))
    });
    waited.unwrap();
}

#[test]
fn a_future_that_wakes_itself_is_cancelled() {
    let _watchdog = Watchdog::new();
    for by_machine in [false, true] {
        let (flag, polls) = (AtomicBool::new(false), AtomicU32::new(0));
        run_blocking(|s| {
            let future = WakesItself(&flag, &polls);
            let builder = s.builder().dispatcher(Dispatchers::default());
            let job = if by_machine {
                builder.launch_future(future)
            } else {
                builder.launch(|_| block_on(future))
            };
            while polls.load(Ordering::SeqCst) < 10 {
                std::thread::yield_now();
            }
            job.cancel_and_join()
        })
        .unwrap();
    }
}

/// Asks for the elements of a sequence that fails.
struct Counts;

impl StateMachine for Counts {
    type Output = usize;

    fn resume(&mut self, _: u32, _: &mut Turn<'_, Self>) -> Result<Step<usize>> {
        let broken = sequence(|y| {
            y.yield_(1)?;
            Err(Error::msg("broken"))
        });
        Ok(Step::Return(broken.iter().count()))
    }
}

#[test]
fn a_machine_ends_with_the_failure_that_a_sequence_throws() {
    let _watchdog = Watchdog::new();
    let failed = run_blocking(|s| s.async_machine(Counts).await_()).unwrap_err();
    assert!(!failed.is_panic(), "{failed:?}");
    assert_eq!(failed.to_string(), "broken");
}
