//! A time limit cancels what runs under it, and waits for its cleanup.

use switchback::prelude::*;

use crate::output::row;

fn ask_the_oracle(patience: u64) -> Result<&'static str> {
    delay(ms(patience))?;
    Ok("the answer")
}

pub fn stop() -> Result<()> {
    let in_time = with_timeout(ms(1_000), |_| ask_the_oracle(1))?;
    assert_eq!(in_time, "the answer");

    // A timeout is a failure, so it cannot be mistaken for a cancellation and vanish.
    let late = with_timeout(ms(20), |_| ask_the_oracle(10_000)).unwrap_err();
    assert!(late.is_timeout() && !late.is_cancelled());

    let maybe = with_timeout_or_none(ms(20), |_| ask_the_oracle(10_000))?;
    assert_eq!(maybe, None);

    row("with_timeout, in time", in_time);
    row("with_timeout, too late", format!("Err: {late}"));
    row("with_timeout_or_none, too late", format!("{maybe:?}"));
    Ok(())
}
