//! Random programs as data: what the model and the library both run, what is printed when they differ, and what is cut
//! down until no smaller program shows the difference.
//!
//! Every job of a program has a number, and every step one. A body runs at most once, so the numbers say at run time
//! what they say in the text. A step that names a job which does not exist yet is passed over, in the model and in the
//! library alike: that is why any step may be cut out of a program without making it a wrong one.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// A job of the program. The scope of the root is job 0.
pub type JobId = usize;

/// A step of the program, in the order of the text.
pub type StepId = usize;

#[derive(Clone, Debug)]
pub struct Program {
    /// How many numbers of jobs there are.
    pub jobs: usize,
    pub root: Body,
}

pub type Body = Arc<Vec<Step>>;

#[derive(Clone, Debug)]
pub struct Step {
    pub id: StepId,
    /// An `Err` of this step is caught; any other is carried out of the body with `?`.
    pub caught: bool,
    pub op: Op,
}

#[derive(Clone, Debug)]
pub enum Op {
    /// `launch` or `async_`.
    Launch(Launch),
    /// A scope function around a body.
    Scope {
        job: JobId,
        kind: ScopeKind,
        /// Whether the scope asks for its job and shows it to the others. A scope that does not may have none.
        shown: bool,
        body: Body,
    },
    /// Makes a job by hand, perhaps under another.
    ByHand {
        job: JobId,
        kind: ByHand,
        under: Option<JobId>,
    },

    /// `delay`, in milliseconds.
    Delay(u64),
    Yield,
    AwaitCancellation,
    Join(JobId),
    CancelAndJoin(JobId),
    /// `await_ref`, which leaves the value to others; or `await_`, which takes it.
    Await {
        job: JobId,
        takes: bool,
    },

    Start(JobId),
    Cancel(JobId),
    /// `cancel_because`, with a failure of this step's number.
    CancelBecause(JobId),
    CancelChildren(JobId),
    Complete(JobId),
    CompleteExceptionally(JobId),
    Watch(Watch),
    /// Disposes of the handler that a step has registered.
    Dispose(StepId),

    EnsureActive,
    IsActive,
    /// The three questions about the state of a job, and its cause.
    Look(JobId),
    GetCompleted(JobId),
    Parent(JobId),
    /// `Job::children`.
    Children(JobId),

    /// Ends with a failure of this step's number.
    Fail,
    /// Ends with a cancellation that belongs to nobody.
    FailCancelled,
    Panic,
}

#[derive(Clone, Debug)]
pub struct Launch {
    pub job: JobId,
    pub is_async: bool,
    pub start: Start,
    /// The job under which an owned scope launches the coroutine; none for the innermost scope.
    pub under: Option<JobId>,
    /// Whether a completion handler is registered as soon as the job is there.
    pub watched: bool,
    pub body: Body,
}

/// `invoke_on_completion`, or `invoke_on_cancelling`.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    pub job: JobId,
    pub on_cancelling: bool,
    /// A job that the handler cancels.
    pub cancels: Option<JobId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Default,
    Lazy,
    Atomic,
    Undispatched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand {
    Job,
    Supervisor,
    /// `CompletableDeferred`.
    Deferred,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    Coroutine,
    Supervisor,
    /// `with_timeout`, in milliseconds.
    Timeout(u64),
    /// `with_timeout_or_none`.
    TimeoutOrNone(u64),
    NonCancellable,
    /// `with_context`, with a name and so on the same dispatcher.
    WithContext,
    /// `run_blocking` where a loop runs already.
    RunBlocking,
}

impl Program {
    /// The steps of all bodies, in the order of the text.
    pub fn steps(&self) -> Vec<Step> {
        fn collect(body: &Body, all: &mut Vec<Step>) {
            for step in body.iter() {
                all.push(step.clone());
                if let Some(inner) = step.op.body() {
                    collect(inner, all);
                }
            }
        }
        let mut all = Vec::new();
        collect(&self.root, &mut all);
        all
    }
}

impl ScopeKind {
    pub fn limit(self) -> Option<u64> {
        match self {
            ScopeKind::Timeout(limit) | ScopeKind::TimeoutOrNone(limit) => Some(limit),
            _ => None,
        }
    }
}

impl Op {
    pub fn body(&self) -> Option<&Body> {
        match self {
            Op::Launch(Launch { body, .. }) | Op::Scope { body, .. } => Some(body),
            _ => None,
        }
    }

    /// The job whose body is in this step.
    pub fn job_with_body(&self) -> Option<JobId> {
        match self {
            Op::Launch(Launch { job, .. }) | Op::Scope { job, .. } => Some(*job),
            _ => None,
        }
    }

