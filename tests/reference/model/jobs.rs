//! The rules of jobs: states, causes, who is told of what, and in which order.
//!
//! # States
//!
//! ```text
//! New -start-> Active -body ends-> Completing -last child ends-> Completed
//!  |             |                     |
//!  |          cancel or failure of the job: it has a cause from then on (Cancelling)
//!  cancel: Completed at once, the body never runs
//! ```
//!
//! A job with a cause is not active. It completes as every other: when its body has ended and its children have.
//!
//! # Rules
//!
//! 1. Down: the first cause begins the cancellation of a job and of everything below it. In this order: the job's handlers
//!    that want to know, then its children as they were created, each with what is below it, then the wait of its own
//!    body. What is cancelled from above learns which failure that comes of.
//! 2. Up: the parent of a coroutine that fails fails with the same failure. That is after the coroutine's own children
//!    were cancelled. It does not go past a scope function, which returns it to its caller instead, nor into a supervisor.
//!    A cancellation does not go up.
//! 3. The first failure is what a job ends with, even if a cancellation came before it; then the parent is told only when
//!    the job completes. Later failures are attached to the first, but no failure to one that it comes of.
//! 4. A job completes when its body and its children have ended. Then, in this order: an uncaught failure goes to the
//!    exception handler; the completion handlers are called and the joiners woken, each in the order of registration; the
//!    parent completes, if it has waited for this child only.
//! 5. A failure is uncaught if it is that of a `launch` for which nobody above answers: under a supervisor, or under a job
//!    made by hand that itself is under nobody who answers.
//! 6. A coroutine that is cancelled before it was started completes at once, without running: as soon as everything that
//!    is cancelled together with it knows. Its closure is dropped in a turn of its own, and its parent waits for that.
//! 7. A job made by hand has no body that ends. `complete` ends it, or its cancellation.
//! 8. Under a job that is cancelled or over, a new one is cancelled from the beginning. A job that is New is started when
//!    it gets a child.
//!
//! # Where Kotlin does it otherwise
//!
//! - Rule 1: there, children, handlers and waits are one list, in the order in which they came. The difference shows only
//!   if somebody else puts a child under a job whose body waits.
//! - Rule 3: there, failures are attached when the job completes, and those of a panic are not left behind where it goes
//!   through a scope function.
//! - Rule 4: there, handlers, joiners and the waiting parent are one list too; and the job of a scope function completes
//!   with its last child, here when its caller goes on.
//! - Rule 6: there, each completes in its place of the walk, and nobody waits for its closure.

use super::{Answer, CoroutineId, Ending, Machine, Wait};
use crate::program::{ByHand, JobId, ScopeKind, StepId};
use crate::trace::{Failure, Fault, State, What};

/// A failure as an object: it is one however far it has travelled.
pub type ErrorId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// With the failure that it comes of, if there is one.
    Cancelled(Option<ErrorId>),
    Failure(ErrorId),
}

pub struct ErrorRecord {
    pub fault: Fault,
    /// The failure that has made this one.
    pub source: Option<ErrorId>,
    pub suppressed: Vec<ErrorId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Coroutine,
    Scope(ScopeKind),
    ByHand(ByHand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    New,
    Active,
    Completing,
    Completed,
}

pub struct Job {
    pub kind: Kind,
    pub parent: Option<JobId>,
    /// Those that have not completed, in the order of their creation.
    pub children: Vec<JobId>,
    pub phase: Phase,
    /// What began its cancellation.
    pub cause: Option<Error>,
    /// The first failure, if the cause is a cancellation.
    pub late: Option<ErrorId>,
    /// The last wait of its body that a cancellation ends.
    pub body_waits: Option<Waiter>,
    pub handlers: Vec<Handler>,
    pub joiners: Vec<Waiter>,
    /// Whether the others can name it.
    pub shown: bool,
    /// The coroutine that runs its body.
    pub coroutine: Option<CoroutineId>,
    /// The job in whose body it was made: what that one knows, this one knows too.
    pub around: Option<JobId>,
    pub is_async: bool,
    /// How the body of a scope has ended.
    pub ending: Option<Ending>,
    /// The failure that its own limit has made.
    pub timeout: Option<ErrorId>,
}

/// A completion handler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    /// The step that has registered it.
    pub step: StepId,
    /// Whether it is called already when the job begins to be cancelled.
    pub on_cancelling: bool,
    /// The job that it cancels.
    pub cancels: Option<JobId>,
}

