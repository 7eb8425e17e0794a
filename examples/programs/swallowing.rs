//! Program 14. A loop that swallows every error, under a timeout. In Kotlin it does not end, and nothing says why.
//!
//! In Kotlin: `withTimeout(1000) { while (true) { try { delay(100); poll() } catch (e: Exception) { println(e) } } }`:
//! the `catch` swallows the cancellation, again and again. So does this one; but it is named, with the line. Then the
//! two cures: give a cancellation on, or ask in the loop.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// Whether the runtime has named the loop that goes on and on. In an ordinary program nothing would end that loop.
static NAMED: AtomicBool = AtomicBool::new(false);

/// The line of the call that returns the cancellation again and again.
static LINE: AtomicU32 = AtomicU32::new(0);

/// Fails each third time.
fn poll(round: u32) -> Result<()> {
    LINE.store(line!() + 1, Ordering::Relaxed);
    delay(ms(300))?;
    if round.is_multiple_of(3) {
        return Err(Error::msg(format!("round {round} has failed")));
    }
    Ok(())
}

fn swallow_everything(log: &Log) -> Result<()> {
    let mut swallowed = 0;
    let mut round = 0;
    while !NAMED.load(Ordering::Acquire) {
        round += 1;
        if let Err(error) = poll(round) {
            swallowed += 1;
            if swallowed <= 2 {
                say!(log, "swallowed: {error:#}");
            }
        }
    }
    say!(log, "swallowed hundreds more: {}", swallowed > 100);
    Ok(())
}

/// The first cure: what is a cancellation is given on.
fn give_it_on(log: &Log) -> Result<()> {
    for round in 1.. {
        match poll(round) {
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => say!(log, "swallowed: {error}"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// The second cure: the loop asks.
fn ask(log: &Log) -> Result<()> {
    let mut round = 0;
    while is_active() {
        round += 1;
        if let Err(error) = poll(round) {
            say!(log, "swallowed: {error:#}");
        }
    }
    say!(log, "is not active");
    Ok(())
}

/// The warning without what differs from run to run: it names the line.
fn retell(message: &str) -> String {
    let place = format!("swallowing.rs:{}:", LINE.load(Ordering::Relaxed));
    assert!(message.contains(&place), "{message}");
    assert!(message.contains("poller"), "{message}");
    NAMED.store(true, Ordering::Release);
    String::from("the poller ignores its cancellation, and in which line")
}

pub fn run() -> Result<Log> {
    type Work = fn(&Log) -> Result<()>;
    let ways: [(&str, Work); 3] = [
        ("swallow everything", swallow_everything),
        ("give it on", give_it_on),
        ("ask", ask),
    ];
    let log = Log::timed();
    let _hearing = log.hear_the_runtime(retell);
    NAMED.store(false, Ordering::Release);
    for (way, work) in ways {
        run_test(|s| {
            say!(log, "- {way}");
            let poller = s.builder().name("poller").launch(|_| {
                let late = with_timeout(ms(1000), |_| work(&log)).unwrap_err();
                assert!(late.is_timeout());
                say!(log, "ended: {late}");
            });
            poller.join()
        })?;
    }
    log.assert(&[
        "    0 ms  - swallow everything",
        "  900 ms  swallowed: round 3 has failed",
        " 1000 ms  swallowed: cancelled: timed out after 1s",
        " 1000 ms  told: the poller ignores its cancellation, and in which line",
        " 1000 ms  swallowed hundreds more: true",
        " 1000 ms  ended: timed out after 1s",
        "    0 ms  - give it on",
        "  900 ms  swallowed: round 3 has failed",
        " 1000 ms  ended: timed out after 1s",
        "    0 ms  - ask",
        "  900 ms  swallowed: round 3 has failed",
        " 1000 ms  swallowed: cancelled: timed out after 1s",
        " 1000 ms  is not active",
        " 1000 ms  ended: timed out after 1s",
    ]);
    Ok(log)
}
