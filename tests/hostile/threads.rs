//! Closures that are not `Send`, and work that waits while threads sleep.

use std::rc::Rc;
use std::thread::{self, ThreadId};

use super::*;
use switchback::new_fixed_thread_pool_context;

#[test]
fn a_local_coroutine_that_waits_for_its_view_keeps_its_loop() {
    let _watchdog = Watchdog::new();
    let scope = CoroutineScope::new(Dispatchers::default().limited_parallelism(1));
    let (running, runs) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    // Holds the one slot of the view.
    let holder = scope.launch(move |_| {
        running.send(()).unwrap();
        ended.recv().unwrap();
    });
    runs.recv().unwrap();
    let seen: Arc<Mutex<Vec<(ThreadId, ThreadId)>>> = Arc::default();
    let list = seen.clone();
    let local = thread::spawn(move || {
        run_blocking(|_| {
            let made = Rc::new(thread::current().id());
            scope.launch_local(move |_| {
                list.lock().unwrap().push((*made, thread::current().id()));
            });
            // The loop has nothing else to do once this has returned.
            GlobalScope.launch(move |_| {
                delay(ms(20))?;
                end.send(()).unwrap();
                Ok(())
            });
            Ok(())
        })
        .unwrap();
    });
    local.join().unwrap();
    holder.join().unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, seen[0].1);
}

#[test]
fn a_third_worker_takes_what_two_busy_ones_leave() {
    let _watchdog = Watchdog::new();
    let pool = new_fixed_thread_pool_context(4, "four").unwrap();
    let begun = with_context(pool.dispatcher(), |s| {
        // The others fall asleep meanwhile.
        delay(ms(20))?;
        let second = Arc::new(AtomicBool::new(false));
        let flag = second.clone();
        let until = Instant::now() + Duration::from_secs(20);
        let seen = second.clone();
        let wait = move |flag: &AtomicBool| {
            while !flag.load(Ordering::SeqCst) && Instant::now() < until {
                thread::yield_now();
            }
            flag.load(Ordering::SeqCst)
        };
        s.launch(move |_| {
            wait(&seen);
        });
        s.launch(move |_| flag.store(true, Ordering::SeqCst));
        // Neither this one nor the first child suspends before the second has begun.
        Ok(wait(&second))
    });
    assert!(begun.unwrap());
}