/// What a cancellation on its way down has found, in order.
#[derive(Default)]
struct Found {
    jobs: Vec<JobId>,
    handlers: Vec<(Handler, JobId, Error)>,
    woken: Vec<CoroutineId>,
}

/// One wait of a coroutine. It is over once the coroutine's count of waits has moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub coroutine: CoroutineId,
    pub wait: usize,
}

impl Job {
    pub fn new(kind: Kind, parent: Option<JobId>) -> Self {
        Self {
            kind,
            parent,
            children: Vec::new(),
            phase: Phase::Active,
            cause: None,
            late: None,
            body_waits: None,
            handlers: Vec::new(),
            joiners: Vec::new(),
            shown: true,
            coroutine: None,
            around: None,
            is_async: false,
            ending: None,
            timeout: None,
        }
    }

    pub fn state(&self) -> State {
        let completed = self.phase == Phase::Completed;
        State {
            active: self.cause.is_none() && matches!(self.phase, Phase::Active | Phase::Completing),
            cancelled: self.cause.is_some(),
            completed,
        }
    }

    /// What the job ends with (rule 3).
    pub fn outcome(&self) -> Option<Error> {
        self.late.map(Error::Failure).or(self.cause)
    }

    fn is_supervisor(&self) -> bool {
        matches!(
            self.kind,
            Kind::Scope(ScopeKind::Supervisor) | Kind::ByHand(ByHand::Supervisor)
        )
    }
}

impl Machine {
    /// The job fails: by its body, a child, a timeout, or from outside.
    pub fn fail(&mut self, job: JobId, error: ErrorId) {
        match self.job(job).cause {
            None => {
                self.begin_cancelling(job, Error::Failure(error));
                self.tell_parent(job, error);
                self.end_without_body(job);
            }
            Some(Error::Failure(first)) => self.attach(first, error),
            Some(Error::Cancelled(_)) => {
                let record = self.job_mut(job);
                match record.late {
                    None => record.late = Some(error),
                    Some(first) => self.attach(first, error),
                }
            }
        }
    }

    /// Rule 2.
    fn tell_parent(&mut self, job: JobId, error: ErrorId) {
        let Some(parent) = self.job(job).parent else {
            return;
        };
        if matches!(self.job(job).kind, Kind::Scope(_)) || self.job(parent).is_supervisor() {
            return;
        }
        self.fail(parent, error);
    }

    /// The failure is the one that the cancellation comes of.
    pub fn cancel(&mut self, job: JobId, because: Option<ErrorId>) {
        // Otherwise whoever was first ends it.
        if self.job(job).cause.is_none() {
            self.begin_cancelling(job, Error::Cancelled(because));
            self.end_without_body(job);
        }
    }

    /// What the suspending calls in the body of a cancelled job return.
    pub fn cancellation_of(&self, job: JobId) -> Option<Error> {
        Some(match self.job(job).cause? {
            Error::Failure(error) => Error::Cancelled(Some(error)),
            cancelled => cancelled,
        })
    }

    /// Rules 1, 6 and 7, but for the job itself if it was made by hand.
    fn begin_cancelling(&mut self, job: JobId, cause: Error) {
        let mut found = Found::default();
        self.mark(job, cause, &mut found);
        for (handler, job, cause) in found.handlers {
            self.call_handler(handler, job, Some(cause));
        }
        self.ready.extend(found.woken);
        for job in &found.jobs {
            if self.job(*job).phase == Phase::New {
                let coroutine = self.job(*job).coroutine.expect("only coroutines are New");
                self.complete(*job);
                self.ready.push_back(coroutine);
            }
        }
        for below in found.jobs.iter().skip(1) {
            self.end_without_body(*below);
        }
    }

