//! The virtual clock.

use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::testing::{current_time, run_test};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn time_jumps_to_the_next_timer_and_keeps_the_order() {
    let real = Instant::now();
    let order = std::sync::Mutex::new(Vec::new());
    run_test(|s| {
        for hours in [3, 1, 2] {
            let order = &order;
            s.launch(move |_| {
                delay(hours * HOUR)?;
                order.lock().unwrap().push((hours, current_time()));
                Ok(())
            });
        }
        delay(HOUR / 2)?;
        assert_eq!(current_time(), HOUR / 2);
        Ok(())
    })
    .unwrap();
    assert_eq!(
        *order.lock().unwrap(),
        [(1, HOUR), (2, 2 * HOUR), (3, 3 * HOUR)]
    );
    assert!(real.elapsed() < HOUR / 2);
}

#[test]
fn a_timeout_goes_off_in_virtual_time() {
    let late = run_test(|_| with_timeout(HOUR, |_| delay(2 * HOUR)));
    assert!(late.unwrap_err().is_timeout());
    let in_time = run_test(|_| {
        with_timeout(2 * HOUR, |_| delay(HOUR))?;
        Ok(current_time())
    });
    assert_eq!(in_time.unwrap(), HOUR);
}

#[test]
fn the_system_clock_is_back_afterwards() {
    run_test(|_| delay(1000 * HOUR)).unwrap();
    assert_eq!(current_time(), Duration::ZERO);
    let begun = Instant::now();
    run_blocking(|_| delay(ms(10))).unwrap();
    let took = begun.elapsed();
    assert!(took >= ms(10) && took < HOUR, "{took:?}");
}

#[test]
fn other_threads_are_waited_for_in_reality() {
    let value = run_test(|_| {
        suspend_coroutine(|continuation| {
            std::thread::spawn(move || {
                std::thread::sleep(ms(5));
                continuation.resume(7);
            });
        })
    });
    assert_eq!(value.unwrap(), 7);
}

#[test]
fn a_loop_that_runs_keeps_its_clock() {
    run_blocking(|_| {
        assert!(run_test(|_| Ok(())).is_err());
        Ok(())
    })
    .unwrap();
}
