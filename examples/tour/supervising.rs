//! In a plain scope the first failure is everybody's. Under a supervisor each child answers for itself.

use std::time::Instant;

use switchback::prelude::*;

use crate::output::{row, time};

const MIRRORS: [&str; 3] = ["north", "south", "west"];

fn ask(mirror: &str) -> Result<usize> {
    delay(ms(10))?;
    match mirror {
        "south" => Err(Error::msg("south does not answer")),
        _ => Ok(mirror.len()),
    }
}

/// What the mirrors say, each on its own.
fn ask_each() -> Result<Vec<Result<usize>>> {
    supervisor_scope(|s| {
        let asked = MIRRORS.map(|mirror| s.async_(move |_| ask(mirror)));
        Ok(asked.into_iter().map(|answer| answer.await_()).collect())
    })
}

/// All or nothing, and something slow beside it that is cut short by the failure.
fn ask_all() -> Result<()> {
    coroutine_scope(|s| {
        for mirror in MIRRORS {
            s.launch(move |_| ask(mirror).map(drop));
        }
        delay(ms(10_000))
    })
}

pub fn stop() -> Result<()> {
    let answers = ask_each()?;
    let good = answers.iter().flatten().count();
    let failures: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .collect();
    assert_eq!((good, failures.len()), (2, 1));

    let start = Instant::now();
    let failure = ask_all().unwrap_err();
    let took = start.elapsed();
    assert_eq!(failure.to_string(), "south does not answer");
    assert!(took < ms(5_000));

    row(
        "supervisor_scope",
        format!("{good} answers, and Err: {}", failures[0]),
    );
    row("coroutine_scope", format!("Err: {failure}"));
    row("which ended a sibling's wait of 10 s after", time(took));
    Ok(())
}
