//! Program 1. The caller goes on before what it has launched, and waiting blocks no thread.
//!
//! In Kotlin: `runBlocking { launch { delay(1000); println("World!") }; println("Hello,") }`, then two suspending calls
//! one after the other, then each in a `launch`.

use std::thread;

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

pub fn run() -> Result<Log> {
    let log = Log::timed();
    say!(log, "- hello, world");
    hello_world(&log)?;
    say!(log, "- one after the other");
    one_after_the_other(&log)?;
    say!(log, "- each in a coroutine");
    each_in_a_coroutine(&log)?;
    log.assert(&[
        "    0 ms  - hello, world",
        "    0 ms  Hello,",
        " 1000 ms  World!",
        "    0 ms  - one after the other",
        " 1000 ms  the first is done",
        " 2000 ms  the second is done",
        " 2000 ms  both calls have returned",
        "    0 ms  - each in a coroutine",
        "    0 ms  both are launched",
        " 1000 ms  the first is done",
        " 1000 ms  the second is done",
    ]);
    Ok(log)
}

fn hello_world(log: &Log) -> Result<()> {
    run_test(|s| {
        s.launch(|_| {
            delay(ms(1000))?;
            say!(log, "World!");
            Ok(())
        });
        say!(log, "Hello,");
        Ok(())
    })
}

// `suspend fun work(..)`. Here it is a function like any other.
fn work(log: &Log, which: &str) -> Result<()> {
    delay(ms(1000))?;
    say!(log, "{which} is done");
    Ok(())
}

fn one_after_the_other(log: &Log) -> Result<()> {
    run_test(|_| {
        work(log, "the first")?;
        work(log, "the second")?;
        say!(log, "both calls have returned");
        Ok(())
    })
}

fn each_in_a_coroutine(log: &Log) -> Result<()> {
    let thread = thread::current().id();
    run_test(|s| {
        for which in ["the first", "the second"] {
            s.launch(move |_| {
                // Both wait at the same time, on the one thread that there is.
                assert_eq!(thread::current().id(), thread);
                work(log, which)
            });
        }
        say!(log, "both are launched");
        Ok(())
    })
}