    /// Rule 1.
    fn mark(&mut self, job: JobId, cause: Error, found: &mut Found) {
        let record = self.job_mut(job);
        if record.cause.is_some() || record.phase == Phase::Completed {
            return;
        }
        record.cause = Some(cause);
        found.jobs.push(job);
        let handlers = std::mem::take(&mut record.handlers);
        let (now, later) = handlers
            .into_iter()
            .partition(|handler| handler.on_cancelling);
        record.handlers = later;
        let now: Vec<Handler> = now;
        let now = now.into_iter().map(|handler| (handler, job, cause));
        found.handlers.extend(now);
        for child in self.job(job).children.clone() {
            let cancellation = self.cancellation_of(job).expect("it was marked just now");
            self.mark(child, cancellation, found);
        }
        if let Some(waiter) = self.job(job).body_waits {
            found.woken.extend(self.claim(waiter));
        }
    }

    /// Rule 7.
    fn end_without_body(&mut self, job: JobId) {
        let record = self.job_mut(job);
        if matches!(record.kind, Kind::ByHand(_)) && record.phase == Phase::Active {
            record.phase = Phase::Completing;
            self.complete_if_childless(job);
        }
    }

    /// The body of a job has ended.
    pub fn end_body(&mut self, job: JobId, ending: Ending) {
        match ending {
            Ending::Ok => {}
            Ending::Err(Error::Cancelled(because)) => self.cancel(job, because),
            Ending::Err(Error::Failure(error)) | Ending::Panic(error) => self.fail(job, error),
        }
        self.job_mut(job).phase = Phase::Completing;
        self.complete_if_childless(job);
    }

    /// The last child of a scope wakes the caller, in whose turn the scope completes; any other job completes at once.
    fn complete_if_childless(&mut self, job: JobId) {
        let record = self.job(job);
        if record.phase != Phase::Completing || !record.children.is_empty() {
            return;
        }
        match (record.kind, record.coroutine) {
            (Kind::Scope(_), Some(caller)) => {
                if self.coroutines[caller].wait == Wait::ScopeEnd(job) {
                    self.coroutines[caller].wait = Wait::ScopeEnded(job);
                    self.ready.push_back(caller);
                }
            }
            _ => {
                self.complete(job);
                self.leave_parent(job);
            }
        }
    }

    /// The caller of a scope function, whose body has ended, looks whether the scope can complete.
    pub fn complete_scope(&mut self, job: JobId) -> bool {
        let childless = self.job(job).children.is_empty();
        if childless {
            self.complete(job);
            self.leave_parent(job);
        }
        childless
    }

    /// Rule 4, but for the parent.
    fn complete(&mut self, job: JobId) {
        if let Some(late) = self.job(job).late {
            self.tell_parent(job, late);
        }
        self.tell_if_uncaught(job);
        let record = self.job_mut(job);
        record.phase = Phase::Completed;
        let handlers = std::mem::take(&mut record.handlers);
        let joiners = std::mem::take(&mut record.joiners);
        let woken: Vec<_> = joiners
            .into_iter()
            .filter_map(|joiner| self.claim(joiner))
            .collect();
        for handler in handlers {
            let outcome = self.job(job).outcome();
            self.call_handler(handler, job, outcome);
        }
        self.ready.extend(woken);
        self.withdraw_alarm(job);
    }

    pub fn leave_parent(&mut self, job: JobId) {
        let Some(parent) = self.job(job).parent else {
            return;
        };
        let record = self.job_mut(parent);
        record.children.retain(|child| *child != job);
        self.complete_if_childless(parent);
    }

    /// The children as others see them: one that has completed is none any more, even if its closure is still there.
    pub fn live_children(&self, job: JobId) -> Vec<JobId> {
        let children = self.job(job).children.iter().copied();
        children
            .filter(|child| self.job(*child).phase != Phase::Completed)
            .collect()
    }

