//! Ticks.

use std::time::{Duration, Instant};

use switchback::prelude::*;
use switchback::testing::{current_time, run_test};
use switchback::time::{Interval, MissedTicks, interval};

use crate::watchdog::Watchdog;

/// The virtual seconds at which ticks come, if the work after the second one takes 25 seconds.
fn seconds(mut ticks: Interval) -> Vec<u64> {
    let mut seen = Vec::new();
    run_test(|_| {
        for round in 0..6 {
            ticks.tick()?;
            seen.push(current_time().as_secs());
            if round == 1 {
                delay(Duration::from_secs(25))?;
            }
        }
        Ok(())
    })
    .unwrap();
    seen
}

#[test]
fn missed_ticks_burst_delay_or_are_skipped() {
    let every = |missed| interval(Duration::from_secs(10)).missed(missed);
    assert_eq!(seconds(every(MissedTicks::Burst)), [0, 10, 35, 35, 40, 50]);
    assert_eq!(seconds(every(MissedTicks::Delay)), [0, 10, 35, 45, 55, 65]);
    assert_eq!(seconds(every(MissedTicks::Skip)), [0, 10, 35, 40, 50, 60]);
    let later = every(MissedTicks::Burst).first_after(Duration::from_secs(3));
    assert_eq!(seconds(later), [3, 13, 38, 38, 43, 53]);
}

#[test]
fn ticks_come_in_time_on_the_loop_on_the_pools_and_on_a_plain_thread() {
    let _watchdog = Watchdog::new();
    let ticks = || -> Result<()> {
        let start = Instant::now();
        let mut ticks = interval(ms(3));
        for round in 0..10 {
            ticks.tick()?;
            assert!(start.elapsed() >= ms(3 * round));
        }
        Ok(())
    };
    run_blocking(|s| {
        s.launch(|_| ticks());
        for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
            s.builder().dispatcher(dispatcher).launch(|_| ticks());
        }
        Ok(())
    })
    .unwrap();
    ticks().unwrap();
}

#[test]
fn a_cancelled_tick_is_not_lost() {
    run_test(|_| {
        let mut ticks = interval(Duration::from_secs(10));
        ticks.tick()?;
        let cut = with_timeout_or_none(Duration::from_secs(4), |_| ticks.tick())?;
        assert!(cut.is_none());
        ticks.tick()?;
        assert_eq!(current_time().as_secs(), 10);
        Ok(())
    })
    .unwrap();
}

#[test]
#[should_panic(expected = "an interval has a period")]
fn a_period_of_zero_is_refused() {
    let _ = interval(Duration::ZERO);
}
