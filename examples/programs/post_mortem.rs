//! Program 10. The post-mortem: an endpoint launches into a singleton scope with a plain Job. One request fails, and
//! every later one does nothing. Then four cures.
//!
//! In Kotlin: `object Mailer { val scope = CoroutineScope(Job()) }`, `fun handle(r) { scope.launch { process(r) } }`:
//! after the first failure the scope is dead, and says nothing. Here the result is the same, but it is said.

use switchback::prelude::*;

use super::log::{Log, say};

fn process(log: &Log, request: u32) -> Result<()> {
    if request == 2 {
        return Err(Error::msg("request 2 is malformed"));
    }
    say!(log, "request {request} is processed");
    Ok(())
}

/// Launches what a request asks for, and answers at once that it was accepted.
struct Endpoint {
    scope: CoroutineScope,
    log: Log,
}

impl Endpoint {
    fn new(scope: CoroutineScope, log: &Log) -> Self {
        let log = log.clone();
        Self { scope, log }
    }

    /// A `try` around the launch would catch nothing: it has not failed when `launch` returns, and here its type says so.
    fn accept(&self, request: u32) -> Job {
        let log = self.log.clone();
        self.scope.launch(move |_| process(&log, request))
    }

    /// The fourth cure: the failure ends where it happens.
    fn accept_and_catch(&self, request: u32) -> Job {
        let log = self.log.clone();
        self.scope.launch(move |_| {
            if let Err(error) = process(&log, request) {
                say!(log, "caught inside: {error}");
            }
        })
    }
}

fn plain_job() -> CoroutineScope {
    CoroutineScope::new(Dispatchers::default() + Job::by_hand())
}

fn the_accident(log: &Log) -> Result<()> {
    let endpoint = Endpoint::new(plain_job(), log);
    for request in 1..=4 {
        let job = endpoint.accept(request);
        job.join()?;
        say!(
            log,
            "request {request}: cancelled {}, the scope is alive {}",
            job.is_cancelled(),
            endpoint.scope.is_active()
        );
    }
    Ok(())
}

fn with_a_supervisor_job(log: &Log) -> Result<()> {
    let context = Dispatchers::default() + SupervisorJob::new();
    let endpoint = Endpoint::new(CoroutineScope::new(context), log);
    for request in 1..=3 {
        endpoint.accept(request).join()?;
    }
    Ok(())
}

fn with_a_supervisor_scope(log: &Log) -> Result<()> {
    let scope = plain_job();
    let own_log = log.clone();
    let batch = scope.launch(move |_| {
        let log = &own_log;
        supervisor_scope(|s| {
            for request in 1..=3 {
                s.launch(move |_| process(log, request)).join()?;
            }
            Ok(())
        })
    });
    batch.join()?;
    say!(log, "the scope is alive {}", scope.is_active());
    Ok(())
}

/// The handler waits for what it started, so the failure is its own answer.
fn as_a_suspending_handler(log: &Log) -> Result<()> {
    let handle = |request| {
        coroutine_scope(|s| {
            s.launch(move |_| process(log, request));
            Ok(())
        })
    };
    run_blocking(|_| {
        for request in 1..=3 {
            match handle(request) {
                Ok(()) => say!(log, "200 for request {request}"),
                Err(error) => say!(log, "400 for request {request}: {error}"),
            }
        }
        Ok(())
    })
}

fn with_a_catch_inside(log: &Log) -> Result<()> {
    let endpoint = Endpoint::new(plain_job(), log);
    for request in 1..=3 {
        endpoint.accept_and_catch(request).join()?;
    }
    say!(log, "the scope is alive {}", endpoint.scope.is_active());
    Ok(())
}

/// The runtime's messages without what differs from run to run.
fn retell(message: &str) -> String {
    assert!(message.contains("post_mortem.rs:"), "{message}");
    assert!(message.contains("request 2 is malformed"), "{message}");
    let what = if message.contains("will never run") {
        "a launch that will never run, where it stands, and why"
    } else {
        "an uncaught failure"
    };
    format!("{what}: request 2 is malformed")
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    let _hearing = log.hear_the_runtime(retell);
    say!(log, "- the accident");
    the_accident(&log)?;
    say!(log, "- a SupervisorJob");
    with_a_supervisor_job(&log)?;
    say!(log, "- a supervisor_scope inside");
    with_a_supervisor_scope(&log)?;
    say!(log, "- the handler as a suspending function");
    as_a_suspending_handler(&log)?;
    say!(log, "- caught inside the launch");
    with_a_catch_inside(&log)?;
    log.assert(&[
        "- the accident",
        "request 1 is processed",
        "request 1: cancelled false, the scope is alive true",
        "told: an uncaught failure: request 2 is malformed",
        "request 2: cancelled true, the scope is alive false",
        "told: a launch that will never run, where it stands, and why: request 2 is malformed",
        "request 3: cancelled true, the scope is alive false",
        "request 4: cancelled true, the scope is alive false",
        "- a SupervisorJob",
        "request 1 is processed",
        "told: an uncaught failure: request 2 is malformed",
        "request 3 is processed",
        "- a supervisor_scope inside",
        "request 1 is processed",
        "told: an uncaught failure: request 2 is malformed",
        "request 3 is processed",
        "the scope is alive true",
        "- the handler as a suspending function",
        "request 1 is processed",
        "200 for request 1",
        "400 for request 2: request 2 is malformed",
        "request 3 is processed",
        "200 for request 3",
        "- caught inside the launch",
        "request 1 is processed",
        "caught inside: request 2 is malformed",
        "request 3 is processed",
        "the scope is alive true",
    ]);
    Ok(log)
}