    /// Rule 5.
    fn tell_if_uncaught(&mut self, job: JobId) {
        let record = self.job(job);
        let Some(Error::Failure(error)) = record.outcome() else {
            return;
        };
        if record.kind == Kind::Coroutine && !record.is_async && !self.is_answered_for(job) {
            let failure = Failure::Failed(self.errors[error].fault);
            self.tell(What::Uncaught(job, failure));
        }
    }

    /// Whether somebody above takes the failure of this job for its own. A job made by hand does not, unless another above
    /// it does; a supervisor never does.
    fn is_answered_for(&self, job: JobId) -> bool {
        self.job(job).parent.is_some_and(|parent| {
            let record = self.job(parent);
            let passes_on = matches!(record.kind, Kind::ByHand(_));
            !record.is_supervisor() && (!passes_on || self.is_answered_for(parent))
        })
    }

    pub fn call_handler(&mut self, handler: Handler, job: JobId, cause: Option<Error>) {
        let cause = cause.map(|cause| self.kind_of(cause));
        self.tell(What::Handler(handler.step, job, cause));
        if let Some(other) = handler.cancels.filter(|other| self.is_shown(*other)) {
            self.cancel(other, None);
        }
    }

    pub fn cause_shown(&self, job: JobId) -> Option<Failure> {
        self.job(job).outcome().map(|error| self.kind_of(error))
    }

    pub fn kind_of(&self, error: Error) -> Failure {
        match error {
            Error::Cancelled(because) => {
                Failure::Cancelled(because.map(|error| self.errors[error].fault))
            }
            Error::Failure(error) => Failure::Failed(self.errors[error].fault),
        }
    }

    fn attach(&mut self, first: ErrorId, later: ErrorId) {
        let known = self.errors[first].suppressed.contains(&later);
        // No circles.
        if !known && !self.reaches(later, first) {
            self.errors[first].suppressed.push(later);
        }
    }

    /// Whether an error is another one, or comes of it, or has it attached, however deep.
    fn reaches(&self, from: ErrorId, target: ErrorId) -> bool {
        let record = &self.errors[from];
        let mut next = record.source.iter().chain(&record.suppressed);
        from == target || next.any(|next| self.reaches(*next, target))
    }

    pub fn new_error(&mut self, fault: Fault) -> ErrorId {
        self.new_error_of(fault, None)
    }

    pub fn new_error_of(&mut self, fault: Fault, source: Option<ErrorId>) -> ErrorId {
        self.errors.push(ErrorRecord {
            fault,
            source,
            suppressed: Vec::new(),
        });
        self.errors.len() - 1
    }

    /// Rule 8, but for the cancellation. Under a parent that is over the job has none.
    pub fn new_job(&mut self, number: JobId, job: Job) {
        let parent = job.parent;
        self.jobs[number] = Some(job);
        let Some(parent) = parent else { return };
        self.start(parent);
        let record = self.job_mut(parent);
        if record.phase == Phase::Completed {
            self.job_mut(number).parent = None;
            return;
        }
        record.children.push(number);
    }

    /// `Job::start`.
    pub fn start(&mut self, job: JobId) -> bool {
        if self.job(job).phase != Phase::New {
            return false;
        }
        self.job_mut(job).phase = Phase::Active;
        let coroutine = self.job(job).coroutine.expect("only coroutines are New");
        self.ready.push_back(coroutine);
        true
    }

    /// `CompletableJob::complete`, with a failure or without.
    pub fn complete_by_hand(&mut self, job: JobId, failure: Option<ErrorId>) -> Answer {
        let record = self.job(job);
        if record.phase != Phase::Active || record.cause.is_some() {
            return Answer::Bool(false);
        }
        match failure {
            Some(error) => self.fail(job, error),
            None => {
                self.job_mut(job).phase = Phase::Completing;
                self.complete_if_childless(job);
            }
        }
        Answer::Bool(true)
    }

    pub fn job(&self, number: JobId) -> &Job {
        self.jobs[number].as_ref().expect("a job that was made")
    }

    pub fn job_mut(&mut self, number: JobId) -> &mut Job {
        self.jobs[number].as_mut().expect("a job that was made")
    }
}
