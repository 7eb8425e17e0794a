//! What the programs reach. What they do not reach, they do not check.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::{Program, StepId};
use crate::trace::{Answer, Failure, Fault, What};
use crate::{generate, model};

const PROGRAMS: u64 = 60_000;

const FAILURES: [&str; 4] = ["timeout", "failure", "panic", "another"];

#[test]
fn programs_reach_every_answer_of_every_step_and_few_come_to_no_end() {
    let (seen, stuck) = run_all();
    assert!(
        stuck < PROGRAMS / 20,
        "{stuck} of {PROGRAMS} programs are of no use"
    );
    let mut wanted = Vec::new();
    let mut want = |what: &[&str], answers: &[&str]| {
        for what in what {
            wanted.extend(answers.iter().map(|answer| format!("{what}: {answer}")));
        }
    };
    let scopes = [
        "coroutine_scope",
        "supervisor_scope",
        "with_timeout",
        "with_timeout_or_none",
        "non_cancellable",
        "with_context",
        "run_blocking",
    ];
    want(&scopes, &FAILURES);
    want(&scopes, &["Ok", "cancelled", "unwinds"]);
    want(&["with_timeout_or_none"], &["None"]);
    let waits = [
        "delay",
        "yield_",
        "join",
        "cancel_and_join",
        "await_",
        "await_ref",
    ];
    want(&waits, &["Ok", "cancelled"]);
    want(&["await_", "await_ref", "get_completed"], &FAILURES);
    want(&["await_cancellation", "ensure_active"], &["cancelled"]);
    want(
        &["start", "complete", "complete_exceptionally", "is_active"],
        &["true", "false"],
    );
    want(
        &["invoke_on_completion", "invoke_on_cancelling", "dispose"],
        &["Ok"],
    );
    want(&["children", "parent"], &["some", "none"]);
    let bodies = [
        "launch",
        "async_",
        "lazy",
        "atomic",
        "undispatched",
        "coroutine_scope",
    ];
    want(&bodies, &["begins", "does not begin"]);
    want(&["handler", "final"], &FAILURES);
    want(&["handler", "final"], &["no cause", "cancelled"]);
    want(&["uncaught"], &FAILURES);
    want(&["suppressed"], &["0", "1", "2"]);
    want(
        &["state"],
        &["new", "active", "cancelling", "cancelled", "completed"],
    );
    let missing: Vec<_> = wanted.iter().filter(|one| !seen.contains(*one)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// What was reached, and how many programs the model could not end.
fn run_all() -> (BTreeSet<String>, u64) {
    let mut seen = BTreeSet::new();
    let mut stuck = 0;
    for seed in 0..PROGRAMS {
        let program = generate::program(seed);
        match model::run(&program) {
            Ok(trace) => {
                let events = trace.events.into_iter().map(|event| event.what);
                note(&program, events, &mut seen);
            }
            Err(model::Stuck) => stuck += 1,
        }
    }
    (seen, stuck)
}

fn note(program: &Program, events: impl Iterator<Item = What>, seen: &mut BTreeSet<String>) {
    let steps = program.steps();
    let names: BTreeMap<StepId, String> = steps
        .iter()
        .map(|step| (step.id, first_word(&step.op.to_string())))
        .collect();
    let step_of_job: BTreeMap<_, _> = steps
        .iter()
        .filter_map(|step| Some((step.op.job_with_body()?, step.id)))
        .collect();
    let mut begun: BTreeSet<StepId> = BTreeSet::new();
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    for what in events {
        match what {
            What::Did(step, answer) => {
                done.insert(step);
                seen.insert(format!("{}: {}", names[&step], answer_kind(&answer)));
                if let Answer::State(state, _) = answer {
                    seen.insert(format!("state: {}", state.name()));
                }
            }
            What::Began(job) => {
                begun.extend(step_of_job.get(&job));
            }
            What::Ended(job, Answer::Unwinds) => {
                if let Some(step) = step_of_job.get(&job) {
                    seen.insert(format!("{}: unwinds", names[step]));
                }
            }
            What::Uncaught(_, failure) => {
                seen.insert(format!("uncaught: {}", kind(Some(failure))));
            }
            What::Handler(_, _, cause) => {
                seen.insert(format!("handler: {}", kind(cause)));
            }
            What::Final(_, _, cause, suppressed) => {
                seen.insert(format!("final: {}", kind(cause)));
                seen.insert(format!("suppressed: {suppressed}"));
            }
            What::Ended(..) | What::Returned(_) => {}
        }
    }
    for step in step_of_job.values().filter(|step| done.contains(*step)) {
        let begins = if begun.contains(step) {
            "begins"
        } else {
            "does not begin"
        };
        seen.insert(format!("{}: {begins}", names[step]));
    }
}

fn first_word(text: &str) -> String {
    let word = text.split([' ', ':']).next();
    word.expect("no step has an empty name").to_owned()
}

fn answer_kind(answer: &Answer) -> String {
    match answer {
        Answer::Err(failure) => kind(Some(*failure)).to_owned(),
        Answer::Jobs(jobs) if jobs.is_empty() => "none".to_owned(),
        Answer::Jobs(_) => "some".to_owned(),
        other => other.to_string(),
    }
}

fn kind(failure: Option<Failure>) -> &'static str {
    match failure {
        None => "no cause",
        Some(Failure::Cancelled(_)) => "cancelled",
        Some(Failure::Failed(Fault::Timeout(_))) => "timeout",
        Some(Failure::Failed(Fault::Step(_))) => "failure",
        Some(Failure::Failed(Fault::Panic(_))) => "panic",
        Some(Failure::Failed(Fault::Foreign)) => "another",
        Some(Failure::Failed(Fault::Strange)) => "strange",
    }
}