    pub fn body_mut(&mut self) -> Option<&mut Body> {
        match self {
            Op::Launch(Launch { body, .. }) | Op::Scope { body, .. } => Some(body),
            _ => None,
        }
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "run_test: job 0 {{")?;
        print(&self.root, 1, f)?;
        writeln!(f, "}}")
    }
}

fn print(body: &Body, depth: usize, f: &mut Formatter<'_>) -> fmt::Result {
    for step in body.iter() {
        let caught = if step.caught { ", caught" } else { "" };
        write!(
            f,
            "{:>4}:{:depth$}{}{caught}",
            step.id,
            "",
            step.op,
            depth = depth * 2
        )?;
        match step.op.body() {
            Some(inner) if !inner.is_empty() => {
                writeln!(f, " {{")?;
                print(inner, depth + 1, f)?;
                writeln!(f, "     {:depth$}}}", "", depth = depth * 2)?;
            }
            Some(_) => writeln!(f, " {{}}")?,
            None => writeln!(f)?,
        }
    }
    Ok(())
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Launch(launch) => launch.fmt(f),
            Op::Scope {
                job, kind, shown, ..
            } => {
                let shown = if *shown { "" } else { " (not shown)" };
                write!(f, "{kind}: job {job}{shown}")
            }
            Op::ByHand { job, kind, under } => {
                let name = match kind {
                    ByHand::Job => "Job::by_hand",
                    ByHand::Supervisor => "SupervisorJob",
                    ByHand::Deferred => "CompletableDeferred",
                };
                write!(f, "{name}: job {job}")?;
                under.map_or(Ok(()), |parent| write!(f, " under {parent}"))
            }
            Op::Delay(time) => write!(f, "delay {time} ms"),
            Op::Yield => f.write_str("yield_"),
            Op::AwaitCancellation => f.write_str("await_cancellation"),
            Op::Join(job) => write!(f, "join {job}"),
            Op::CancelAndJoin(job) => write!(f, "cancel_and_join {job}"),
            Op::Await { job, takes: true } => write!(f, "await_ {job}"),
            Op::Await { job, takes: false } => write!(f, "await_ref {job}"),
            Op::Start(job) => write!(f, "start {job}"),
            Op::Cancel(job) => write!(f, "cancel {job}"),
            Op::CancelBecause(job) => write!(f, "cancel_because {job}"),

            Op::Dispose(step) => write!(f, "dispose of the handler of step {step}"),
            Op::GetCompleted(job) => write!(f, "get_completed {job}"),
            Op::Parent(job) => write!(f, "parent of {job}"),
            Op::CancelChildren(job) => write!(f, "cancel_children {job}"),
            Op::Complete(job) => write!(f, "complete {job}"),
            Op::CompleteExceptionally(job) => write!(f, "complete_exceptionally {job}"),
            Op::Watch(watch) => watch.fmt(f),
            Op::EnsureActive => f.write_str("ensure_active"),
            Op::IsActive => f.write_str("is_active"),
            Op::Look(job) => write!(f, "look at {job}"),
            Op::Children(job) => write!(f, "children of {job}"),
            Op::Fail => f.write_str("Err(failure)"),
            Op::FailCancelled => f.write_str("Err(cancelled)"),
            Op::Panic => f.write_str("panic"),
        }
    }
}

impl Display for Launch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let start = match self.start {
            Start::Default => "",
            Start::Lazy => "lazy ",
            Start::Atomic => "atomic ",
            Start::Undispatched => "undispatched ",
        };
        let name = if self.is_async { "async_" } else { "launch" };
        write!(f, "{start}{name}: job {}", self.job)?;
        if let Some(parent) = self.under {
            write!(f, " under {parent}")?;
        }
        if self.watched {
            f.write_str(", watched")?;
        }
        Ok(())
    }
}

impl Display for Watch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = if self.on_cancelling {
            "invoke_on_cancelling"
        } else {
            "invoke_on_completion"
        };
        write!(f, "{name} {}", self.job)?;
        let Some(other) = self.cancels else {
            return Ok(());
        };
        write!(f, ", which cancels {other}")
    }
}

impl Display for ScopeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ScopeKind::Coroutine => f.write_str("coroutine_scope"),
            ScopeKind::Supervisor => f.write_str("supervisor_scope"),
            ScopeKind::Timeout(limit) => write!(f, "with_timeout {limit} ms"),
            ScopeKind::TimeoutOrNone(limit) => write!(f, "with_timeout_or_none {limit} ms"),
            ScopeKind::NonCancellable => f.write_str("non_cancellable"),
            ScopeKind::WithContext => f.write_str("with_context"),
            ScopeKind::RunBlocking => f.write_str("run_blocking"),
        }
    }
}
