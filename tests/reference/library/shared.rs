//! What all bodies of a run share: the trace, the jobs by their numbers, what was made by hand, the handlers.

use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::testing::current_time;
use switchback::{
    CompletableDeferred, CompletableJob, CompletionHandle, CoroutineExceptionHandler,
};

use super::awaits::Deferreds;
use super::errors::{StepFailed, failure};
use super::lock;
use crate::program::{ByHand, JobId, Program, StepId, Watch};
use crate::trace::{Event, Trace, What};

/// What all bodies of a run share.
pub struct Run {
    /// Whether each event is printed as it happens.
    shown: bool,
    trace: Mutex<Trace>,
    jobs: Mutex<Vec<Option<Job>>>,
    by_hand: Mutex<Vec<(JobId, Completable)>>,
    handlers: Mutex<Vec<(StepId, CompletionHandle)>>,
    /// Of the coroutines in owned scopes.
    pub deferreds: Arc<Deferreds<'static>>,
}

impl Run {
    pub fn new(program: &Program, shown: bool) -> Arc<Self> {
        Arc::new(Self {
            shown,
            trace: Mutex::default(),
            jobs: Mutex::new(vec![None; program.jobs]),
            by_hand: Mutex::default(),
            handlers: Mutex::default(),
            deferreds: Arc::default(),
        })
    }

    /// What was told, with which the run is over. What the jobs refer to may refer to the run: those circles end here.
    pub fn into_trace(self: Arc<Self>) -> Trace {
        lock(&self.jobs).clear();
        lock(&self.by_hand).clear();
        lock(&self.handlers).clear();
        self.deferreds.clear();
        std::mem::take(&mut *lock(&self.trace))
    }

    pub fn add_by_hand(&self, number: JobId, job: Completable) {
        self.show(number, job.job());
        lock(&self.by_hand).push((number, job));
    }

    /// All jobs that were shown, with their numbers.
    pub fn shown_jobs(&self) -> Vec<(JobId, Job)> {
        let jobs = lock(&self.jobs).clone().into_iter().enumerate();
        jobs.filter_map(|(number, job)| Some((number, job?)))
            .collect()
    }

    pub fn dispose(&self, step: StepId) -> bool {
        let handle = {
            let mut handlers = lock(&self.handlers);
            let at = handlers.iter().position(|(other, _)| *other == step);
            at.map(|at| handlers.swap_remove(at).1)
        };
        let found = handle.is_some();
        if let Some(handle) = handle {
            handle.dispose();
        }
        found
    }
    pub fn tell(&self, what: What) {
        let time = current_time().as_millis();
        let time = u64::try_from(time).expect("a program is over in less than ages");
        if self.shown {
            println!(
                "{}",
                Event {
                    time,
                    what: what.clone()
                }
            );
        }
        lock(&self.trace).push(time, what);
    }

    pub fn show(&self, number: JobId, job: &Job) {
        lock(&self.jobs)[number] = Some(job.clone());
    }

    pub fn job(&self, number: JobId) -> Option<Job> {
        lock(&self.jobs)[number].clone()
    }

    pub fn number(&self, job: &Job) -> Option<JobId> {
        let jobs = lock(&self.jobs).clone();
        jobs.iter().position(|other| other.as_ref() == Some(job))
    }

    pub fn completable(&self, number: JobId) -> Option<Completable> {
        let by_hand = lock(&self.by_hand);
        let found = by_hand.iter().find(|(other, _)| *other == number);
        found.map(|(_, job)| job.clone())
    }

    /// Registers a handler for a job that was shown.
    pub fn watch(self: &Arc<Self>, step: StepId, watch: Watch, job: &Job) {
        let run = self.clone();
        let handler = move |cause: Option<&Error>| {
            run.tell(What::Handler(step, watch.job, cause.map(failure)));
            if let Some(other) = watch.cancels.and_then(|other| run.job(other)) {
                other.cancel();
            }
        };
        let handle = if watch.on_cancelling {
            job.invoke_on_cancelling(handler)
        } else {
            job.invoke_on_completion(handler)
        };
        lock(&self.handlers).push((step, handle));
    }

    /// What is told of a failure that nobody catches. The coroutines' names are their numbers.
    pub fn exception_handler(self: &Arc<Self>) -> CoroutineExceptionHandler {
        let run = self.clone();
        CoroutineExceptionHandler::new(move |context, error| {
            let name = context.get::<CoroutineName>().map(ToString::to_string);
            let number = name.and_then(|name| name.parse().ok());
            let number = number.expect("a coroutine that was named by a number");
            run.tell(What::Uncaught(number, failure(error)));
        })
    }
}

/// What was made by hand.
#[derive(Clone)]
pub enum Completable {
    Job(CompletableJob),
    Deferred(CompletableDeferred<u64>),
}

impl Completable {
    pub fn new(kind: ByHand, parent: Option<&Job>) -> Self {
        match (kind, parent) {
            (ByHand::Job, None) => Self::Job(Job::by_hand()),
            (ByHand::Job, Some(parent)) => Self::Job(Job::by_hand_under(parent)),
            (ByHand::Supervisor, None) => Self::Job(SupervisorJob::new()),
            (ByHand::Supervisor, Some(parent)) => Self::Job(SupervisorJob::under(parent)),
            (ByHand::Deferred, None) => Self::Deferred(CompletableDeferred::new()),
            (ByHand::Deferred, Some(parent)) => {
                Self::Deferred(CompletableDeferred::with_parent(parent))
            }
        }
    }

    pub fn job(&self) -> &Job {
        match self {
            Self::Job(job) => job,
            Self::Deferred(deferred) => deferred,
        }
    }

    pub fn complete(&self, number: JobId) -> bool {
        match self {
            Self::Job(job) => job.complete(),
            Self::Deferred(deferred) => deferred.complete(number as u64),
        }
    }

    pub fn fail(&self, fault: StepFailed) -> bool {
        match self {
            Self::Job(job) => job.complete_exceptionally(fault),
            Self::Deferred(deferred) => deferred.complete_exceptionally(fault),
        }
    }
}
