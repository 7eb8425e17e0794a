//! Program 22. Several sources at once: all or nothing, what there is, and the first to answer.
//!
//! In Kotlin: `ids.map { async { user(it) } }.awaitAll()`; `supervisorScope` with `runCatching { it.await() }` for a
//! dashboard; a search over several indices with a limit for each.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

fn user(id: u32) -> Result<String> {
    delay(ms(100 * u64::from(id)))?;
    match id {
        4 => Err(Error::msg("there is no user 4")),
        _ => Ok(format!("user {id}")),
    }
}

/// All of them, or the first failure, at once.
fn select_users(ids: &[u32]) -> Result<Vec<String>> {
    coroutine_scope(|s| {
        let users = ids.iter().map(|&id| s.async_(move |_| user(id)));
        await_all(users.collect::<Vec<_>>())
    })
}

/// The parts of a dashboard, each of which may be missing.
struct Dashboard {
    user: String,
    weather: Result<String>,
    news: Result<Vec<&'static str>>,
}

fn weather() -> Result<String> {
    delay(ms(200))?;
    Err(Error::msg("the station is silent"))
}

fn news() -> Result<Vec<&'static str>> {
    delay(ms(300))?;
    Ok(vec!["first", "second"])
}

/// Without a user there is no dashboard; what else fails leaves a gap.
fn dashboard(id: u32) -> Result<Dashboard> {
    supervisor_scope(|s| {
        let user = s.async_(move |_| user(id));
        let weather = s.async_(|_| weather());
        let news = s.async_(|_| news());
        Ok(Dashboard {
            user: user.await_()?,
            weather: weather.await_(),
            news: news.await_(),
        })
    })
}

const SOURCES: [(&str, u64); 4] = [
    ("books", 100),
    ("films", 250),
    ("maps", 9000),
    ("music", 50),
];

fn ask(source: &str, time: u64, word: &str) -> Result<Vec<String>> {
    delay(ms(time))?;
    match source {
        "music" => Err(Error::msg("the index is being rebuilt")),
        _ => Ok(vec![format!("{word} in {source}")]),
    }
}

/// What the sources have found, and the names of those that have failed or were too slow.
fn search(word: &str) -> Result<(Vec<String>, Vec<String>)> {
    supervisor_scope(|s| {
        let asked = SOURCES.map(|(source, time)| {
            let found = s.async_(move |_| with_timeout(ms(500), |_| ask(source, time, word)));
            (source, found)
        });
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (source, answer) in asked {
            match answer.await_() {
                Ok(hits) => found.extend(hits),
                Err(error) if error.is_timeout() => missing.push(format!("{source} (too slow)")),
                Err(error) => missing.push(format!("{source} ({error})")),
            }
        }
        Ok((found, missing))
    })
}

fn show_dashboard(log: &Log, id: u32) {
    match dashboard(id) {
        Err(error) => say!(log, "no dashboard: {error}"),
        Ok(Dashboard {
            user,
            weather,
            news,
        }) => {
            let weather = weather.unwrap_or_else(|error| format!("none, {error}"));
            let news = news.map_or(0, |news| news.len());
            say!(log, "dashboard of {user}; weather: {weather}; news: {news}");
        }
    }
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    run_test(|_| {
        say!(log, "selected {:?}", select_users(&[3, 1, 2])?);
        let failure = select_users(&[9, 4, 1]).unwrap_err();
        say!(log, "selected nothing: {failure}");
        Ok(())
    })?;
    run_test(|_| {
        show_dashboard(&log, 1);
        show_dashboard(&log, 4);
        Ok(())
    })?;
    run_test(|_| {
        let (found, missing) = search("sea")?;
        say!(log, "found {found:?}");
        say!(log, "missing {missing:?}");
        Ok(())
    })?;
    log.assert(&[
        r#"  300 ms  selected ["user 3", "user 1", "user 2"]"#,
        r#"  700 ms  selected nothing: there is no user 4"#,
        r#"  300 ms  dashboard of user 1; weather: none, the station is silent; news: 2"#,
        r#"  700 ms  no dashboard: there is no user 4"#,
        r#"  500 ms  found ["sea in books", "sea in films"]"#,
        r#"  500 ms  missing ["maps (too slow)", "music (the index is being rebuilt)"]"#,
    ]);
    Ok(log)
}
