//! What a run shows of itself. Two runs agree if their traces are equal, line by line.

use std::fmt::{self, Display, Formatter};

use crate::program::{JobId, StepId};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Virtual milliseconds since the start.
    pub time: u64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The body of a job has begun.
    Began(JobId),
    /// A step is over.
    Did(StepId, Answer),
    /// The body of a job has ended.
    Ended(JobId, Answer),
    /// The exception handler was called for a coroutine.
    Uncaught(JobId, Failure),
    /// A completion handler of a job was called. The step is the one that registered it.
    Handler(StepId, JobId, Option<Failure>),
    /// What became of a job, after everything.
    Final(JobId, State, Option<Failure>, usize),
    /// What `run_test` returned.
    Returned(Answer),
}

/// How a step, or a body, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    /// The `None` of `with_timeout_or_none`.
    TimedOutToNone,
    Err(Failure),
    /// The step names a job that does not exist, or a value that was taken.
    Absent,
    Bool(bool),
    State(State, Option<Failure>),
    Jobs(Vec<JobId>),
    /// The step does not end, but unwinds.
    Unwinds,
}

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A cancellation, and the failure that it comes of, if it tells one.
    Cancelled(Option<Fault>),
    Failed(Fault),
}

/// What went wrong, and in which step if the error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Step(StepId),
    Panic(StepId),
    /// With the limit in milliseconds.
    Timeout(u64),
    /// An awaited job was cancelled.
    Foreign,
    /// None of those: what no program should ever meet.
    Strange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub active: bool,
    pub cancelled: bool,
    pub completed: bool,
}

impl State {
    /// What Kotlin's documents call it.
    pub fn name(self) -> &'static str {
        match (self.active, self.cancelled, self.completed) {
            (false, false, false) => "new",
            (true, false, false) => "active",
            (false, true, false) => "cancelling",
            (false, true, true) => "cancelled",
            (false, false, true) => "completed",
            _ => "a state that there is not",
        }
    }
}

impl Trace {
    pub fn push(&mut self, time: u64, what: What) {
        self.events.push(Event { time, what });
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} ms  {}", self.time, self.what)
    }
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            What::Began(job) => write!(f, "job {job} begins"),
            What::Did(step, answer) => write!(f, "step {step}: {answer}"),
            What::Uncaught(job, failure) => write!(f, "nobody catches of job {job}: {failure}"),
            What::Ended(job, answer) => write!(f, "job {job} ends its body: {answer}"),
            What::Handler(step, job, cause) => {
                write!(f, "handler of step {step}: job {job}: {}", Cause(*cause))
            }
            What::Final(job, state, cause, suppressed) => {
                write!(
                    f,
                    "job {job}: {state}, {}, {suppressed} suppressed",
                    Cause(*cause)
                )
            }
            What::Returned(answer) => write!(f, "run_test returns {answer}"),
        }
    }
}

struct Cause(Option<Failure>);

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(failure) => failure.fmt(f),
            None => f.write_str("no cause"),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Ok => f.write_str("Ok"),
            Answer::TimedOutToNone => f.write_str("None"),
            Answer::Err(failure) => write!(f, "Err({failure})"),
            Answer::Absent => f.write_str("nothing there"),
            Answer::Bool(answer) => answer.fmt(f),
            Answer::State(state, cause) => write!(f, "{state}, {}", Cause(*cause)),
            Answer::Jobs(jobs) => write!(f, "{jobs:?}"),
            Answer::Unwinds => f.write_str("unwinds"),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Cancelled(None) => f.write_str("cancelled"),
            Failure::Cancelled(Some(fault)) => write!(f, "cancelled because of {fault}"),
            Failure::Failed(fault) => fault.fmt(f),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Step(step) => write!(f, "failure of step {step}"),
            Fault::Panic(step) => write!(f, "panic of step {step}"),
            Fault::Timeout(limit) => write!(f, "timeout of {limit} ms"),
            Fault::Foreign => f.write_str("another job's cancellation"),
            Fault::Strange => f.write_str("an error that no step makes"),
        }
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
