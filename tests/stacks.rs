//! What becomes of a stack when its coroutine has ended.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use switchback::prelude::*;

/// Where the caller's frame is, to within a few bytes: the same each time for what runs as deep on the same stack.
#[inline(never)]
fn place() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(black_box(&here)).addr()
}

#[test]
fn those_that_start_one_by_one_run_on_the_same_stack() {
    run_blocking(|s| {
        let first = s.async_(|_| Ok(place())).await_()?;
        for _ in 0..100 {
            assert_eq!(s.async_(|_| Ok(place())).await_()?, first);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stack_whose_coroutine_waits_is_nobody_elses() {
    run_blocking(|s| {
        // On the stack that rests.
        s.launch(|_| ()).join()?;
        let tokens = [1_u64, 2, 3].map(|token| {
            s.async_(move |_| {
                let kept = black_box([token; 64]);
                let before = place();
                yield_()?;
                assert_eq!(place(), before);
                yield_()?;
                assert!(kept.iter().all(|kept| *kept == token));
                Ok(before)
            })
        });
        let places: HashSet<usize> = await_all(tokens)?.into_iter().collect();
        assert_eq!(places.len(), 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_several_that_end_together_no_stack_is_lost() {
    run_blocking(|s| {
        let mut places = HashSet::new();
        for _ in 0..100 {
            let three = [(); 3].map(|()| {
                s.async_(|_| {
                    yield_()?;
                    Ok(place())
                })
            });
            places.extend(await_all(three)?);
        }
        assert!(
            places.len() < 20,
            "{} stacks for three at a time",
            places.len()
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stack_that_rests_is_not_for_those_of_another_size() {
    run_blocking(|s| {
        s.launch(|_| ()).join()?;
        let large = s.builder().stack_size(4 << 20).async_(|_| {
            // More than the others have.
            let deep = black_box([1_u8; 512 << 10]);
            Ok(deep.iter().map(|byte| usize::from(*byte)).sum::<usize>())
        });
        assert_eq!(large.await_()?, 512 << 10);
        s.launch(|_| ()).join()
    })
    .unwrap();
}

#[test]
fn a_view_that_limits_how_many_run_does_so_where_a_stack_rests() {
    let narrow = Dispatchers::default().limited_parallelism(1);
    let (running, most) = (Mutex::new(0), Mutex::new(0));
    run_blocking(|s| {
        for _ in 0..50 {
            // Plain ones and limited ones in turns, on the same workers, so that either would find the stack of the other.
            let plain = s.builder().context(Dispatchers::default());
            plain.launch(|_| ()).join()?;
            let (running, most) = (&running, &most);
            let job = s.builder().context(narrow.clone()).launch(move |s| {
                for _ in 0..4 {
                    s.launch(move |_| {
                        let now = {
                            let mut running = running.lock().unwrap();
                            *running += 1;
                            *running
                        };
                        // So long that two workers would do it at the same time.
                        let start = Instant::now();
                        while start.elapsed() < Duration::from_micros(20) {
                            std::hint::spin_loop();
                        }
                        let mut most = most.lock().unwrap();
                        *most = (*most).max(now);
                        drop(most);
                        *running.lock().unwrap() -= 1;
                    });
                }
                Ok(())
            });
            job.join()?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(*most.lock().unwrap(), 1);
}

#[test]
fn a_thread_that_ends_gives_back_the_stack_that_rests_on_it() {
    let mut places = HashSet::new();
    for _ in 0..100 {
        let thread = std::thread::spawn(|| run_blocking(|s| s.async_(|_| Ok(place())).await_()));
        places.insert(thread.join().unwrap().unwrap());
    }
    // Other tests take stacks meanwhile, but not a hundred.
    assert!(places.len() < 50, "{} stacks for 100 threads", places.len());
}
